//go:build e2e

package nameservers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/publisher"
)

const knotConf = `server:
    rundir: "%[1]s"
    listen: 127.0.0.1@%[2]d
database:
    storage: "%[1]s"
key:
  - id: up
    algorithm: hmac-sha256
    secret: %[3]s
acl:
  - id: keys
    key: up
    action: update
    update-type: TXT
    update-owner: name
    update-owner-match: sub
    update-owner-name: _domainkey.example.com.
zone:
  - domain: example.com
    storage: "%[1]s"
    file: example.com.zone
    acl: keys
`

// TestKnot: another server, whose codes for what it refuses differ.
func TestKnot(t *testing.T) {
	need(t, "knotd")
	dir := t.TempDir()
	l := &lab{port: freePort(t), primary: &named{dir: dir}}
	secret := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	write(t, filepath.Join(dir, "example.com.zone"), zones["example.com"])
	write(t, filepath.Join(dir, "knot.conf"), fmt.Sprintf(knotConf, dir, l.port, secret))
	key := func(name, secret string) string {
		path := filepath.Join(t.TempDir(), "key")
		write(t, path, "hmac-sha256:"+name+":"+secret)
		return path
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(copyOf(t, dir, "knotd"), "-c", filepath.Join(dir, "knot.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text)
		}
	})
	l.ready(t, primaryIP)

	for _, c := range []publisher.Change{
		{Name: name, Value: "one", TTL: 60},
		{Name: name, Value: "one", TTL: 60},
		{Name: name, Value: strings.Repeat("two", 200), TTL: 3600},
		{Name: name, Remove: true},
		{Name: name, Remove: true},
	} {
		p := l.publisher(t, func(cfg *publisher.Config2136) { cfg.TSIGFile = key("up", secret) })
		if err := p.Publish(t.Context(), c); err != nil {
			t.Fatal(err, problem.Hint(err))
		}
		if got := l.txt(t, primaryIP, name); got != c.Value+"|" && !(c.Remove && got == "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for title, tc := range map[string]struct {
		key, name, want string
		now             time.Duration
	}{
		"other secret": {key: key("up", base64.StdEncoding.EncodeToString([]byte("fedcba9876543210"))), want: "another secret for key up"},
		"unknown key":  {key: key("nobody", secret), want: "no key nobody"},
		"outside":      {name: "www.example.com", want: "refuses key up"},
		"elsewhere":    {name: "s1._domainkey.example.org", want: "does not have its zone"},
		"delegated":    {name: "s1.away._domainkey.example.com", want: "does not have its zone"},
		"alias":        {name: "cust._domainkey.example.com", want: "is an alias (CNAME) of cust.dkim.example.com"},
		"clock":        {now: time.Hour, want: "our clock and its clock differ"},
	} {
		t.Run(title, func(t *testing.T) {
			p := l.publisher(t, func(cfg *publisher.Config2136) {
				if cfg.TSIGFile = tc.key; tc.key == "" {
					cfg.TSIGFile = key("up", secret)
				}
				cfg.Now = func() time.Time { return time.Now().Add(tc.now) }
			})
			c := publisher.Change{Name: name, Value: "new", TTL: 60}
			if tc.name != "" {
				c.Name = tc.name
			}
			err := p.Publish(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), tc.want) || problem.Hint(err) == "" || errors.Is(err, publisher.ErrLater) != (tc.now != 0) {
				t.Errorf("%v, hint %q, want %q", err, problem.Hint(err), tc.want)
			}
		})
	}
}
