package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// maxAnswer bounds what is read of an answer: whoever runs code as the daemon's
// user can answer in its place.
const maxAnswer = 64 << 20

// Client asks a running daemon. Its errors are problem.Error.
type Client struct {
	Socket string // path of the admin socket
}

// Status asks how the daemon is.
func (c Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.ask(ctx, http.MethodGet, "/status", &s)
}

// Reload has the daemon read its files again.
func (c Client) Reload(ctx context.Context) (Reload, error) {
	var r Reload
	return r, c.ask(ctx, http.MethodPost, "/reload", &r)
}

// User is the one that the daemon runs as: who listens on the socket.
func (c Client) User() (uid, gid int, err error) {
	conn, err := net.DialTimeout("unix", c.Socket, 5*time.Second)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, 0, errors.ErrUnsupported
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil {
		return 0, 0, cerr
	}
	if err != nil {
		return 0, 0, err
	}
	return int(cred.Uid), int(cred.Gid), nil
}

func (c Client) ask(ctx context.Context, method, path string, out any) error {
	client := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", c.Socket)
		}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://sealmilter"+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return problem.Fail("run it as root (sudo)", "the admin socket %s refuses us", c.Socket)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return problem.Fail("systemctl status sealmilter; or name its configuration with --config", "no daemon listens at %s", c.Socket)
	case err != nil:
		return problem.Fail("", "%w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	if err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return problem.Fail("", "the daemon's answer: %w", err)
	}
	return nil
}
