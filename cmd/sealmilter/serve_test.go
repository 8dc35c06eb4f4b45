package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter/client"
)

// daemonRun is a serve in this process: its log is read piece by piece, so that
// a test waits for what is said and never for a time.
type daemonRun struct {
	t      *testing.T
	dir    string
	log    logLines
	cancel context.CancelFunc
	code   chan int
}

// logLines takes what is logged; far more than a test logs fits in.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// startServe runs `serve` on the configuration DIR/milter.yaml.
func startServe(t *testing.T, dir string, args ...string) *daemonRun {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemonRun{t: t, dir: dir, log: make(logLines, 10000), cancel: cancel, code: make(chan int, 1)}
	args = append([]string{"serve", "--config", filepath.Join(dir, "milter.yaml"), "--state", filepath.Join(dir, "state")}, args...)
	go func() {
		d.code <- run(ctx, args, io.Discard, d.log)
		close(d.code)
	}()
	t.Cleanup(func() { // a failed test must not leave it behind
		cancel()
		<-d.code
	})
	return d
}

// wait reads the log up to a line with text in it, and returns what it read.
func (d *daemonRun) wait(text string) string {
	d.t.Helper()
	var seen strings.Builder
	for {
		select {
		case line := <-d.log:
			seen.WriteString(line)
			if strings.Contains(line, text) {
				return seen.String()
			}
		case code := <-d.code:
			d.t.Fatalf("serve ended with %d before it said %q:\n%s", code, text, seen.String())
		}
	}
}

// stop ends the daemon and returns the rest of its log.
func (d *daemonRun) stop() string {
	d.t.Helper()
	d.cancel()
	if code := <-d.code; code != exitFine {
		d.t.Errorf("exit code %d", code)
	}
	var rest strings.Builder
	for len(d.log) > 0 {
		rest.WriteString(<-d.log)
	}
	return rest.String()
}

// reload writes the configuration anew and sends SIGHUP, as an administrator
// does.
func (d *daemonRun) reload(config string) {
	d.t.Helper()
	writeConfig(d.t, d.dir, config)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
}

// sign submits a message of example.com and returns it as it goes on.
func (d *daemonRun) sign(t *testing.T) string {
	t.Helper()
	s, err := client.Dial("unix", filepath.Join(d.dir, "milter.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Connect(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Send(client.Message{MailFrom: "a@example.com", RcptTo: []string{"b@example.net"}, QueueID: "4Q", Raw: "From: a@example.com\n\nhello\n"})
	if err != nil || a.Code != 250 {
		t.Fatal(a, err)
	}
	return a.Raw
}

func writeConfig(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "milter.yaml"), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goodConfig has a resolver that nobody asks.
const goodConfig = `authserv_id: mail.example.com
listen: unix:DIR/milter.sock
dns: {servers: ["127.0.0.1:53"]}
sign:
  keys: DIR/keys
  domains: [example.com]
`

// serveFolder has a key for example.com, and a folder for the last good copy.
func serveFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := keys.Generate(filepath.Join(dir, "keys"), "example.com", keys.GenerateOptions{Selector: "s1"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestServe: start, sign, two reloads, stop; then a bad configuration, which the
// last good one stands in for unless --strict is given. One after another: the
// signals reach every serve of this process.
func TestServe(t *testing.T) {
	dir := serveFolder(t)
	writeConfig(t, dir, goodConfig)
	d := startServe(t, dir)
	d.wait("msg=ready")
	if raw := d.sign(t); strings.Count(raw, "DKIM-Signature:") != 2 {
		t.Errorf("not signed:\n%s", raw)
	}
	d.wait("queue_id=4Q")

	// A bad configuration changes nothing.
	d.reload(goodConfig + "bogus: yes\n")
	if said := d.wait("reload failed"); !strings.Contains(said, `level=ERROR`) || !strings.Contains(said, "line=7") || !strings.Contains(said, "bogus") {
		t.Errorf("the reload did not say what is wrong:\n%s", said)
	}
	if raw := d.sign(t); strings.Count(raw, "DKIM-Signature:") != 2 {
		t.Errorf("not signed after a failed reload:\n%s", raw)
	}
	// A good one is in force at once, the connection of the next message on.
	d.reload(strings.Replace(goodConfig, "example.com]", "example.org]", 1))
	d.wait("msg=reloaded")
	if raw := d.sign(t); strings.Contains(raw, "DKIM-Signature:") {
		t.Errorf("signed for a domain that is listed no more:\n%s", raw)
	}
	d.reload(goodConfig)
	d.wait("msg=reloaded")
	if rest := d.stop(); !strings.Contains(rest, "msg=stopped") {
		t.Errorf("at the end:\n%s", rest)
	}
	if _, err := os.Stat(filepath.Join(dir, "milter.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}

	writeConfig(t, dir, goodConfig+"bogus: yes\n")
	d = startServe(t, dir)
	said := d.wait("msg=ready")
	if !strings.Contains(said, "bogus") || !strings.Contains(said, "running with the last configuration that worked") {
		t.Errorf("the fallback is not loud:\n%s", said)
	}
	if raw := d.sign(t); strings.Count(raw, "DKIM-Signature:") != 2 {
		t.Errorf("not signed with the last good configuration:\n%s", raw)
	}
	d.stop()

	var out strings.Builder
	args := []string{"serve", "--strict", "--config", filepath.Join(dir, "milter.yaml"), "--state", filepath.Join(dir, "state")}
	if code := run(context.Background(), args, io.Discard, &out); code != exitProblems || !strings.Contains(out.String(), "milter.yaml:7: ") {
		t.Errorf("--strict: exit code %d\n%s", code, out.String())
	}
	if good, err := os.ReadFile(filepath.Join(dir, "state", "last-good")); err != nil || strings.Contains(string(good), "bogus") {
		t.Errorf("the last good copy: %v\n%s", err, good)
	}
}

// The socket of a daemon that was killed is replaced, that of one that lives is not.
func TestServeSockets(t *testing.T) {
	dir := serveFolder(t)
	path := filepath.Join(dir, "milter.sock")
	writeConfig(t, dir, goodConfig+"socket: {mode: \"0600\"}\n")

	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	var out strings.Builder
	args := []string{"serve", "--config", filepath.Join(dir, "milter.yaml"), "--state", filepath.Join(dir, "state")}
	if code := run(context.Background(), args, io.Discard, &out); code != exitProblems || !strings.Contains(out.String(), "hint: ") {
		t.Errorf("beside a living daemon: exit code %d\n%s", code, out.String())
	}
	l.Close() // leaves the file, as kill -9 does

	d := startServe(t, dir)
	d.wait("msg=ready")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	d.sign(t)
	d.stop()
}

// A domain without a key is named at the start, and signs nothing.
func TestServeWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, goodConfig)
	d := startServe(t, dir)
	said := d.wait("msg=ready")
	if n := strings.Count(said, "sealmilter keys new example.com"); n != 1 {
		t.Errorf("the command that makes a key is named %d times:\n%s", n, said)
	}
	if want := fmt.Sprintf("install -d %s", filepath.Join(dir, "state")); !strings.Contains(said, want) {
		t.Errorf("without a folder for the last good copy, the log does not say %q:\n%s", want, said)
	}
	if raw := d.sign(t); strings.Contains(raw, "DKIM-Signature:") {
		t.Errorf("signed by whom?\n%s", raw)
	}
	d.stop()
}

// TestPeersOfASocket: with socket.peers the daemon serves root and those, and a
// name that this host does not have is refused before anything is opened.
func TestPeersOfASocket(t *testing.T) {
	dir := serveFolder(t)
	writeConfig(t, dir, goodConfig+"socket: {peers: [nobody]}\n")
	d := startServe(t, dir)
	d.wait("msg=ready")
	d.sign(t) // we are root, or the daemon's own user
	d.stop()

	writeConfig(t, dir, goodConfig+"socket: {peers: [no-such-user]}\n")
	cfg := filepath.Join(dir, "milter.yaml")
	for _, args := range [][]string{{"serve", "--config", cfg, "--state", filepath.Join(dir, "state")}, {"check", cfg}} {
		code, _, errOut := command(args...)
		if code != exitProblems || !strings.Contains(errOut, "socket.peers: user: unknown user no-such-user") || !strings.Contains(errOut, "hint: name users of this host") {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestMetricsListenerIsBounded: idle connections, more than there are places,
// neither hold more descriptors than those nor keep the next scrape away once they go.
func TestMetricsListenerIsBounded(t *testing.T) {
	dir := serveFolder(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().String()
	l.Close()
	writeConfig(t, dir, goodConfig+"metrics: {listen: \""+port+"\"}\n")
	d := startServe(t, dir)
	d.wait("msg=ready")
	before := descriptors(t)
	var idle []net.Conn
	for range 8 * socket.MaxObservers {
		c, err := net.Dial("tcp", port)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	d.sign(t)
	// Both ends are in this process. A few more are the DNS's and the milter's.
	if more := descriptors(t) - before - len(idle); more > 2*socket.MaxObservers {
		t.Errorf("%d descriptors more than the clients' own", more)
	}
	for _, c := range idle {
		c.Close()
	}
	resp, err := http.Get("http://" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("%d, connection stays open: %v", resp.StatusCode, !resp.Close)
	}
	d.stop()
}
