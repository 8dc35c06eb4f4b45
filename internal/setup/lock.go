package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// lock keeps a second set-up away from the folders of the MTA and of milter.yaml
// while this one reads, plans and writes. It is on the folders themselves, so that
// no file stays behind, and ends with the process at the latest.
func (c *Common) lock(mta string) error {
	for _, dir := range slices.Compact([]string{mta, filepath.Dir(c.Config)}) {
		f, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // what needs it says so
		}
		if err != nil {
			return err
		}
		c.locked = append(c.locked, f)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fail("wait until it has ended, then run this again; `fuser -v "+dir+"` shows who it is", "another set-up is at work in %s", dir)
		}
		if err != nil {
			return &os.PathError{Op: "flock", Path: dir, Err: err}
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
