package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/observe"
	"github.com/sealmilter/sealmilter/internal/secondopinion"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/milter"
	"github.com/sealmilter/sealmilter/milter/client"
)

var update = flag.Bool("update", false, "write what came out into the cases of testdata/cases, then read the diff")

// TestCases runs whole messages through the daemon as serve wires it: each file
// of testdata/cases is a configuration, a DNS, a session, a message and what
// shall come of it. testdata/cases/README has the form.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c := readCase(t, file)
			got := c.run(t)
			if *update {
				c.write(t, got)
				return
			}
			if want := c.file("want"); !matches(want, got) {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", c.comment(), got, want)
			}
		})
	}
}

// wholeCase is one file of testdata/cases.
type wholeCase struct {
	path    string
	archive *txtar.Archive
	script  *script
	log     lockedBuffer
}

func readCase(t *testing.T, path string) *wholeCase {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &wholeCase{path: path, archive: a}
	for _, f := range a.Files {
		if !slices.Contains([]string{"milter.yaml", "zone", "session", "message", "want"}, f.Name) && !strings.HasPrefix(f.Name, "keys/") {
			t.Fatalf("unknown file %q", f.Name)
		}
	}
	if c.comment() == "" || c.file("message") == "" {
		t.Fatal("a case says what it is about, and has a message")
	}
	c.script = parseScript(t, c.file("session"))
	return c
}

func (c *wholeCase) comment() string { return strings.TrimSpace(string(c.archive.Comment)) }

func (c *wholeCase) file(name string) string {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// run plays the session and shows what came of it, in the form of want.
func (c *wholeCase) run(t *testing.T) string {
	dir := t.TempDir()
	cfg, problems := config.Parse("milter.yaml", []byte(c.file("milter.yaml")))
	if cfg == nil {
		t.Fatal(problems)
	}
	cfg.Sign.Keys = filepath.Join(dir, "keys")
	c.putKeys(t, cfg)
	store, _ := assemble.Keys(cfg, nil)
	zone, err := resolve.ParseZone(sender(t).records(c.file("zone")))
	if err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "s")
	l, err := socket.Listen("unix", path, socket.Options{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&c.log, nil))
	set := assemble.Setup(cfg, assemble.Parts{Keys: store, Resolver: zone, Log: log, Observer: observe.NewLog(log)})
	server := assemble.Server(cfg)
	server.Log = log
	srv := milter.NewServer(server, set)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(milter.Listener{Listener: l}) }()
	defer func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	s, err := client.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Connect(c.script.peer); err != nil {
		t.Fatal(err)
	}
	m := c.script.message
	m.QueueID = "4QcASE"
	m.Raw = sender(t).sign(t, strings.ReplaceAll(c.file("message"), "\n", "\r\n"), c.script.signatures)
	answer, err := s.Send(m)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(answer.Raw, "DKIM-Signature:") && !strings.HasPrefix(m.Raw, "DKIM-Signature:") {
		for _, d := range store.Domains() {
			active, _, _ := store.Pick(d)
			for _, k := range active {
				if err := secondopinion.Prove([]byte(answer.Raw), k.Domain, k.Selector, publish.Record(k)); err != nil {
					t.Errorf("what we signed does not verify: %v", err)
				}
			}
		}
	}
	return c.show(t, m.Raw, answer)
}

// putKeys gives every listed domain the two keys of testdata/cases, unless the
// case brings its own or says that there are none.
func (c *wholeCase) putKeys(t *testing.T, cfg *config.Config) {
	put := func(domain, name string, data []byte) {
		dir := filepath.Join(cfg.Sign.Keys, domain)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := false
	for _, f := range c.archive.Files {
		if rest, ok := strings.CutPrefix(f.Name, "keys/"); ok {
			domain, name, _ := strings.Cut(rest, "/")
			put(domain, name, f.Data)
			own = true
		}
	}
	if own || c.script.noKeys {
		return
	}
	for _, d := range cfg.Sign.Domains {
		for name, file := range map[string]string{"s1.pem": "rsa.pem", "s1e.pem": "ed25519.pem"} {
			data, err := os.ReadFile(filepath.Join("testdata/cases", file))
			if err != nil {
				t.Fatal(err)
			}
			put(d.Name, name, data)
		}
	}
}

// show writes down the reply, the edits and the log lines that the case asks for.
func (c *wholeCase) show(t *testing.T, sent string, a client.Answer) string {
	var b strings.Builder
	word := strconv.Itoa(a.Code)
	if a.Discard {
		word = "discard"
	}
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(word+" "+a.Text))
	if a.Held != "" {
		fmt.Fprintf(&b, "held: %s\n", a.Held)
	}
	removed, inserted := edits(t, sent, a.Raw)
	for _, f := range removed {
		b.WriteString(prefixed("- ", f))
	}
	for _, f := range inserted {
		b.WriteString(prefixed("+ ", f))
	}
	for line := range strings.Lines(c.log.String()) {
		if at := strings.Index(line, "level="); at >= 0 {
			line = line[at:]
		}
		b.WriteString("log: " + duration.ReplaceAllString(line, " dur={*}"))
	}
	return b.String()
}

var duration = regexp.MustCompile(` dur=\S+`)

func prefixed(mark, field string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(field, "\r\n", "\n")) {
		b.WriteString(mark + line)
	}
	return b.String()
}

// edits finds what was taken out of the message and what was put on top, and
// that nothing else was touched.
func edits(t *testing.T, sent, got string) (removed, inserted []string) {
	before, bodyBefore := headerFields(sent)
	after, body := headerFields(got)
	if body != bodyBefore {
		t.Errorf("the body changed: %q, was %q", body, bodyBefore)
	}
	for n := 0; n <= len(after); n++ { // the fewest insertions that explain it
		if gone, ok := subsequence(after[n:], before); ok {
			return gone, after[:n]
		}
	}
	t.Errorf("edits other than deletions and insertions at the top: %q, was %q", after, before)
	return nil, nil
}

// subsequence returns what is missing of whole in part.
func subsequence(part, whole []string) (gone []string, ok bool) {
	for _, f := range whole {
		if len(part) > 0 && part[0] == f {
			part = part[1:]
			continue
		}
		gone = append(gone, f)
	}
	return gone, len(part) == 0
}

// headerFields cuts a message with CRLF line ends into its fields and body.
func headerFields(raw string) (fields []string, body string) {
	for line := range strings.Lines(raw) {
		raw = raw[len(line):]
		if line == "\r\n" {
			break
		}
		if n := len(fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			fields[n-1] += line
		} else {
			fields = append(fields, line)
		}
	}
	return fields, raw
}

// matches compares with {*} standing for anything within a line. A line
// "log: ..." must be found in one of the log's lines; all others must be as
// they are.
func matches(want, got string) bool {
	var rest, logs strings.Builder
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "log: ") {
			logs.WriteString(line)
		} else {
			rest.WriteString(line)
		}
	}
	var pattern strings.Builder
	for line := range strings.Lines(want) {
		p := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSuffix(line, "\n")), `\{\*\}`, ".*")
		if text, ok := strings.CutPrefix(p, "log: "); ok {
			if found, err := regexp.MatchString(`(?m)^log: .*`+text, logs.String()); err != nil || !found {
				return false
			}
			continue
		}
		pattern.WriteString(p + "\n")
	}
	ok, err := regexp.MatchString("^"+pattern.String()+"$", rest.String())
	return ok && err == nil
}

// The parts of a DKIM-Signature of ours that time changes. bh= and h= stay.
var (
	madeNow   = regexp.MustCompile(`\bt=\d+`)
	signature = regexp.MustCompile(`\bb=[^;]*$`)
)

// write replaces want by what came out. Log lines stay as somebody chose them.
func (c *wholeCase) write(t *testing.T, got string) {
	var logs []string
	for line := range strings.Lines(c.file("want")) {
		if strings.HasPrefix(line, "log: ") {
			logs = append(logs, line)
		}
	}
	var b strings.Builder
	inSignature, inB := false, false
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "log: ") {
			continue
		}
		switch {
		case strings.HasPrefix(line, "+ DKIM-Signature:"):
			inSignature, inB = true, false
		case !strings.HasPrefix(line, "+ \t") && !strings.HasPrefix(line, "+  "):
			inSignature = false
		}
		if inSignature {
			line = madeNow.ReplaceAllString(line, "t={*}")
			if inB {
				line = "+  {*}\n"
			} else if at := signature.FindStringIndex(strings.TrimSuffix(line, "\n")); at != nil {
				line, inB = line[:at[0]]+"b={*}\n", true
			}
		}
		b.WriteString(line)
	}
	want := txtar.File{Name: "want", Data: []byte(b.String() + strings.Join(logs, ""))}
	if i := slices.IndexFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == "want" }); i >= 0 {
		c.archive.Files[i] = want
	} else {
		c.archive.Files = append(c.archive.Files, want)
	}
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// script is the session of a case.
type script struct {
	peer       client.Peer
	message    client.Message
	signatures []string // tags of the signatures that the sender puts on, first one first
	noKeys     bool
}

func parseScript(t *testing.T, text string) *script {
	t.Helper()
	s := &script{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "":
			continue
		case "ip":
			if value != "" { // none: a unix socket
				s.peer.IP, err = netip.ParseAddr(value)
			}
		case "port":
			_, err = fmt.Sscan(value, &s.peer.Port)
		case "name":
			s.peer.Name = value
		case "helo":
			s.peer.Helo = value
		case "daemon":
			s.peer.Daemon = value
		case "auth":
			s.message.AuthUser = value
		case "mail_from":
			s.message.MailFrom = value
		case "rcpt":
			s.message.RcptTo = append(s.message.RcptTo, value)
		case "signature":
			s.signatures = append(s.signatures, value)
		case "keys":
			s.noKeys = value == "none"
		default:
			ok = false
		}
		if !ok || err != nil {
			t.Fatalf("session: %q: %v", line, err)
		}
	}
	return s
}

// lockedBuffer is the log of a daemon whose goroutines write at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
