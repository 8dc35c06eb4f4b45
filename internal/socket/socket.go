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

// Error carries a hint for the admin.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Listen opens a socket. network is "unix" (address is a path) or "tcp".
func Listen(network, address string, opt Options) (net.Listener, error) {
	if network != "unix" {
		l, err := net.Listen(network, address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, &Error{err, "another program listens there: see `ss -ltnp`"}
		}
		return l, err
	}
	l, err := net.Listen("unix", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(address); err != nil {
			return nil, err
		}
		l, err = net.Listen("unix", address)
	}
	if err != nil {
		return nil, &Error{fmt.Errorf("cannot open the socket %s: %w", address, err), hint(address, err)}
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

func hint(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder: install -d -m 0755 " + filepath.Dir(path)
	case errors.Is(err, fs.ErrPermission):
		return "the folder " + filepath.Dir(path) + " must be writable for the user that runs sealmilter"
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
		return &Error{fmt.Errorf("%s exists and is not a socket", path), "remove it, or choose another path in listen"}
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return &Error{fmt.Errorf("another process serves the socket %s", path), "is sealmilter running already? see `ss -lxp`"}
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
// or it would be open to the wrong group for a moment.
func (l *listener) permit(opt Options) error {
	group, optional := opt.Group, false
	if group == "" {
		group, optional = opt.DefaultGroup, true
	}
	if group != "" {
		if err := chgrp(l.path, group); err != nil && !optional {
			return err
		}
	}
	if opt.Mode != 0 {
		return os.Chmod(l.path, opt.Mode)
	}
	return nil
}

func chgrp(path, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return &Error{fmt.Errorf("socket.group: %w", err), "name a group of this host, see `getent group`"}
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	if err := os.Chown(path, -1, gid); err != nil {
		return &Error{fmt.Errorf("cannot give %s to group %s: %w", path, group, err),
			"run sealmilter as root, or as a member of the group: usermod -a -G " + group + " sealmilter"}
	}
	return nil
}
