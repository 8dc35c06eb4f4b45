// Package asuser lets root work in a folder that belongs to somebody else, with
// that user's rights: a link that leads out of it then leads to what the user
// could have changed without us.
package asuser

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// maxLinks is the kernel's own limit (path_resolution(7)).
const maxLinks = 40

// Owner is who decides what a path leads to: the first owner on the way from /
// that is not root, with its group. Who owns a folder can put a link in the place
// of everything below. 0, 0 when all of the way that exists is root's.
func Owner(path string) (uid, gid int, err error) {
	if !filepath.IsAbs(path) { // not filepath.Abs: link/.. is not what it makes of it
		wd, err := os.Getwd()
		if err != nil {
			return 0, 0, err
		}
		path = wd + "/" + path
	}
	rest, at := strings.Split(path, "/"), "/"
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		st, err := os.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, 0, nil
		}
		if err != nil {
			return 0, 0, err
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, 0, fmt.Errorf("%s: who owns it is unknown", next)
		}
		if sys.Uid != 0 {
			return int(sys.Uid), int(sys.Gid), nil
		}
		if st.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return 0, 0, &fs.PathError{Op: "lstat", Path: path, Err: syscall.ELOOP}
		}
		to, err := os.Readlink(next)
		if err != nil {
			return 0, 0, err
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return 0, 0, nil
}

// In calls f with the rights on files of who owns path, see Owner. Whoever is not
// root has their own.
func In(path string, f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	uid, gid, err := Owner(path)
	if err != nil {
		return err
	}
	if uid == 0 {
		return f()
	}
	return do(uid, gid, f)
}

// As calls f with the rights of a user on files; only root can.
func As(uid, gid int, f func() error) error { return do(uid, gid, f) }

// do changes the user of one thread's file operations (setfsuid(2)), which takes
// the capabilities over files from it, too. The thread ends with the goroutine. No
// process of that user's comes into being, which others of theirs could trace. f
// must not start goroutines that work on files, nor programs.
func do(uid, gid int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the runtime ends such a thread
		err := become(uid, gid)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func become(uid, gid int) error {
	// The raw call: syscall.Setgroups is for all threads.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	// They tell no error: asked for a number that there is not, they tell the one
	// that is set. The group first, or the right to set it is gone.
	_ = syscall.Setfsgid(gid)
	_ = syscall.Setfsuid(uid)
	nowUID, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, ^uintptr(0), 0, 0)
	nowGID, _, _ := syscall.RawSyscall(syscall.SYS_SETFSGID, ^uintptr(0), 0, 0)
	if int(nowUID) != uid || int(nowGID) != gid {
		return fmt.Errorf("cannot work on files as user %d, group %d: still %d, %d", uid, gid, nowUID, nowGID)
	}
	return nil
}
