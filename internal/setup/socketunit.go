package setup

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/wholefile"
)

const (
	unitName   = "sealmilter.service"
	dropInPath = "/etc/systemd/system/sealmilter.socket.d/postfix.conf"
)

// underSystemd reports whether systemd runs this host and has the unit.
func underSystemd(ctx context.Context, unit string) bool {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return false
	}
	_, err := runProgram(ctx, "systemctl", "cat", unit)
	return err == nil
}

// opened reports whether somebody listens on the socket and it is of the group
// of a user: a Postfix that was removed and came back has another number for the
// same name. Who may not look takes it for right.
func opened(path, groupOf string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	} else if !errors.Is(err, fs.ErrPermission) {
		return false
	}
	st, err := os.Stat(path)
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	owner, err := user.Lookup(groupOf)
	sys, ok := st.Sys().(*syscall.Stat_t)
	return err != nil || !ok || strconv.FormatUint(uint64(sys.Gid), 10) == owner.Gid
}

// socketUnit is systemd's unit of our sockets.
type socketUnit struct {
	dropIn string // path of its drop-in
	run    postfix.Command
}

// open has systemd open one more socket, for a group. The sockets of a unit
// cannot be changed while its service runs. What fails is put back, with the
// sockets that were there.
func (u socketUnit) open(ctx context.Context, path, group string) (err error) {
	old, rerr := os.ReadFile(u.dropIn)
	existed := rerr == nil
	if !existed && !errors.Is(rerr, fs.ErrNotExist) {
		return rerr
	}
	if err := os.MkdirAll(filepath.Dir(u.dropIn), 0o755); err != nil {
		return err
	}
	if err := wholefile.Replace(u.dropIn, []byte(addSocket(string(old), path, group)), 0o644); err != nil {
		return err
	}
	if err = u.restart(ctx); err == nil {
		return nil
	}
	back := context.WithoutCancel(ctx)
	if existed {
		rerr = wholefile.Replace(u.dropIn, old, 0o644)
	} else {
		rerr = os.Remove(u.dropIn)
	}
	if rerr == nil {
		rerr = u.restart(back)
	}
	if rerr == nil {
		_, rerr = u.run(back, "systemctl", "start", unitName)
	}
	if rerr != nil {
		return fail("journalctl -u "+mta.SocketUnit+" says more", "%w; and putting %s back failed: %w", err, u.dropIn, rerr)
	}
	return fail("journalctl -u "+mta.SocketUnit+" says more; "+u.dropIn+" is as it was", "%w", err)
}

func (u socketUnit) restart(ctx context.Context) error {
	for _, args := range [][]string{{"daemon-reload"}, {"stop", unitName}, {"enable", mta.SocketUnit}, {"restart", mta.SocketUnit}} {
		if _, err := u.run(ctx, "systemctl", args...); err != nil {
			return err
		}
	}
	return nil
}

// addSocket is a drop-in with one more socket, and with those of other Postfix
// instances. The package's own is packaging/systemd/postfix.conf, which says why
// there is no SocketGroup=.
func addSocket(text, path, group string) string {
	dir := filepath.Dir(path)
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		last := ""
		if len(words) > 0 {
			last = words[len(words)-1]
		}
		// The last one is what earlier versions wrote.
		if last == "ListenStream="+path || strings.HasPrefix(line, "ExecStartPre=") && last == dir || strings.HasPrefix(line, "ExecStartPost=") && last == path {
			continue
		}
		b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	if !strings.Contains(b.String(), "[Socket]") {
		b.WriteString("# Written by `sealmilter setup postfix`: the socket where Postfix sees it.\n[Socket]\n")
	}
	b.WriteString("ListenStream=" + path + "\nExecStartPre=-/usr/bin/install -d -o root -g " + group + " -m 2750 " + dir + "\n")
	return b.String()
}
