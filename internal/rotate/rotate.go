// Package rotate decides what is to happen to the keys of a domain next: which are
// noted as published, which sign from when on, which go, and when new ones are made
// (RFC 6376 §3.6.1 and §6.1.2; the reasons are in docs/decisions/0027).
//
// It is pure: it knows the states on disk, what the DNS answers and the time of day, asks nobody and
// writes nothing, so that each step can be done again after a crash. The loop that
// carries it out is internal/service's.
package rotate

import (
	"slices"
	"time"

	"github.com/sealmilter/sealmilter/keys"
)

// Answer is what the DNS says of a key's record.
type Answer string

const (
	Unknown Answer = ""       // nobody asked, or nobody answered
	Shown   Answer = "shown"  // it is there, wherever it has to be
	Absent  Answer = "absent" // something else is there, or nothing
)

// Word is the answer for those who read it.
func (a Answer) Word() string {
	if a == Unknown {
		return "unknown"
	}
	return string(a)
}

// Settings are what milter.yaml says.
type Settings struct {
	Every   time.Duration // age at which keys are followed by new ones, 0: never
	Overlap time.Duration // how long the record of a key stays that signs no more
	// Delay is the time between the moment at which the DNS shows a key and the one at
	// which it takes over from another: all hosts that read the folder notice it in
	// between, and what resolvers know of an older record of the same name runs out.
	Delay time.Duration
	// Turns are two selectors that are used in turn, whose records somebody else has
	// delegated to us; empty: each pair has the name of its day.
	Turns []string
	// Publishes: somebody puts records into the DNS for us.
	Publishes bool
	// Listed: milter.yaml names the selectors, so that an admin decides who signs.
	Listed bool
}

// Plan is what is to be done for a domain, in this order.
type Plan struct {
	Lives    []Change    // to be written beside the keys
	Publish  []*keys.Key // records to put into the DNS
	Withdraw []*keys.Key // records to be emptied (p=), or to be removed by hand
	// Make is the selector of a pair to be made, "" for none. Some of it may be there already, after a
	// crash. Reuse: the selector is that of a key that has gone.
	Make  string
	Reuse bool
}

// Change is a new life of a key.
type Change struct {
	Key  *keys.Key
	Life keys.Life
}

// Next plans for the keys of one domain, newest first as keys.Store has them.
func Next(now time.Time, set Settings, list []*keys.Key, answers map[string]Answer) Plan {
	now = now.UTC().Truncate(time.Second)
	d := desk{now: now, set: set, list: list, lives: make([]keys.Life, len(list))}
	for i, k := range list {
		d.lives[i] = k.Life()
	}
	for i := range list {
		d.answered(i, answers[list[i].Name()])
	}
	for i := range list {
		d.succeeded(i)
	}
	var p Plan
	for i, k := range list {
		if d.lives[i] != k.Life() {
			p.Lives = append(p.Lives, Change{k, d.lives[i]})
		}
		l, a := d.lives[i], answers[k.Name()]
		switch s := l.State(now); {
		case s == keys.Retired && l.Removed.IsZero() && a != Unknown:
			p.Withdraw = append(p.Withdraw, k)
		case s == keys.New && a == Absent && set.Publishes:
			p.Publish = append(p.Publish, k)
		}
	}
	p.Make, p.Reuse = d.due()
	return p
}

// desk is a domain while it is planned for.
type desk struct {
	now   time.Time
	set   Settings
	list  []*keys.Key
	lives []keys.Life
}

// answered takes up what the DNS says of a key.
func (d *desk) answered(i int, a Answer) {
	l := &d.lives[i]
	over := !l.Retire.IsZero() && !d.now.Before(l.Retire)
	switch {
	case a == Absent && l.State(d.now) == keys.Retired && l.Removed.IsZero():
		l.Removed = d.now
	case over:
	case a == Absent && l.Shown.IsZero() && l.Absent.IsZero() && !l.Waits:
		l.Absent = d.now
	case a == Shown && l.Activate.IsZero():
		if l.Shown.IsZero() {
			l.Shown = d.now
		}
		switch older, younger := d.others(i); {
		case younger: // a key of former times, whose record is still there
		case older:
			l.Activate = d.now.Add(d.set.Delay)
		default:
			l.Activate = d.now
		}
	}
	if l.Unread() && a != Unknown { // written anew, it says what is known again
		*l = keys.Life{Waits: true, Shown: l.Shown, Activate: l.Activate}
	}
}

// others reports whether an older or a younger key of the same algorithm signs, or is
// about to.
func (d *desk) others(i int) (older, younger bool) {
	for j, k := range d.list {
		l := d.lives[j]
		if j == i || k.Algorithm() != d.list[i].Algorithm() || l.Activate.IsZero() || !l.Retire.IsZero() && !d.now.Before(l.Retire) {
			continue
		}
		older, younger = older || j > i, younger || j < i
	}
	return older, younger
}

// succeeded has a key go when its successor takes over.
func (d *desk) succeeded(i int) {
	l := &d.lives[i]
	if d.set.Listed || l.Activate.IsZero() || !l.Retire.IsZero() {
		return
	}
	for j := range i { // younger ones
		if s := d.lives[j]; d.list[j].Algorithm() == d.list[i].Algorithm() && !s.Activate.IsZero() {
			l.Retire = s.Activate
			l.Remove = s.Activate.Add(d.set.Overlap)
		}
	}
}

// due is the selector of the pair that is to be made now.
func (d *desk) due() (selector string, reuse bool) {
	if d.set.Listed {
		return "", false
	}
	newest := -1 // of those that sign
	for i := range d.list {
		l := d.lives[i]
		switch {
		case l.State(d.now) == keys.Active && newest < 0:
			newest = i
		case newest < 0 && l.Waits && (l.State(d.now) == keys.New || l.State(d.now) == keys.Published):
			return d.half(i), false
		}
	}
	if newest < 0 || d.set.Every <= 0 || d.now.Sub(d.list[newest].Created()) < d.set.Every {
		return "", false
	}
	return NextSelector(d.list, d.set.Turns, d.now)
}

// half is the selector of the pair that the key at i belongs to, where the other one is
// missing.
func (d *desk) half(i int) string {
	k := d.list[i]
	base := baseOf(k)
	if base == "" || d.set.Every <= 0 {
		return ""
	}
	if slices.ContainsFunc(d.list, func(o *keys.Key) bool { return o != k && baseOf(o) == base }) {
		return ""
	}
	return base
}
