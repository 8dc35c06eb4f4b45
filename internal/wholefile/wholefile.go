// Package wholefile writes files as a whole or not at all, over a crash and a power
// failure as well. It is a leaf.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write puts data in the place of what is at path, with that mode; a symbolic link
// there is replaced itself.
func Write(path string, data []byte, mode fs.FileMode) error {
	return put(path, data, func(tmp *os.File) error { return tmp.Chmod(mode) })
}

// Replace puts data in the place of the file that path leads to: an existing one
// keeps its mode and owner, and a symbolic link stays one; mode is for a new one.
func Replace(path string, data []byte, mode fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return put(path, data, func(tmp *os.File) error {
		if st, err := os.Stat(path); err == nil {
			mode = st.Mode().Perm()
			if sys, ok := st.Sys().(*syscall.Stat_t); ok {
				if err := tmp.Chown(int(sys.Uid), int(sys.Gid)); err != nil {
					return err
				}
			}
		}
		return tmp.Chmod(mode)
	})
}

func put(path string, data []byte, dress func(*os.File) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err = dress(tmp); err == nil {
		_, err = tmp.Write(data)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir has what was done in a folder survive a power failure, where the file
// system has such a thing.
func SyncDir(path string) error {
	d, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
