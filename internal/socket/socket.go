// Package socket opens the sockets that the MTAs connect to: unix sockets with
// a mode and a group, replacing a file that a killed process left behind, and
// TCP sockets. Sockets that systemd opened are taken over by cmd.
package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// Options are for unix sockets.
type Options struct {
	Mode fs.FileMode
	// Group that owns the socket. "" takes DefaultGroup where that group exists
	// and may be given, and leaves the socket as it is elsewhere.
	Group string
	// Optional group: what "" stands for.
	DefaultGroup string
}

// Listen opens a socket. network is "unix" (address is a path) or "tcp". Where the
// path is a link of root's or of our own, the socket is made where that leads: so
// the folder of the path can be root's, and the socket's ours.
func Listen(network, address string, opt Options) (net.Listener, error) {
	if network != "unix" {
		l, err := net.Listen(network, address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, &problem.Error{Err: err, Hint: "another program listens there: see `ss -ltnp`"}
		}
		return l, err
	}
	address = linked(address)
	l, err := net.Listen("unix", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(address); err != nil {
			return nil, err
		}
		l, err = net.Listen("unix", address)
	}
	if err != nil {
		return nil, &problem.Error{Err: fmt.Errorf("cannot open the socket %s: %w", address, err), Hint: hint(address, err)}
	}
	ul := l.(*net.UnixListener)
	ul.SetUnlinkOnClose(false)
	own := &listener{UnixListener: ul, path: address}
	own.made, _ = os.Lstat(address)
	if err := own.permit(opt); err != nil {
		own.Close()
		return nil, err
	}
	return own, nil
}

func linked(path string) string {
	st, err := os.Lstat(path)
	if err != nil || st.Mode().Type() != fs.ModeSymlink {
		return path
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	to, err := os.Readlink(path)
	switch {
	case err != nil || !ok || sys.Uid != 0 && int(sys.Uid) != os.Geteuid():
		return path
	case filepath.IsAbs(to):
		return to
	}
	return filepath.Join(filepath.Dir(path), to)
}

func hint(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder, of the user that runs sealmilter: " + filepath.Dir(path)
	case errors.Is(err, fs.ErrPermission):
		return "the folder " + filepath.Dir(path) + " must be writable for the user that runs sealmilter; with the package that is /run/sealmilter/daemon"
	case len(path) > 107:
		return "a unix socket's path may have 107 bytes"
	}
	return ""
}

// removeStale removes a socket file that nobody listens on. A file of another
// kind, and a socket that answers, stay.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st.Mode().Type() != fs.ModeSocket {
		return &problem.Error{Err: fmt.Errorf("%s exists and is not a socket", path), Hint: "remove it, or choose another path in listen"}
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return &problem.Error{Err: fmt.Errorf("another process serves the socket %s", path), Hint: "is sealmilter running already? see `ss -lxp`"}
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether %s is in use: %w", path, err)
	}
	return os.Remove(path)
}

// listener removes its file when it is closed, unless another process has put
// its own in that place.
type listener struct {
	*net.UnixListener
	path string
	made fs.FileInfo
}

func (l *listener) Close() error {
	// The time as well: a file system gives a removed file's number to the next.
	now, err := os.Lstat(l.path)
	if err == nil && l.made != nil && os.SameFile(now, l.made) && now.ModTime().Equal(l.made.ModTime()) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// permit gives the socket its group, then its mode: never the other way round,
// or it would be open to the wrong group for a moment. Both by a descriptor of
// what we have made: the name may be a link by now, where the folder is not ours
// alone.
func (l *listener) permit(opt Options) error {
	group, optional := opt.Group, false
	if group == "" {
		group, optional = opt.DefaultGroup, true
	}
	if group == "" && opt.Mode == 0 {
		return nil
	}
	f, err := os.OpenFile(l.path, oPath|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || st.Mode().Type() != fs.ModeSocket || int(sys.Uid) != os.Geteuid() {
		return &problem.Error{Err: fmt.Errorf("%s is not the socket that was made there a moment ago", l.path), Hint: "the folder must be writable for the user that runs sealmilter alone"}
	}
	if group != "" {
		if err := chgrp(f, group); err != nil && !optional {
			return err
		}
	}
	if opt.Mode != 0 {
		// fchmod(2) refuses such a descriptor. This leads to what it is of, whatever
		// has become of the name.
		return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), opt.Mode)
	}
	return nil
}

// oPath is O_PATH of open(2), which opens sockets, too.
const oPath = 0x200000

func chgrp(f *os.File, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return &problem.Error{Err: fmt.Errorf("socket.group: %w", err), Hint: "name a group of this host, see `getent group`"}
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	// AT_EMPTY_PATH: the descriptor itself.
	if err := syscall.Fchownat(int(f.Fd()), "", -1, gid, atEmptyPath); err != nil {
		return &problem.Error{Err: fmt.Errorf("cannot give %s to group %s: %w", f.Name(), group, err), Hint: "run sealmilter as root, or as a member of the group: usermod -a -G " + group + " sealmilter"}
	}
	return nil
}

const atEmptyPath = 0x1000
