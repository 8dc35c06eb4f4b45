package setup

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

const evil = "x\x1b]0;gotcha\a\nok: forged\rok: forged\u202e\u009b1m\u200b\xff"

func clean(t *testing.T, out string) {
	t.Helper()
	if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || strings.Contains(out, "\nok: forged") {
		t.Errorf("raw: %q", out)
	}
	if !strings.Contains(out, "forged") {
		t.Errorf("not shown: %q", out)
	}
}

// Whatever set-up is told by others makes no line of its own.
func TestTalk(t *testing.T) {
	var out strings.Builder
	talk := Talk{Out: &out, Err: &out, Yes: true}
	talk.say("%s: %v", evil, errors.New(evil))
	talk.ok("%s", evil)
	talk.warn("%s", errors.New(evil))
	talk.wrong(evil, evil)
	if yes, err := talk.ask(t.Context(), evil); !yes || err != nil {
		t.Error(yes, err)
	}
	talk.section(evil)
	clean(t, out.String())
	if n := strings.Count(out.String(), "\n"); n != 8 {
		t.Errorf("%d lines: %q", n, out.String())
	}
	out.Reset()
	talk.block("-old " + strings.ReplaceAll(evil, "\n", " ") + "\n+new\n")
	if clean(t, out.String()); strings.Count(out.String(), "\n") != 2 {
		t.Errorf("lines: %q", out.String())
	}
}

// A milter that is somebody else's answers the self-test with such a text.
func TestHostileReplyInSelfTest(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be the MTA's user")
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "m.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		frame := func(code byte, data string) {
			n := len(data) + 1
			io.WriteString(c, string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), code})+data)
		}
		head := make([]byte, 5)
		for {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			n := int(head[2])<<8 | int(head[3])
			if _, err := io.CopyN(io.Discard, c, int64(n-1)); err != nil {
				return
			}
			switch head[4] {
			case 'O':
				frame('O', "\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00")
			case 'D':
			case 'E':
				frame('y', "550 5.7.1 "+evil+"\x00")
			default:
				frame('c', "")
			}
		}
	}()
	cfg, dir := configWithKeys(t)
	if _, err := keys.Generate(dir, "example.com", keys.GenerateOptions{}); err != nil {
		t.Fatal(err)
	}
	store, problems := assemble.Keys(cfg, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	mta := mtaSide{user: "root", dir: "/", network: "unix", address: l.Addr().String()}
	err = selfTestOnce(t.Context(), mta, store, []string{"example.com"})
	if err == nil || !strings.Contains(err.Error(), "550") {
		t.Fatalf("the self-test passes, or does not run: %v", err)
	}
	// As the command ends.
	var out strings.Builder
	problem.PrintError(&out, fail("", "%w", err), evil)
	Talk{Out: &out, Err: &out}.warn("not tried over SMTP: %s", err)
	clean(t, out.String())
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines: %q", n, out.String())
	}
}

// The daemon's user chooses the names in the key folder.
func TestHostileNamesInTheKeyFolder(t *testing.T) {
	cfg, dir := configWithKeys(t)
	folder := filepath.Join(dir, "example.com")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, evil+".pem"), []byte("no key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := Common{Talk: Talk{Out: &out, Err: &out}, Domains: []string{"example.com"}}
	if _, err := c.makeKeys(t.Context(), cfg); err != nil {
		problem.PrintError(&out, err, problem.Hint(err))
	}
	clean(t, out.String())
	for line := range strings.Lines(out.String()) {
		if word, _, _ := strings.Cut(line, ": "); word != "ok" && word != "error" && word != "warning" && word != "hint" {
			t.Errorf("no line of ours: %q", line)
		}
	}
}

func configWithKeys(t *testing.T) (cfg *config.Config, dir string) {
	t.Helper()
	dir = t.TempDir()
	os.Chmod(dir, 0o700)
	text := "authserv_id: mx.example.com\nsign:\n  keys: " + dir + "\n  domains: [example.com]\n"
	cfg, problems := config.Parse("milter.yaml", []byte(text))
	if cfg == nil {
		t.Fatal(problems)
	}
	return cfg, dir
}

// TestAsking: an answer, nobody there, and somebody who presses Ctrl-C: that does not
// wait for Enter, and is no "no".
func TestAsking(t *testing.T) {
	for in, want := range map[string]bool{"y\n": true, " YES \n": true, "\n": false, "n\n": false, "": false} {
		talk := Talk{Out: io.Discard, In: bufio.NewReader(strings.NewReader(in))}
		if yes, err := talk.ask(t.Context(), "really"); yes != want || err != nil {
			t.Errorf("%q: %v %v", in, yes, err)
		}
	}
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	talk := Talk{Out: writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "[y/N]") {
			close(asked)
		}
		return len(p), nil
	}), In: bufio.NewReader(r)}
	go func() { <-asked; cancel() }()
	if yes, err := talk.ask(ctx, "really"); yes || !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v %v", yes, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestInterrupted: what was changed and what stays is said, and what could not be put
// back is worse than the interruption.
func TestInterrupted(t *testing.T) {
	c := &Common{}
	c.Begin()
	if err := c.Interrupted(errors.New("context canceled")); err.Error() != "interrupted" || problem.Hint(err) != "nothing was changed" {
		t.Errorf("%v: %s", err, problem.Hint(err))
	}
	c.done.keep("keys of example.com in /k")
	c.done.keep("/etc/sealmilter/milter.yaml")
	err := c.Interrupted(errors.New("context canceled"))
	if hint := problem.Hint(err); err.Error() != "interrupted" || !strings.Contains(hint, "files are as they were. Made and kept: keys of example.com in /k; /etc/sealmilter/milter.yaml.") {
		t.Errorf("%v: %s", err, hint)
	}
	wired := fail("main.cf and master.cf are as they were", "%w", errInterrupted)
	if hint := problem.Hint(c.Interrupted(wired)); !strings.HasPrefix(hint, "main.cf and master.cf are as they were. Made and kept: keys of") {
		t.Error(hint)
	}
	bad := fail("do this", "%w; and putting back failed: %w", errInterrupted, notBack{errors.New("no space left")})
	if err := c.Interrupted(bad); err != bad || problem.Hint(err) != "do this" {
		t.Errorf("%v: %s", err, problem.Hint(err))
	}
	(*ledger)(nil).keep("of a set-up that nobody can interrupt")
}

// TestWaiting: a step that takes long is named, once, to somebody at a terminal only.
func TestWaiting(t *testing.T) {
	rings := make(chan time.Time)
	asked := make(chan time.Duration, 1)
	var errs strings.Builder
	talk := Talk{Err: &errs, In: bufio.NewReader(strings.NewReader("")), After: func(d time.Duration) <-chan time.Time { asked <- d; return rings }}
	talk.waiting("quick")()
	if errs.String() != "" {
		t.Errorf("a quick step: %q", errs.String())
	}
	select { // the goroutine may have asked before it ended
	case <-asked:
	default:
	}
	stop := talk.waiting("slow " + evil)
	if d := <-asked; d != time.Second {
		t.Errorf("after %v", d)
	}
	rings <- time.Time{}
	stop()
	if clean(t, errs.String()); !strings.HasPrefix(errs.String(), "... slow x") || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%q", errs.String())
	}
	errs.Reset()
	talk.In = nil
	talk.waiting("nobody is there")()
	if errs.String() != "" {
		t.Errorf("%q", errs.String())
	}
}
