package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter"
	"github.com/sealmilter/sealmilter/milter/client"
)

const config1 = `authserv_id: mail.example.com
listen: unix:DIR/milter.sock
admin: unix:DIR/admin.sock
dns: {servers: ["127.0.0.1:53"]}
sign:
  keys: DIR/keys
  domains: [example.com]
`

// daemon is a whole one in this process.
type daemon struct {
	t       *testing.T
	dir     string
	opt     Options
	log     lines
	signals chan os.Signal
	told    chan string
	end     chan error
}

// lines takes what is logged; far more than a test logs fits in.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func newDaemon(t *testing.T, text string) *daemon {
	t.Helper()
	dir := t.TempDir()
	if _, err := keys.Generate(filepath.Join(dir, "keys"), "example.com", keys.GenerateOptions{Selector: "s1"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: dir, log: make(lines, 10000), signals: make(chan os.Signal, 4), told: make(chan string, 100), end: make(chan error, 1)}
	d.write(text)
	d.opt = Options{
		Config: filepath.Join(dir, "milter.yaml"), State: filepath.Join(dir, "state"), Version: "test",
		Stderr: d.log, Signals: d.signals, Notify: func(s string) { d.told <- s }, Now: time.Now, After: time.After,
	}
	return d
}

func (d *daemon) write(text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "milter.yaml"), []byte(strings.ReplaceAll(text, "DIR", d.dir)), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) start() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { d.end <- Run(ctx, d.opt); close(ended) }()
	d.t.Cleanup(func() { cancel(); <-ended })
	d.wait("msg=ready")
}

// wait reads the log up to a line with text in it.
func (d *daemon) wait(text string) string {
	d.t.Helper()
	var seen strings.Builder
	for {
		select {
		case line := <-d.log:
			seen.WriteString(line)
			if strings.Contains(line, text) {
				return seen.String()
			}
		case err := <-d.end:
			d.t.Fatalf("it ended with %v before it said %q:\n%s", err, text, seen.String())
		}
	}
}

func (d *daemon) session() *client.Session {
	d.t.Helper()
	s, err := client.Dial("unix", filepath.Join(d.dir, "milter.sock"))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := s.Connect(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// signs reports whether a message of example.com is signed.
func (d *daemon) signs() bool {
	d.t.Helper()
	s := d.session()
	defer s.Close()
	a, err := s.Send(client.Message{MailFrom: "a@example.com", RcptTo: []string{"b@example.net"}, QueueID: "4Q", Raw: "From: a@example.com\n\nhello\n"})
	if err != nil || a.Code != 250 {
		d.t.Fatal(a, err)
	}
	return strings.Contains(a.Raw, "DKIM-Signature:")
}

// TestWholeDaemon starts, reloads, drains and stops beside parts that behave badly:
// mail is served all the time.
func TestWholeDaemon(t *testing.T) {
	d := newDaemon(t, config1)
	hangs := make(chan struct{})
	defer close(hangs)
	reloads := 0
	d.opt.Extra = []Part{
		{Name: "panics", Run: func(context.Context) error { panic("at the start") }},
		{Name: "cannot start", Run: func(context.Context) error { return errors.New("no such thing") }},
		{Name: "hangs at stop", Run: func(context.Context) error { <-hangs; return nil }, Reload: func(*running) { reloads++ }},
	}
	d.start()
	if !d.signs() {
		t.Error("not signed")
	}
	d.wait("queue_id=4Q")

	a, err := admin.Client{Socket: filepath.Join(d.dir, "admin.sock")}.Status(t.Context())
	if err != nil || a.Version != "test" || len(a.Keys) != 2 || a.Counters["panics_total{service}"] < 1 {
		t.Errorf("%+v, %v", a, err)
	}

	d.write(config1 + "bogus: 1\n")
	d.signals <- syscall.SIGHUP
	d.wait("reload failed")
	if !d.signs() {
		t.Error("not signed after a failed reload")
	}
	d.write(strings.Replace(config1, "example.com]", "example.org]", 1))
	r, err := admin.Client{Socket: filepath.Join(d.dir, "admin.sock")}.Reload(t.Context())
	if err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
	if d.signs() {
		t.Error("signed for a domain that is listed no more")
	}
	d.signals <- syscall.SIGTERM
	if err := <-d.end; err != nil {
		t.Error(err)
	}
	d.end <- nil      // for the cleanup
	if reloads != 2 { // the start, and the one that was good
		t.Errorf("told of %d configurations", reloads)
	}
	var rest strings.Builder
	for len(d.log) > 0 {
		rest.WriteString(<-d.log)
	}
	if !strings.Contains(rest.String(), "part=\"hangs at stop\"") || !strings.Contains(rest.String(), "msg=stopped") {
		t.Errorf("at the end:\n%s", rest.String())
	}
	if _, err := os.Stat(filepath.Join(d.dir, "milter.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	want := []string{notifyReady, notifyReloading, notifyReady, notifyReloading, notifyReady, notifyStopping}
	for i, w := range want {
		if got := <-d.told; got != w {
			t.Errorf("systemd was told %s as number %d, want %s", got, i, w)
		}
	}
}

// TestReloadOfTheLevel: debug is in force at once.
func TestReloadOfTheLevel(t *testing.T) {
	d := newDaemon(t, config1+"log: {level: error}\n")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { d.end <- Run(ctx, d.opt) }()
	for <-d.told != notifyReady {
	}
	d.signs() // says nothing
	if n := len(d.log); n != 0 {
		t.Errorf("%d lines at level error: %s", n, <-d.log)
	}
	d.write(config1 + "log: {level: info}\n")
	d.signals <- syscall.SIGHUP
	d.wait("msg=reloaded")
	d.signs()
	d.wait("queue_id=4Q")
	cancel()
	if err := <-d.end; err != nil {
		t.Error(err)
	}
}

// TestSecondSignal: the first waits for a transaction in progress, the second does
// not.
func TestSecondSignal(t *testing.T) {
	d := newDaemon(t, config1)
	d.opt.After = newClock().after // no time passes
	d.start()
	c := openTransaction(t, d)
	d.signals <- syscall.SIGTERM
	d.wait("transactions in progress are finished first")
	select {
	case err := <-d.end:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	d.signals <- syscall.SIGHUP // changes nothing any more
	d.signals <- syscall.SIGINT
	if err := <-d.end; err != nil {
		t.Error(err)
	}
	d.end <- nil
	if err := c.Begin(client.Message{MailFrom: "a@example.com"}); err == nil {
		t.Error("the connection outlives the daemon")
	}
}

// TestSettle: with sockets that outlive it the daemon goes on accepting until the
// transactions of before have ended.
func TestSettle(t *testing.T) {
	d := newDaemon(t, config1)
	l, err := net.Listen("unix", filepath.Join(d.dir, "milter.sock"))
	if err != nil {
		t.Fatal(err)
	}
	d.opt.Sockets = []milter.Listener{{Listener: l}}
	clk := newClock()
	d.opt.After = clk.after
	d.start()
	open := openTransaction(t, d)
	d.signals <- syscall.SIGTERM
	d.wait("transactions in progress are finished first")
	if got := []time.Duration{<-clk.asked, <-clk.asked}; got[0] != drainFor || got[1] != settleFor {
		t.Errorf("patience %v", got)
	}
	if !d.signs() { // somebody who comes now
		t.Error("not signed while the daemon settles")
	}
	open.Close()
	if err := <-d.end; err != nil {
		t.Error(err)
	}
	d.end <- nil
	if got := <-clk.asked; got != drainInherited {
		t.Errorf("patience %v after settling", got)
	}
}

// TestWatchdog: systemd hears of a server that answers, at a third of its time.
func TestWatchdog(t *testing.T) {
	d := newDaemon(t, config1)
	clk := newClock()
	d.opt.After, d.opt.Watchdog = clk.after, 15*time.Second
	d.start()
	for range 3 {
		for s := range d.told {
			if s == notifyAlive {
				break
			}
		}
		if got := <-clk.asked; got != 5*time.Second {
			t.Errorf("asked every %v", got)
		}
		clk.ring <- time.Time{}
	}
	d.signals <- syscall.SIGTERM
	if err := <-d.end; err != nil {
		t.Error(err)
	}
	d.end <- nil
}

// openTransaction leaves a message half sent.
func openTransaction(t *testing.T, d *daemon) *client.Session {
	t.Helper()
	s := d.session()
	if err := s.Begin(client.Message{MailFrom: "a@example.com", RcptTo: []string{"b@example.net"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// hangingLog hangs at the line of a message, as a full pipe does.
type hangingLog struct {
	lines
	hung    chan struct{}
	release chan struct{}
}

func (h hangingLog) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "msg=message") {
		select {
		case h.hung <- struct{}{}:
		default:
		}
		<-h.release
	}
	return h.lines.Write(p)
}

// TestLogThatHangs: mail goes on, and its lines come when the log takes them.
func TestLogThatHangs(t *testing.T) {
	d := newDaemon(t, config1)
	h := hangingLog{d.log, make(chan struct{}, 1), make(chan struct{})}
	d.opt.Stderr = h
	d.start()
	for i := range 5 {
		if !d.signs() {
			t.Fatal("not signed")
		}
		if i == 0 {
			<-h.hung
		}
	}
	close(h.release)
	for range 5 {
		d.wait("msg=message")
	}
}

// TestWaitingIsSaid: keys that are there and cannot be used are not "no key": the mail
// waits, status and reload say so, and are not well.
func TestWaitingIsSaid(t *testing.T) {
	d := newDaemon(t, config1+"  # a comment\n")
	for _, name := range []string{"s1.pem", "s1e.pem"} {
		if err := os.Chmod(filepath.Join(d.dir, "keys/example.com", name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.write(strings.Replace(config1, "[example.com]", "[example.com, example.org]", 1))
	d.start()
	c := admin.Client{Socket: filepath.Join(d.dir, "admin.sock")}
	s, err := c.Status(t.Context())
	if err != nil || !slices.Equal(s.Waiting, []string{"example.com"}) || !slices.Equal(s.Keyless, []string{"example.org"}) || s.Healthy() {
		t.Errorf("%+v, %v", s, err)
	}
	r, err := c.Reload(t.Context())
	if err != nil || !r.OK || !slices.Equal(r.Waiting, []string{"example.com"}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, name := range []string{"s1.pem", "s1e.pem"} {
		if err := os.Chmod(filepath.Join(d.dir, "keys/example.com", name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = c.Reload(t.Context()); err != nil || !r.OK || len(r.Waiting) != 0 {
		t.Errorf("mended: %+v, %v", r, err)
	}
	if s, err = c.Status(t.Context()); err != nil || !s.Healthy() {
		t.Errorf("mended: %+v, %v", s, err)
	}
	if uid, gid, err := c.User(); err != nil || uid != os.Geteuid() || gid != os.Getegid() {
		t.Errorf("user %d, group %d, %v", uid, gid, err)
	}
}
