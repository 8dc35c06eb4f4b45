package setup

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/wholefile"
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
		if !c.listens && reloaded(ctx, c.path) {
			return nil
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

// reloaded has the running daemon take the configuration up. Keys of other domains
// that it cannot use are not for set-up to mend.
func reloaded(ctx context.Context, path string) bool {
	cfg, _ := config.Load(path)
	if cfg == nil || cfg.Admin.Addr == "" {
		return false
	}
	r, err := admin.Client{Socket: cfg.Admin.Addr}.Reload(ctx)
	return err == nil && r.OK
}

// listenerOf is the process behind a unix socket, when it is one of ours; 0 when
// that cannot be told.
func listenerOf(e postfix.Endpoint) (pid int, err error) {
	network, address := "unix", e.Unix
	if e.TCP != "" {
		network, address = "tcp", e.TCP
	}
	c, err := net.DialTimeout(network, address, 10*time.Second) // a full backlog keeps one waiting
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

// putConfig puts milter.yaml in place, as a whole.
func putConfig(c *configPlan, done *ledger) error {
	if c.old == c.new && c.existed {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	if err := wholefile.Replace(c.path, []byte(c.new), 0o644); err != nil {
		return err
	}
	done.keep(c.path)
	return nil
}
