package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

// Whoever owns a folder can put a link in the place of each name in it, at any
// moment. So root works by name in folders of root's alone; in those of the
// daemon's user it works as that user.

// makeFolders makes what the daemon needs and a source installation may lack:
// the key folder, and the socket's folder below Postfix's queue.
func makeFolders(c *configPlan, h postfix.Host) error {
	if err := makeKeyFolder(c); err != nil {
		return err
	}
	if c.dropIn {
		return socketFolder(filepath.Dir(c.milter.Unix), h.Values.Get("mail_owner"))
	}
	if c.listens {
		return ownedFolder(filepath.Dir(c.milter.Unix), fs.ModeSetgid|0o750, h.Values.Get("mail_owner"))
	}
	return nil
}

func makeKeyFolder(c *configPlan) error {
	if err := ownedFolder(filepath.Dir(c.cfg.Sign.Keys), 0o700, ""); err != nil {
		return err
	}
	return ownedFolder(c.cfg.Sign.Keys, 0o700, "")
}

// ownedFolder makes a folder of the daemon's user, and of another's group: with
// the set-gid bit sockets in it are that group's without a membership.
// One that exists stays as it is.
func ownedFolder(path string, mode fs.FileMode, groupOf string) error {
	if mta.Exists(path) {
		return nil
	}
	whose, _, err := asuser.Owner(path)
	if err != nil {
		return err
	}
	if whose != 0 {
		return asuser.In(path, func() error { return os.MkdirAll(path, mode.Perm()) })
	}
	uid, gid, err := ids(daemonUser)
	if err != nil {
		return fail("make it: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin "+daemonUser, "%s is missing, and there is no user %s to own it", path, daemonUser)
	}
	if groupOf != "" {
		if _, gid, err = ids(groupOf); err != nil {
			return err
		}
	}
	return makeFolder(path, mode, uid, gid)
}

// socketFolder makes or repairs the folder in which systemd opens a socket for
// the MTA: root's, and of the MTA's group, which the socket gets by the set-gid
// bit. One of somebody else is refused: they could hand the MTA another socket.
func socketFolder(path, groupOf string) error {
	_, gid, err := ids(groupOf)
	if err != nil {
		return err
	}
	if err := wayIsRoots(path); err != nil {
		return err
	}
	const mode = fs.ModeSetgid | 0o750
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeFolder(path, mode, 0, gid)
	}
	if err != nil {
		return err
	}
	if !roots(st) || !st.IsDir() {
		return fail(fmt.Sprintf("when no daemon has its socket there any more: install -d -o root -g %d -m 2750 %s", gid, quote(path)),
			"%s is no folder of root's: its owner could hand another socket to the MTA", path)
	}
	return own(path, mode, 0, gid)
}

func roots(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && sys.Uid == 0
}

// wayIsRoots: nobody else can put another file in the place of path.
func wayIsRoots(path string) error {
	whose, _, err := asuser.Owner(filepath.Dir(path))
	if err == nil && whose != 0 {
		err = fmt.Errorf("user %d owns a folder on the way to %s", whose, path)
	}
	return err
}

// makeFolder makes a folder in one of root's.
func makeFolder(path string, mode fs.FileMode, uid, gid int) error {
	if err := wayIsRoots(path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return own(path, mode, uid, gid)
}

// own gives a folder away, by its descriptor.
func own(path string, mode fs.FileMode, uid, gid int) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// In this order: until it is theirs nobody else gets in.
	if err := f.Chown(uid, gid); err != nil {
		return err
	}
	return f.Chmod(mode)
}

// ids are the numbers of a user and of their group.
func ids(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	uid, errU := strconv.Atoi(u.Uid)
	gid, errG := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(errU, errG)
}
