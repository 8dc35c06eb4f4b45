package db

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/service"
	"github.com/sealmilter/sealmilter/internal/sqldb/query"
	"github.com/sealmilter/sealmilter/milter/client"
)

// daemon is a whole one in this process, which asks its database when the test says so.
type daemon struct {
	t    *testing.T
	dir  string
	tick chan time.Time
	stop func()
}

func newDaemon(t *testing.T, dir string, s *server) *daemon {
	t.Helper()
	text := fmt.Sprintf(`authserv_id: mail.example.com
listen: unix:%[1]s/m
admin: unix:%[1]s/a
dns: {servers: ["127.0.0.1:53"]}
sign:
  keys: %[1]s/keys
  require_published: false
  domains_from: {driver: %[2]s, dsn_file: %[3]s, query: %[4]s}
`, dir, s.driver, s.Config.DSNFile, names)
	for _, sub := range []string{"keys", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "milter.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: dir, tick: make(chan time.Time)}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- service.Run(ctx, service.Options{
			Config: filepath.Join(dir, "milter.yaml"), State: filepath.Join(dir, "state"), Version: "test", Stderr: log, Signals: make(chan os.Signal),
			Notify: func(state string) {
				if state == "READY=1" {
					ready <- struct{}{}
				}
			},
			Now: time.Now,
			After: func(wait time.Duration) <-chan time.Time {
				if wait%time.Second != 0 { // the pauses of a database; all others are round
					return d.tick
				}
				return time.After(wait)
			},
		})
	}()
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		log.Close()
	}
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("%.20000s", text)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return d
}

// ask has it ask again, once the question before has ended.
func (d *daemon) ask() { d.tick <- time.Time{} }

func (d *daemon) signs(domain string) bool {
	d.t.Helper()
	s, err := client.Dial("unix", filepath.Join(d.dir, "m"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer s.Close()
	if err := s.Connect(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}); err != nil {
		d.t.Fatal(err)
	}
	a, err := s.Send(client.Message{MailFrom: "a@" + domain, RcptTo: []string{"b@example.net"}, QueueID: "4Q", Raw: "From: a@" + domain + "\n\nhello\n"})
	if err != nil || a.Code != 250 {
		d.t.Fatal(a, err)
	}
	return strings.Contains(a.Raw, "DKIM-Signature:")
}

// sees waits for a state of the daemon.
func (d *daemon) sees(what string, ok func(admin.Status) bool) {
	d.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s, err := admin.Client{Socket: filepath.Join(d.dir, "a")}.Status(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if ok(s) {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: %+v, %+v", what, s.DomainsFrom, s.Problems)
		}
	}
}

func wrong(text string) func(admin.Status) bool {
	return func(s admin.Status) bool {
		return s.DomainsFrom != nil && strings.Contains(s.DomainsFrom.Problem, text)
	}
}

func (d *daemon) signsSoon(domain string) {
	d.t.Helper()
	d.sees("keys of "+domain, func(s admin.Status) bool {
		for _, k := range s.Keys {
			if k.Domain == domain && k.Signs {
				return true
			}
		}
		return false
	})
	if !d.signs(domain) {
		d.t.Errorf("%s is not signed", domain)
	}
}

// TestDaemon: a row is all that a domain needs; the database killed, locked, emptied
// and halved takes no signature away and keeps no message waiting, nor does a restart
// without it.
func TestDaemon(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		dir, err := os.MkdirTemp("", "d")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		s.add("one.example", "two.example", "no name", nil)
		s.kill()
		d := newDaemon(t, dir, s) // a boot before the database
		if d.signs("one.example") {
			t.Error("signed for a domain that nobody gave")
		}
		d.sees("that it is down", func(st admin.Status) bool { return st.DomainsFrom != nil && st.DomainsFrom.Problem != "" })
		s.begin()
		d.ask()
		d.signsSoon("one.example")
		d.signsSoon("two.example")

		s.add("three.example")
		d.ask()
		d.signsSoon("three.example")

		unlock := s.lock()
		d.ask()
		for range 5 {
			if !d.signs("one.example") {
				t.Error("a locked table takes the signature away")
			}
		}
		unlock()
		s.do("DELETE FROM " + s.table() + " WHERE DomainName <> 'two.example'")
		d.ask()
		d.sees("less than half", wrong("gives 1 names, after 3"))
		s.do("DELETE FROM " + s.table())
		d.ask()
		d.sees("empty", wrong("gives no names, after 3"))
		s.kill()
		d.ask()
		d.sees("dead", func(st admin.Status) bool { return !wrong("gives")(st) && wrong("")(st) })
		d.stop()

		d = newDaemon(t, dir, s)
		for _, name := range []string{"one.example", "two.example", "three.example"} {
			if !d.signs(name) {
				t.Errorf("%s is not signed after a restart without the database", name)
			}
		}
		s.begin()
		s.add("one.example", "three.example")
		d.ask()
		d.sees("that one went", func(st admin.Status) bool { return st.DomainsFrom.Problem == "" && st.DomainsFrom.Names == 2 })
		d.signsSoon("one.example")
		for end := time.Now().Add(20 * time.Second); d.signs("two.example"); { // what is known is in use a moment later
			if time.Now().After(end) {
				t.Fatal("signed without a row")
			}
		}

		// A new password needs a new line in the file, no reload.
		if s.driver == query.MySQL {
			s.do("ALTER USER 'sealmilter'@'localhost' IDENTIFIED BY 'other'")
		} else {
			s.do("ALTER USER sealmilter PASSWORD 'other'")
		}
		d.ask()
		d.sees("the old password", func(st admin.Status) bool { return st.DomainsFrom.Problem != "" })
		text, err := os.ReadFile(s.Config.DSNFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.Config.DSNFile, []byte(strings.ReplaceAll(string(text), password, "other")), 0o600); err != nil {
			t.Fatal(err)
		}
		d.ask()
		d.sees("the new password", func(st admin.Status) bool { return st.DomainsFrom.Problem == "" })
	})
}
