package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/sealmilter/sealmilter/internal/setup" // so that a result is not kept when it changes: the program is built aside
	"github.com/sealmilter/sealmilter/test/daemon"
)

// mailOwner is a user that every system has.
const mailOwner = "daemon"

// lab is an instance of the fake, not the one that it was compiled for, and a
// daemon beside it.
type lab struct {
	t      *testing.T
	dir    string // of everything
	etc    string // of main.cf
	config string // milter.yaml
	port   string
	binary string
	before string // main.cf and master.cf
}

// built are sealmilter and this program, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "oldpostfix-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	made, err := daemon.Build(dir, false)
	if err != nil {
		return "", err
	}
	if inside := filepath.Join(dir, "sealmilter"); made != inside {
		if err := os.Symlink(made, inside); err != nil {
			return "", err
		}
	}
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "oldpostfix"), ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Geteuid() == 0 {
		if dir, err := built(); err == nil {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

// newLab starts a Postfix of a version and the daemon; more is for main.cf.
func newLab(t *testing.T, mailVersion, more string) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: set-up changes users")
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "oldpostfix-lab-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	l := &lab{t: t, dir: dir, etc: filepath.Join(dir, "etc"), binary: filepath.Join(bin, "sealmilter"), port: addr}
	queue := filepath.Join(dir, "queue")
	sockets := filepath.Join(queue, "sealmilter")
	l.config = filepath.Join(sockets, "milter.yaml")
	for _, d := range []string{dir, l.etc, filepath.Join(dir, "bin"), filepath.Join(dir, "default-instance"), queue, sockets} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	fake := func(program string) string {
		return fmt.Sprintf("#!/bin/sh\nexec %s -version %s -lab %s %s \"$@\"\n", filepath.Join(bin, "oldpostfix"), mailVersion, dir, program)
	}
	for _, p := range []string{"postconf", "postfix", "sendmail"} {
		l.write(filepath.Join("bin", p), fake(p))
		if err := os.Chmod(filepath.Join(dir, "bin", p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	main := fmt.Sprintf("queue_directory = %s\nmail_owner = %s\nsendmail_path = %s\nmyhostname = mail.example.com\nmyorigin = example.com\n", queue, mailOwner, filepath.Join(dir, "bin", "sendmail"))
	l.write("etc/main.cf", main+more)
	l.write("etc/master.cf", addr+" inet n - n - - smtpd\npickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n")
	l.write("default-instance/main.cf", main)
	l.write("calls", "")
	l.before = l.files()

	for _, k := range []string{"keys", "keys/all", "queue/sealmilter/state"} {
		if err := os.Mkdir(filepath.Join(dir, k), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d, err := daemon.Start(daemon.Options{Binary: l.binary, Dir: sockets, DNS: "127.0.0.1:9", AuthservID: "mail.example.com",
		More: "sign:\n  keys: " + filepath.Join(dir, "keys", "all") + "\n  domains: []\nsocket: {group: " + mailOwner + "}\n"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil || t.Failed() {
			t.Logf("%v, calls:\n%s\nthe daemon's log:\n%s", err, l.calls(), d.Log())
		}
	})
	master := exec.Command(filepath.Join(bin, "oldpostfix"), "-version", mailVersion, "-lab", dir, "master", "-c", l.etc, "-l", addr)
	master.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Process.Kill(); master.Wait() })
	l.until("the master serves", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return l
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) read(name string) string {
	data, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(data)
}

func (l *lab) files() string { return l.read("etc/main.cf") + l.read("etc/master.cf") }
func (l *lab) calls() string { return l.read("calls") }

// until waits for another process.
func (l *lab) until(what string, ok func() bool) {
	l.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("not within a minute: %s; calls:\n%s", what, l.calls())
		}
	}
}

// start runs `setup postfix` with nobody at the terminal.
func (l *lab) start(args ...string) (*exec.Cmd, *bytes.Buffer) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	l.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, l.binary, append([]string{"setup", "postfix", "--config", l.config, "--postfix-config", l.etc}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(l.dir, "bin")+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	return cmd, &out
}

func (l *lab) setup(args ...string) (string, error) {
	l.t.Helper()
	cmd, out := l.start(args...)
	err := cmd.Wait()
	return out.String(), err
}

func (l *lab) must(args ...string) string {
	l.t.Helper()
	out, err := l.setup(args...)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func (l *lab) want(text string, parts ...string) {
	l.t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			l.t.Errorf("no %q in\n%s", p, text)
		}
	}
}

func (l *lab) asBefore() {
	l.t.Helper()
	if now := l.files(); now != l.before {
		l.t.Errorf("main.cf and master.cf are not as before:\n%s", now)
	}
	if _, err := os.Stat(filepath.Join(l.etc, "sealmilter-undo")); err == nil {
		l.t.Error("a record stays")
	}
}

// TestSetupBehindOldPostfix: 2.10.1 hides the topmost signature from the witness;
// set-up sees the rest, and says what it did not see. And undo is exact.
func TestSetupBehindOldPostfix(t *testing.T) {
	l := newLab(t, "2.10.1", "")
	out := l.must("--domain", "example.com")
	l.want(out, "Postfix 2.10.1 hides the first header field", "by the sendmail command, another by SMTP", "was seen through the socket only")
	l.want(l.files(), "\nsmtpd_milters = unix:sealmilter/milter.sock\n")
	if strings.Contains(l.files(), "witness") || strings.Contains(l.files(), "milter_default_action") { // tempfail is Postfix's own
		t.Errorf("the proof's lines stay:\n%s", l.files())
	}
	if err := smtp.SendMail(l.port, nil, "kim@example.com", []string{"a@remote.example"}, []byte("From: kim@example.com\r\nSubject: hi\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	calls := l.calls()
	if n := strings.Count(calls[strings.LastIndex(calls, "\npassed "):], "DKIM-Signature:"); n != 2 {
		t.Errorf("%d signatures after set-up", n)
	}
	if out := l.must("--domain", "example.com"); !strings.Contains(out, "as they should be already") {
		t.Errorf("a second set-up: %s", out)
	}
	l.must("--undo")
	l.asBefore()
}

// TestSetupRefusesWhatItCannotProve: where Received is dropped 2.10.1 hides From,
// so that nothing is signed.
func TestSetupRefusesWhatItCannotProve(t *testing.T) {
	l := newLab(t, "2.10.1", "header_checks = regexp:/etc/postfix/no_received\n")
	out, err := l.setup("--domain", "example.com")
	if err == nil {
		t.Errorf("it went through:\n%s", out)
	}
	l.want(out, "may have dropped the Received", "main.cf and master.cf are as they were")
	l.asBefore()
}

// TestSetupAsksForTheOtherMilters: before 3.0 they share the default action with us
// while set-up proves itself.
func TestSetupAsksForTheOtherMilters(t *testing.T) {
	l := newLab(t, "2.10.1", "smtpd_milters = unix:sealmilter/virus.sock\n")
	out, err := l.setup("--domain", "example.com")
	if err == nil {
		t.Errorf("nobody was asked:\n%s", out)
	}
	l.want(out, "milter_default_action is accept (now tempfail)", "nothing was changed")
	l.asBefore()
	out = l.must("--domain", "example.com", "--yes")
	l.want(out, "for the other milters as well", "was seen through the socket only")
	l.want(l.files(), "smtpd_milters = unix:sealmilter/virus.sock unix:sealmilter/milter.sock\n")
	if strings.Contains(l.files(), "milter_default_action") {
		t.Errorf("the proof's line stays:\n%s", l.files())
	}
}

// TestSetupStaysInItsInstance: whatever postconf says about config_directory, the
// proof goes into the instance that was named.
func TestSetupStaysInItsInstance(t *testing.T) {
	l := newLab(t, "3.12-20260821", "compatibility_level = 3.6\n")
	l.must("--domain", "example.com")
	if calls := l.calls(); !strings.Contains(calls, "sendmail -C "+l.etc+" ") || strings.Contains(calls, "sendmail -C "+filepath.Join(l.dir, "default-instance")) {
		t.Errorf("the proof went elsewhere:\n%s", calls)
	}
}

// hangs has a program of the next set-up hang, and returns when it does. signal
// ends the set-up and tells what it said.
func (l *lab) hangs(word string, args ...string) (signal func(syscall.Signal) string) {
	l.t.Helper()
	l.write("hang-"+word, "")
	cmd, out := l.start(args...)
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	l.until(word+" hangs", func() bool {
		select {
		case <-ended:
			l.t.Fatalf("set-up ended:\n%s", out)
		default:
		}
		return strings.Contains(l.calls(), "\nhanging "+word)
	})
	_, pid, _ := strings.Cut(l.calls(), "\nhanging "+word+" ")
	n, err := strconv.Atoi(strings.Fields(pid)[0])
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { syscall.Kill(n, syscall.SIGKILL) })
	return func(s syscall.Signal) string {
		cmd.Process.Signal(s)
		<-ended
		return out.String()
	}
}

// TestSetupKilled: kill -9 while set-up proves itself, with every milter at accept
// and a witness in the list. The next set-up, or --undo, puts that right.
func TestSetupKilled(t *testing.T) {
	for _, mailVersion := range []string{"2.10.1", "3.12-20260821"} {
		t.Run(mailVersion, func(t *testing.T) {
			l := newLab(t, mailVersion, "")
			for _, word := range []string{"reload", "sendmail"} {
				signal := l.hangs(word, "--domain", "example.com")
				l.want(l.files(), "witness")
				signal(syscall.SIGKILL)
				out := l.must("--domain", "example.com", "--dry-run")
				l.want(l.files(), "witness")
				l.want(out, "a set-up was cut off")
				l.want(l.must("--undo"), "a set-up was cut off here", "put back")
				l.asBefore()
				l.write("calls", "")
			}
			l.hangs("sendmail", "--domain", "example.com")(syscall.SIGKILL)
			l.want(l.must("--domain", "example.com"), "a set-up was cut off here", "another by SMTP")
			if strings.Contains(l.files(), "witness") {
				t.Errorf("%s", l.files())
			}
			l.must("--undo")
			l.asBefore()
		})
	}
}

// TestSetupInterrupted: SIGTERM while a program hangs after the first edit.
func TestSetupInterrupted(t *testing.T) {
	l := newLab(t, "3.12-20260821", "compatibility_level = 3.6\n")
	out := l.hangs("reload", "--domain", "example.com")(syscall.SIGTERM)
	l.want(out, "interrupted", "main.cf and master.cf are as they were")
	l.asBefore()
}
