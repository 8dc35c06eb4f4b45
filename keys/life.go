package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Life is what has happened to a key, and what is to happen: moments, each zero until
// it is known, and set once. Who signs follows from them and the time of day alone, so
// that all hosts that read one folder switch together.
type Life struct {
	// Waits: the key was made beside others, or by the daemon, and signs from Activate on only. The
	// others (a domain's first, copies from elsewhere) sign until the DNS is known to lack them.
	Waits bool `json:"waits,omitempty"`
	// Absent is when the DNS said that it has no such record, before it ever had.
	Absent time.Time `json:"absent,omitzero"`
	// Shown is when the DNS had the record for the first time.
	Shown time.Time `json:"shown,omitzero"`
	// Activate is the moment from which the key signs.
	Activate time.Time `json:"activate_at,omitzero"`
	// Retire is the moment from which it does not sign any more; its record stays until
	// Remove, for mail that is under way.
	Retire time.Time `json:"retire_at,omitzero"`
	Remove time.Time `json:"remove_at,omitzero"`
	// Removed is when the DNS had the record no more, or the empty p= of RFC 6376 §3.6.1.
	Removed time.Time `json:"removed,omitzero"`

	// unread: there is a file, and it says nothing that can be used.
	unread bool
}

// Unread reports that a file has the key's life, and says nothing that can be used.
func (l Life) Unread() bool { return l.unread }

// State is where a key stands in its life.
type State string

const (
	New       State = "new"       // the DNS is not known to have its record
	Published State = "published" // it does, and the key signs soon
	Active    State = "active"
	Retiring  State = "retiring" // signs no more; the record stays for mail that is under way
	Retired   State = "retired"  // the record is to go, or has gone
)

// State of a key at a moment.
func (l Life) State(now time.Time) State {
	reached := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case reached(l.Remove):
		return Retired
	case reached(l.Retire):
		return Retiring
	case reached(l.Activate):
		return Active
	case !l.Shown.IsZero():
		return Published
	}
	return New
}

// may reports whether a key that may have to be published first signs at a moment.
// A key of which nothing is known signs: what the DNS does not answer is no reason to
// send mail unsigned.
func (l Life) may(now time.Time) bool {
	s := l.State(now)
	return s == Active || s == New && !l.Waits && l.Absent.IsZero()
}

// over reports whether the key has signed for the last time.
func (l Life) over(now time.Time) bool {
	s := l.State(now)
	return s == Retiring || s == Retired
}

// next is the first moment after now at which the key's part in signing changes; zero
// for never.
func (l Life) next(now time.Time) time.Time {
	var first time.Time
	for _, t := range []time.Time{l.Activate, l.Retire, l.Remove} {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

const (
	// lifeExt is the end of the file beside SELECTOR.pem that holds the key's Life in JSON.
	lifeExt = ".state"
	// waitExt is what stood in its place at first, empty: the key waits.
	waitExt = ".waiting"
	// maxLife bounds what is read of such a file; all moments take 400 bytes.
	maxLife = 4 << 10
)

// readLife reads the life of a key; the zero Life where there is no file. One that
// cannot be used is never taken for that of an active key: the DNS tells.
func readLife(root *os.Root, domain, selector string) (Life, error) {
	unread := Life{Waits: true, unread: true}
	f, err := root.OpenFile(filepath.Join(domain, selector+lifeExt), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := root.Lstat(filepath.Join(domain, selector+waitExt)); err == nil {
			return Life{Waits: true}, nil
		}
		return Life{}, nil
	}
	if err != nil {
		return unread, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return unread, errors.Join(err, errNotRegular)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxLife+1))
	if err != nil {
		return unread, err
	}
	l, err := parseLife(text)
	if err != nil {
		return unread, err
	}
	return l, nil
}

func parseLife(text []byte) (Life, error) {
	if len(text) > maxLife {
		return Life{}, fmt.Errorf("more than %d bytes", maxLife)
	}
	var l Life
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Life{}, fmt.Errorf("not what we write: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Life{}, errors.New("not what we write: something stands behind the end")
	}
	switch {
	case !l.Activate.IsZero() && l.Shown.IsZero():
		return Life{}, errors.New("activate_at without shown: nobody activates what the DNS has not shown")
	case !l.Remove.IsZero() && l.Remove.Before(l.Retire) || !l.Remove.IsZero() && l.Retire.IsZero():
		return Life{}, errors.New("remove_at before retire_at")
	}
	return l, nil
}

// ErrChanged: somebody else has written the life of a key since it was read.
var ErrChanged = errors.New("the state of the key has changed in between")

// SetLife writes the life of a key of dir, whole or not at all, in the place of the one
// that the caller knows.
func SetLife(dir, domain, selector string, was, is Life) error {
	if err := errors.Join(checkDomain(domain), checkSelector(selector, domain)); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// Those who write take turns: the daemon, and commands. Where the file system has
	// no locks the comparison is what there is.
	lock, err := root.Open(domain)
	if err != nil {
		return err
	}
	defer lock.Close()
	_ = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	if now, err := readLife(root, domain, selector); err == nil && !now.same(was) {
		return ErrChanged
	}
	w := &safe{root, dir, domain}
	if err := w.setLife(selector, is); err != nil {
		return err
	}
	// What the state replaces.
	if err := root.Remove(filepath.Join(domain, selector+waitExt)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.sync()
}

// same compares moments, whatever the zone that they are written in.
func (l Life) same(o Life) bool {
	return l.Waits == o.Waits && l.unread == o.unread && l.Absent.Equal(o.Absent) && l.Shown.Equal(o.Shown) && l.Activate.Equal(o.Activate) &&
		l.Retire.Equal(o.Retire) && l.Remove.Equal(o.Remove) && l.Removed.Equal(o.Removed)
}

// setLife puts a new file in the place of the old one.
func (w *safe) setLife(selector string, l Life) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	temp := filepath.Join(w.domain, ".new-"+rand.Text())
	f, err := w.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = w.root.Rename(temp, filepath.Join(w.domain, selector+lifeExt))
	}
	if err != nil {
		_ = w.root.Remove(temp)
		return fmt.Errorf("write %s: %w", filepath.Join(w.dir, w.domain, selector+lifeExt), err)
	}
	return nil
}
