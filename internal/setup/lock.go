package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// lockFolder is root's on every Linux, unlike /run/lock.
const lockFolder = "/run"

// lock keeps a second set-up away from the folders of the MTA and of milter.yaml
// while this one reads, plans and writes. It is on a file that only root may open:
// a lock on the folders themselves anybody can take who may list them. It ends
// with the process at the latest.
func (c *Common) lock(mta string) error {
	for _, dir := range []string{mta, filepath.Dir(c.Config)} {
		st, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // what needs it says so
		}
		if err != nil {
			return err
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s has no number", dir)
		}
		// Of the folder, however it is written.
		path := filepath.Join(or(c.locks, lockFolder), fmt.Sprintf("sealmilter-setup-%d-%d.lock", sys.Dev, sys.Ino))
		if slices.ContainsFunc(c.locked, func(f *os.File) bool { return f.Name() == path }) {
			continue // milter.yaml lies beside main.cf
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return err
		}
		c.locked = append(c.locked, f)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fail("wait until it has ended, then run this again; `fuser -v "+path+"` shows who it is", "another set-up is at work in %s", dir)
		}
		if err != nil {
			return &os.PathError{Op: "flock", Path: path, Err: err}
		}
	}
	return nil
}

func (c *Common) unlock() {
	for _, f := range c.locked {
		f.Close()
	}
	c.locked = nil
}
