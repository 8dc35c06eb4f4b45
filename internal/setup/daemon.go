package setup

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/postfix"
)

const daemonUser = "sealmilter"

// bringUp has the daemon run with the configuration on disk. It is called
// before the MTA knows of a new socket, so a restart refuses nobody; where the
// socket is the old one the daemon reloads.
func bringUp(ctx context.Context, c *configPlan) error {
	if underSystemd(ctx, unitName) {
		verb := "reload-or-restart"
		if c.listens {
			verb = "restart"
		}
		if _, err := runProgram(ctx, "systemctl", "enable", unitName); err != nil {
			return fail("journalctl -u sealmilter says more", "%w", err)
		}
		if _, err := runProgram(ctx, "systemctl", verb, unitName); err != nil {
			return fail("journalctl -u sealmilter says more", "%w", err)
		}
		return nil
	}
	pid, err := listenerOf(c.milter)
	if err != nil {
		return fail(fmt.Sprintf("start the daemon (sealmilter serve --config %s), then run this again: keys and configuration stand, the MTA is as it was", c.path),
			"nobody answers on the socket: %w", err)
	}
	if pid > 0 {
		return syscall.Kill(pid, syscall.SIGHUP)
	}
	return nil
}

// listenerOf is the process behind a unix socket, when it is one of ours; 0 when
// that cannot be told.
func listenerOf(e postfix.Endpoint) (pid int, err error) {
	network, address := "unix", e.Unix
	if e.TCP != "" {
		network, address = "tcp", e.TCP
	}
	c, err := net.Dial(network, address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, nil
	}
	var peer *syscall.Ucred
	raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || peer == nil || peer.Pid <= 1 {
		return 0, nil
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", peer.Pid))
	if err != nil || !strings.HasPrefix(filepath.Base(exe), "sealmilter") {
		return 0, nil
	}
	return int(peer.Pid), nil
}

// makeFolders makes what the daemon needs and a source installation may lack:
// the key folder, and the socket's folder below Postfix's queue.
func makeFolders(c *configPlan, h postfix.Host) error {
	if err := makeKeyFolder(c); err != nil {
		return err
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
	if exists(path) {
		return nil
	}
	u, err := user.Lookup(daemonUser)
	if err != nil {
		return fail("make it: useradd --system --home-dir /var/lib/sealmilter --shell /usr/sbin/nologin "+daemonUser, "%s is missing, and there is no user %s to own it", path, daemonUser)
	}
	gid := u.Gid
	if groupOf != "" {
		g, err := user.Lookup(groupOf)
		if err != nil {
			return err
		}
		gid = g.Gid
	}
	uidN, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gidN, err := strconv.Atoi(gid)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	if err := os.Chown(path, uidN, gidN); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// putConfig puts milter.yaml in place, as a whole.
func putConfig(c *configPlan) error {
	if c.old == c.new && c.existed {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	return postfix.Replace(c.path, c.new, 0o644)
}
