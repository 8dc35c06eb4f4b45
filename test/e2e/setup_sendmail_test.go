//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// setupPort is where the Sendmail of this test listens.
const setupPort = 2626

// sendmailSetup is a Sendmail that has never heard of sealmilter, in the lab's namespaces.
type sendmailSetup struct {
	*lab
	config string
	daemon *proc
}

func (s *sendmailSetup) etc(name string) string { return s.sm.path("etc2", name) }

// newSendmailSetup makes it from the lab's sendmail.mc, whose include names the package's file as a real one does.
func newSendmailSetup(t *testing.T) *sendmailSetup {
	t.Helper()
	l := need(t)
	s := &sendmailSetup{lab: l, config: l.sm.path("milter2.yaml")}
	for _, d := range []string{"etc2", "queue2"} {
		if err := os.MkdirAll(l.sm.path(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(l.sm.path("etc2"), 0o755); err != nil {
		t.Fatal(err)
	}
	var mc strings.Builder
	for line := range strings.Lines(fmt.Sprintf(sendmailMC, "", impatient)) {
		if !strings.Contains(line, "MAIL_FILTER") && !strings.HasPrefix(line, "DAEMON_OPTIONS") {
			mc.WriteString(line)
		}
	}
	text := strings.NewReplacer("`cf.m4'", "`/mnt/root/usr/share/sendmail/cf/m4/cf.m4'", "/mnt/pid", "/mnt/pid2", "/mnt/queue", "/mnt/queue2",
		"MAILER(`local')", fmt.Sprintf("DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port=%d')dnl\nMAILER(`local')", setupPort)).Replace(mc.String())
	write(t, s.etc("sendmail.mc"), text)
	write(t, s.etc("Makefile"), "sendmail.cf: sendmail.mc\n\tm4 sendmail.mc >$@.new && mv $@.new $@\n")
	write(t, s.etc("access"), "# ours\nConnect:192.168.5\tRELAY\nConnect:partner.example\tRELAY\nTo:good.example\tRELAY\n")
	conf := l.daemonConfigFor("/mnt/run/" + filepath.Base(l.sm.socket))
	write(t, s.config, conf)
	if _, err := run(nil, l.sm.argv("make", "-C", "/mnt/etc2")...); err != nil {
		t.Fatal(err)
	}
	var err error
	s.daemon, err = startProc("sendmail for set-up", l.sm.path("sendmail2.out"), nil,
		l.sm.argv("/mnt/root/usr/libexec/sendmail/sendmail", "-C", "/mnt/etc2/sendmail.cf", "-bD", "-q1h")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.daemon.stop(5 * time.Second) })
	eventually(t, 20*time.Second, "Sendmail on its port", func() bool {
		conn, err := l.sm.connect("", fmt.Sprintf("127.0.0.1:%d", setupPort))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return s
}

// daemonConfigFor is the running daemon's configuration as one in the namespaces sees it.
func (l *lab) daemonConfigFor(socket string) string {
	text := strings.Replace(l.daemon.configText(""), "unix:"+l.daemon.socket, "unix:"+socket, 1)
	return strings.Replace(text, "  - \""+l.daemon.inet+"\"\n", "", 1)
}

// setup runs the command as root beside that Sendmail, with nobody at the terminal.
func (s *sendmailSetup) setup(args ...string) (string, error) {
	restart := "kill -HUP $(head -n 1 /mnt/pid2)"
	argv := s.sm.argv(append([]string{s.lab.daemon.binary(), "setup", "sendmail", "--config", "/mnt/milter2.yaml", "--mc", "/mnt/etc2/sendmail.mc",
		"--sendmail", "/mnt/root/usr/libexec/sendmail/sendmail", "--restart", restart}, args...)...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	return string(out), err
}

func (s *sendmailSetup) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.setup(args...)
	if err != nil {
		logged, _ := os.ReadFile(s.sm.path("mail.log"))
		t.Fatalf("%v\n%s\n%s", err, out, lastLines(string(logged), 15))
	}
	return out
}

func (s *sendmailSetup) file(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(s.etc(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// send sends a message of a program on that host and returns it as it arrived.
func (s *sendmailSetup) send(t *testing.T, label string) []byte {
	t.Helper()
	to := remote(label)
	var c *client
	eventually(t, 20*time.Second, "a greeting after the restart", func() bool {
		var err error
		c, err = s.sm.open(from{"127.0.0.1", "", "localhost"}, setupPort)
		return err == nil
	})
	defer c.conn.Close()
	c.mustSend(t, "<kim@good.example>", to, compose("Kim G. <kim@good.example>", to, label, "text"))
	return s.sm.sink.wait(t, to)
}

// TestSetupSendmail: looked at, applied, again without effect, and taken back.
func TestSetupSendmail(t *testing.T) {
	s := newSendmailSetup(t)
	before := s.file(t, "sendmail.mc")
	wantUnsigned(t, s.send(t, "before-setup"))

	out := s.must(t, "--domain", "good.example")
	wantAll(t, out, "INPUT_MAIL_FILTER(`sealmilter', `S=unix:/mnt/run/milter.sock, F=T, T=", "make -C /mnt/etc2", "+mta: sendmail", "partner.example is not carried over", "Nothing was changed")
	if s.file(t, "sendmail.mc") != before {
		t.Fatal("changed without --apply")
	}

	out = s.must(t, "--domain", "good.example", "--apply")
	wantAll(t, out, "as user root: signed", "a message of good.example went through a Sendmail with the new sendmail.mc: signed and verified", "it takes mail", "_domainkey.good.example")
	after := s.file(t, "sendmail.mc")
	if s.file(t, "sendmail.mc.before-sealmilter") != before {
		t.Error("the backup is not the file as it was")
	}
	wantAll(t, s.file(t, "sendmail.cf"), "O InputMailFilters=sealmilter\n", "Xsealmilter, S=unix:/mnt/run/milter.sock, F=T")
	wantSigned(t, s.lab, "good.example", s.send(t, "after-setup"))

	out = s.must(t, "--domain", "good.example", "--apply")
	wantAll(t, out, "as they should be already")
	if s.file(t, "sendmail.mc") != after {
		t.Error("a second set-up changed sendmail.mc")
	}
	left, _ := filepath.Glob(s.etc(".sealmilter-*"))
	if left != nil {
		t.Errorf("left behind: %v", left)
	}

	s.must(t, "--undo")
	if got := s.file(t, "sendmail.mc"); got != before {
		t.Errorf("not as before:\n%s", got)
	}
	wantUnsigned(t, s.send(t, "after-undo"))
	if out, err := s.setup("--undo"); err == nil {
		t.Errorf("a second undo: %s", out)
	}
}

// TestSetupSendmailTouchesNothingWithoutAProof: a folder that Sendmail calls unsafe, a .mc that loses our line, a build
// that fails.
func TestSetupSendmailTouchesNothingWithoutAProof(t *testing.T) {
	s := newSendmailSetup(t)
	original := s.file(t, "sendmail.mc")
	cf := s.file(t, "sendmail.cf")
	folder := filepath.Dir(s.sm.socket)
	for _, tc := range []struct {
		name        string
		spoil, mend func(t *testing.T)
		args        []string
		want        string
	}{
		{"unsafe folder", func(t *testing.T) { chmod(t, folder, 0o770) }, func(t *testing.T) { chmod(t, folder, 0o750) }, nil, "group- or world-writable"},
		{"not in the list", func(t *testing.T) {
			write(t, s.etc("more.m4"), "define(`confINPUT_MAIL_FILTERS', `')dnl\n")
			write(t, s.etc("sendmail.mc"), original+"include(`/mnt/etc2/more.m4')dnl\n")
		}, func(t *testing.T) { write(t, s.etc("sendmail.mc"), original) }, nil, "do not arrive"},
		{"build fails", nil, nil, []string{"--rebuild", "echo no >&2; exit 3"}, "are as they were"},
		{"build without effect", nil, nil, []string{"--rebuild", "true"}, "did not build"},
		{"restart fails", nil, nil, []string{"--restart", "false"}, "does not restart"},
		{"away after the restart", func(*testing.T) {}, func(t *testing.T) {
			if err := os.Rename(filepath.Join(folder, "away"), s.sm.socket); err != nil {
				t.Fatal(err)
			}
		}, []string{"--restart", "mv /mnt/run/milter.sock /mnt/run/away; kill -HUP $(head -n 1 /mnt/pid2); sleep 1"}, "cannot use the milter"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.spoil != nil {
				tc.spoil(t)
				t.Cleanup(func() { tc.mend(t) })
			}
			mc := s.file(t, "sendmail.mc")
			out, err := s.setup(append([]string{"--domain", "good.example", "--apply"}, tc.args...)...)
			text := fmt.Sprint(out, err)
			if err == nil || !strings.Contains(text, tc.want) {
				t.Errorf("want %q in\n%s", tc.want, text)
			}
			if s.file(t, "sendmail.mc") != mc || s.file(t, "sendmail.cf") != cf {
				t.Error("sendmail.mc or sendmail.cf changed")
			}
		})
	}
	wantUnsigned(t, s.send(t, "nothing-touched"))
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
