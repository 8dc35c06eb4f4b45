package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Archive moves the files of a pair that is retired out of the way of one of the same
// name: they begin with a dot from then on, and are never loaded. Nothing is deleted. A
// key that may still sign is refused.
func Archive(dir, domain, selector string, now time.Time) error {
	if err := errors.Join(checkDomain(domain), checkSelector(selector+"e", domain)); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, s := range []string{selector, selector + "e"} {
		if _, err := root.Lstat(filepath.Join(domain, s+keyExt)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		life, err := readLife(root, domain, s)
		if err != nil || life.State(now) != Retired {
			return errors.Join(err, fmt.Errorf("%s: not retired", filepath.Join(dir, domain, s+keyExt)))
		}
		to := "." + s + "-" + now.UTC().Format("20060102T150405")
		// The key first: a state without a key is passed over.
		for _, ext := range []string{keyExt, lifeExt} {
			if err := root.Rename(filepath.Join(domain, s+ext), filepath.Join(domain, to+ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return (&safe{root, dir, domain}).sync()
}
