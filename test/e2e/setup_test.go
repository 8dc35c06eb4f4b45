//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// setupLab is a Postfix that has never heard of sealmilter, with a daemon of its own beside it.
type setupLab struct {
	*lab
	mta    *postfixLab
	main   string // main.cf, master.cf and milter.yaml before set-up
	master string
	yaml   string
	config string
	keys   string
	proc   *proc
}

// milterLines are what the suite's main.cf says of milters.
var milterLines = regexp.MustCompile(`(?m)^(smtpd_milters|non_smtpd_milters|milter_default_action|internal_mail_filter_classes) .*\n`)

// newSetupLab starts both. good.example has keys, new.example is for set-up to make some. Each of edits changes the files
// before.
func newSetupLab(t *testing.T, edits ...func(s *setupLab)) *setupLab {
	t.Helper()
	l := need(t)
	ports, err := freePorts(5)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(l.dir, "setup")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &setupLab{lab: l, config: filepath.Join(dir, "milter.yaml"), keys: filepath.Join(dir, "keys"), mta: &postfixLab{
		dir: filepath.Join(dir, "postfix"), sasl: l.dovecot.socket(), milter: l.postfix.milter,
		ports: postfixPorts{smtp: ports[0], submit: ports[1], filtered: ports[2], bare: ports[3], back: ports[4],
			filter: l.postfix.ports.filter, sink: l.postfix.ports.sink}}}
	t.Cleanup(func() {
		if s.mta.up {
			_, _ = run(nil, "postfix", "-c", s.mta.etc(), "stop")
		}
		s.proc.stop(20 * time.Second)
		if t.Failed() {
			t.Logf("logs are in %s", dir)
		} else {
			os.RemoveAll(dir)
		}
	})
	owner, err := lookAccount("postfix")
	if err != nil {
		t.Fatal(err)
	}
	p, q := s.mta, s.mta.ports
	s.main = milterLines.ReplaceAllString(fmt.Sprintf(mainCF, p.dir, q.sink, owner.uid, owner.gid), "")
	// One service has a list of its own, in braces.
	s.master = strings.Replace(fmt.Sprintf(masterCF, q.smtp, q.submit, q.filtered, q.bare, q.back, p.sasl, q.filter, p.milter),
		"-o smtpd_milters="+p.milter, "-o smtpd_milters={ "+p.milter+", default_action=accept }", 1)
	s.yaml = fmt.Sprintf("# mine\nauthserv_id: mx.good.example\nlisten: unix:%s\nadmin: \"\"\ndns: {servers: [%q]}\nsign:\n  keys: %s\n  domains: [] # yours\n",
		p.milterSocket(), s.lab.daemon.dns, s.keys)
	for _, edit := range edits {
		edit(s)
	}
	s.postfix(t, owner)
	s.daemon(t, dir)
	return s
}

func (s *setupLab) postfix(t *testing.T, owner account) {
	t.Helper()
	p := s.mta
	for _, d := range []string{p.etc(), filepath.Join(p.spool(), "etc"), filepath.Join(p.dir, "data")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(p.dir, "data"), owner.uid, owner.gid); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"services", "hosts", "nsswitch.conf", "resolv.conf"} {
		if data, err := os.ReadFile("/etc/" + f); err == nil {
			write(t, filepath.Join(p.spool(), "etc", f), string(data))
		}
	}
	write(t, filepath.Join(p.etc(), "main.cf"), s.main)
	write(t, filepath.Join(p.etc(), "master.cf"), s.master)
	write(t, filepath.Join(p.etc(), "aliases"), "")
	if err := os.Chmod(filepath.Join(p.etc(), "master.cf"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := run(nil, "postfix", "-c", p.etc(), "start"); err != nil {
		t.Fatal(p.explain(err))
	}
	p.up = true
	if err := waitPort(nil, "tcp", local(p.ports.smtp)); err != nil {
		t.Fatal(p.explain(err))
	}
}

func (s *setupLab) daemon(t *testing.T, dir string) {
	t.Helper()
	owner, err := lookAccount("postfix")
	if err != nil {
		t.Fatal(err)
	}
	as := s.lab.daemon.as
	for _, f := range []struct {
		dir  string
		mode os.FileMode
		gid  int
	}{{s.keys, 0o700, as.gid}, {filepath.Join(s.keys, "good.example"), 0o700, as.gid}, {filepath.Join(dir, "state"), 0o700, as.gid}, {filepath.Dir(s.mta.milterSocket()), 0o750, owner.gid}} {
		if err := errors.Join(os.MkdirAll(f.dir, f.mode), os.Chown(f.dir, as.uid, f.gid), os.Chmod(f.dir, f.mode)); err != nil {
			t.Fatal(err)
		}
	}
	pems, err := filepath.Glob(filepath.Join(s.lab.daemon.keys(), "good.example", "*.pem"))
	if err != nil || len(pems) != 2 {
		t.Fatalf("%d keys, %v", len(pems), err)
	}
	for _, pem := range pems {
		data, err := os.ReadFile(pem)
		to := filepath.Join(s.keys, "good.example", filepath.Base(pem))
		if err := errors.Join(err, os.WriteFile(to, data, 0o600), os.Chown(to, as.uid, as.gid)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, s.config, s.yaml)
	s.proc, err = startProc("sealmilter", filepath.Join(dir, "sealmilter.log"), s.lab.daemon.attr(),
		s.lab.daemon.binary(), "serve", "--config", s.config, "--state", filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := waitPort(s.proc, "unix", s.mta.milterSocket()); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// setup runs the command with nobody at the terminal.
func (s *setupLab) setup(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.lab.daemon.binary(), append([]string{"setup", "postfix", "--config", s.config, "--postfix-config", s.mta.etc()}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (s *setupLab) mustSetup(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.setup(args...)
	if err != nil {
		mail, _ := os.ReadFile(s.mta.log())
		t.Fatalf("%v\n%s\n%s", err, out, lastLines(string(mail), 25))
	}
	return out
}

// files are main.cf and master.cf.
func (s *setupLab) files(t *testing.T) string {
	t.Helper()
	var all string
	for _, f := range []string{"main.cf", "master.cf"} {
		data, err := os.ReadFile(filepath.Join(s.mta.etc(), f))
		if err != nil {
			t.Fatal(err)
		}
		all += string(data)
	}
	return all
}

func (s *setupLab) mainFile() string { return filepath.Join(s.mta.etc(), "main.cf") }

var setupDomains = []string{"--domain", "good.example", "--domain", "new.example"}

// TestSetupPostfix: one command, under a stream of mail of which nothing is refused; again without effect; and back.
func TestSetupPostfix(t *testing.T) {
	s := newSetupLab(t)
	before := s.files(t)

	out := s.mustSetup(t, append(setupDomains, "--dry-run")...)
	wantAll(t, out, "+smtpd_milters = { unix:sealmilter/milter.sock, default_action=tempfail", "Nothing was changed")
	if _, err := os.Stat(filepath.Join(s.keys, "new.example")); err == nil || s.files(t) != before {
		t.Fatal("--dry-run changed something")
	}

	stop := s.stream(t)
	out = s.mustSetup(t, setupDomains...)
	sent := stop()
	if sent < 5 {
		t.Errorf("only %d messages during set-up", sent)
	}
	t.Logf("%d messages during set-up, none refused", sent)
	wantAll(t, out, "made "+s.keys+"/new.example/", "as user postfix: signed", "by the sendmail command, another by SMTP to 127.0.0.1", "_domainkey.new.example")
	after := s.files(t)
	if strings.Contains(after, "witness") || !strings.Contains(after, "default_action=tempfail, connect_timeout=10s, command_timeout=30s }") {
		t.Errorf("not the final lines:\n%s", after)
	}
	conf, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, string(conf), "# mine\n", "mta: postfix", "domains: [good.example, new.example] # yours")
	if st, err := os.Stat(filepath.Join(s.mta.etc(), "master.cf")); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode of master.cf: %v, %v", st.Mode(), err)
	}

	to := remote("after-setup")
	c := dial(t, local(s.mta.ports.smtp), from{})
	c.mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "hello", "text"))
	wantSigned(t, s.lab, "good.example", s.sink.wait(t, to))

	// The milter that was there does not sign for new.example, whose keys are not in the DNS: what set-up proves itself with
	// is signed all the same.
	for field, want := range map[string]int{"X-Sealmilter-Setup: by hand\r\n": 2, "": 0} {
		to = remote("own-list")
		dial(t, local(s.mta.ports.back), from{}).mustSend(t, "<kim@new.example>", to, append([]byte(field), compose("kim@new.example", to, "hello", "text")...))
		if sigs := named(s.sink.wait(t, to), "DKIM-Signature"); len(sigs) != want || want > 0 && !strings.Contains(sigs[0], "d=new.example") {
			t.Errorf("a service with a list of its own: %q, want %d", sigs, want)
		}
	}

	out = s.mustSetup(t, setupDomains...)
	wantAll(t, out, "as they should be already")
	if s.files(t) != after {
		t.Error("a second set-up changed main.cf or master.cf")
	}

	s.mustSetup(t, "--undo")
	if s.files(t) != before {
		t.Errorf("not as before:\n%s", s.files(t))
	}
	if out, err := s.setup("--undo"); err == nil || !strings.Contains(out, "no record of a set-up") {
		t.Errorf("a second undo: %v\n%s", err, out)
	}
	to = remote("after-undo")
	dial(t, local(s.mta.ports.smtp), from{}).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "hello", "text"))
	wantUnsigned(t, s.sink.wait(t, to))
}

// stream sends messages one after the other until the returned function is called, which says how many. Anything but
// 250 fails the test.
func (s *setupLab) stream(t *testing.T) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			to := remote("stream")
			c, err := open(local(s.mta.ports.smtp))
			if err != nil {
				t.Errorf("during set-up: %v", err)
				return
			}
			if rep, err := c.cmd("EHLO client.example"); err != nil || rep.code != 250 {
				t.Errorf("during set-up: EHLO: %v %v", rep, err)
			}
			rep, err := c.send("<kim@good.example>", []string{to}, compose("kim@good.example", to, "stream", "text"))
			if err != nil || rep.code != 250 {
				t.Errorf("during set-up: %v %v", rep, err)
			}
			c.conn.Close()
			n++
		}
	})
	t.Cleanup(cancel)
	return func() int {
		cancel()
		wg.Wait()
		return n
	}
}

// TestSetupUndoKeepsEdits: what the admin wrote since then stays.
func TestSetupUndoKeepsEdits(t *testing.T) {
	s := newSetupLab(t)
	before := s.files(t)
	s.mustSetup(t, append(setupDomains, "--fail-open")...)
	wantAll(t, s.files(t), "default_action=accept")
	if _, err := run(nil, "postconf", "-c", s.mta.etc(), "-e", "mailbox_command_maps = static:x"); err != nil {
		t.Fatal(err)
	}
	s.mustSetup(t, "--undo")
	if got := s.files(t); strings.Replace(got, "mailbox_command_maps = static:x\n", "", 1) != before {
		t.Errorf("not as before but for the admin's line:\n%s", got)
	}
}

// TestSetupTouchesNothingWithoutAProof: a daemon that is down, a socket that Postfix may not use, signatures that
// do not survive Postfix.
func TestSetupTouchesNothingWithoutAProof(t *testing.T) {
	s := newSetupLab(t)
	original := s.files(t)
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T)
		mend  func(t *testing.T)
		want  string
	}{
		{"socket forbidden", func(t *testing.T) { s.mode(t, 0o700) }, func(t *testing.T) { s.mode(t, 0o750) }, "permission denied"},
		{"signatures are dropped", func(t *testing.T) {
			write(t, s.mainFile(), s.mainText(t)+"milter_header_checks = regexp:"+s.mta.dir+"/checks\n")
			write(t, filepath.Join(s.mta.dir, "checks"), "/^DKIM-Signature:/ IGNORE\n")
		}, func(t *testing.T) {
			write(t, s.mainFile(), strings.Replace(s.mainText(t), "milter_header_checks = regexp:"+s.mta.dir+"/checks\n", "", 1))
		}, "main.cf and master.cf are as they were"},
		{"every service is said to be the users' own", func(t *testing.T) {
			write(t, s.mainFile(), s.mainText(t)+"milter_macro_daemon_name = ORIGINATING\n")
		}, func(t *testing.T) {
			write(t, s.mainFile(), strings.Replace(s.mainText(t), "milter_macro_daemon_name = ORIGINATING\n", "", 1))
		}, "everything the Internet sends would be taken for your own mail"},
		{"daemon down", func(t *testing.T) { s.proc.stop(20 * time.Second) }, func(*testing.T) {}, "nobody answers on the socket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spoil(t)
			before := s.files(t)
			out, err := s.setup(setupDomains...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).ExitStatus() != 1 || !strings.Contains(out, tc.want) {
				t.Errorf("%v, want %q in\n%s", err, tc.want, out)
			}
			if s.files(t) != before {
				t.Errorf("main.cf or master.cf changed:\n%s", s.files(t))
			}
			if _, err := os.Stat(filepath.Join(s.mta.etc(), "sealmilter-undo")); err == nil {
				t.Error("a record stays")
			}
			tc.mend(t)
		})
	}
	if s.files(t) != original {
		t.Error("the test did not mend its files")
	}
}

func (s *setupLab) mode(t *testing.T, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Dir(s.mta.milterSocket()), mode); err != nil {
		t.Fatal(err)
	}
}

func (s *setupLab) mainText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(s.mainFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
