//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loopMaster is master.cf with Debian's submission service, as its comments have it, and amavis's two lines (its
// README.postfix): the filter takes mail from every service and gives it back on 10025. Nothing in it knows milters.
const loopMaster = `127.0.0.1:%[1]d inet n - y - - smtpd
  -o local_header_rewrite_clients=
submission inet n       -       n       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=%[2]s
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:10025 inet n  -       y       -       -       smtpd
  -o content_filter=
  -o mynetworks=127.0.0.0/8
  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks
  -o local_header_rewrite_clients=
`

// withLoop gives the lab that master.cf. Mail for our own domains leaves for the sink, too. No login makes mail ours for
// the daemon, so that only ORIGINATING does.
func withLoop(s *setupLab) {
	s.main = strings.Replace(s.main, "virtual_mailbox_domains =", "virtual_mailbox_domains =\nrelay_domains =", 1) +
		"content_filter = smtp:[127.0.0.1]:10026\nreceive_override_options = no_address_mappings\n"
	s.master = fmt.Sprintf(loopMaster, s.mta.ports.smtp, s.mta.sasl) + masterCF[strings.Index(masterCF, "pickup "):]
	s.yaml += "outbound: {authenticated: false}\n"
}

// TestSetupContentFilter: set-up marks a submission service and takes the milters from where a content filter gives mail
// back: mail of users and programs is signed once, mail from outside is judged once, all of it arrives once.
func TestSetupContentFilter(t *testing.T) {
	s := newSetupLab(t, withLoop)
	filter, err := newContentFilter(10026, 10025)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(filter.close)
	before := s.files(t)
	login := func() *client {
		c := dial(t, local(587), roaming)
		if rep, err := c.auth(); err != nil || rep.code != 235 {
			t.Fatalf("AUTH: %v %v", rep, err)
		}
		return c
	}
	unmarked := remote("loop-before")
	login().mustSend(t, "<kim@good.example>", unmarked, compose("kim@good.example", unmarked, "hello", "text"))
	wantUnsigned(t, s.sink.wait(t, unmarked))

	out := s.mustSetup(t, setupDomains...)
	wantAll(t, out, "what comes in here is your users' own mail", "which has passed the milters before", "gets messages that are signed already")
	master, err := os.ReadFile(filepath.Join(s.mta.etc(), "master.cf"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(s.master, "permit_sasl_authenticated,reject\n", "permit_sasl_authenticated,reject\n  -o milter_macro_daemon_name=ORIGINATING\n", 1)
	if want = strings.Replace(want, "no_unknown_recipient_checks", "no_unknown_recipient_checks,no_milters", 1); string(master) != want {
		t.Errorf("master.cf:\n%s", master)
	}

	user, program, fair, spoof := remote("loop-user"), remote("loop-program"), box("loop-fair"), box("loop-spoof")
	login().mustSend(t, "<kim@new.example>", user, compose("kim@good.example", user, "hello", "text"))
	if _, err := run(compose("root@good.example", program, "cron", "text"), "/usr/sbin/sendmail", "-C", s.mta.etc(), "-f", "root@good.example", program); err != nil {
		t.Fatal(err)
	}
	in := local(s.mta.ports.smtp)
	dial(t, in, sender).mustSend(t, "<ann@sender.example>", fair, s.outsider.sign(t, compose("ann@sender.example", fair, "hello", "text",
		"Authentication-Results: mx.good.example; dmarc=pass header.from=bank.example\r\n")))
	dial(t, in, stranger).mustSend(t, "<boss@good.example>", spoof, compose("boss@good.example", spoof, "urgent", "text"))

	wantSigned(t, s.lab, "good.example", s.sink.wait(t, user), s.sink.wait(t, program))
	for to, results := range map[string][]string{fair: {"spf=pass", "dkim=pass", "dmarc=pass header.from=sender.example"}, spoof: {"dkim=none", "dmarc=fail"}} {
		msg := s.sink.wait(t, to)
		ar := named(msg, "Authentication-Results")
		if len(ar) != 1 {
			t.Fatalf("%d Authentication-Results, want 1:\n%s", len(ar), header(msg))
		}
		wantAll(t, ar[0], results...)
	}
	wantUnsigned(t, s.sink.wait(t, spoof))
	for _, to := range []string{user, program, fair, spoof} {
		msg := s.sink.wait(t, to) // still one, now that all have been through
		if n := len(named(msg, "X-Filtered")); n != 1 {
			t.Errorf("%s: went through the filter %d times", to, n)
		}
	}

	s.mustSetup(t, "--undo")
	if s.files(t) != before {
		t.Errorf("not as before:\n%s", s.files(t))
	}
}

// TestSetupBehindAnotherMilter: ours goes behind the milter that is there and signs what that one made of the message;
// set up again with --fail-open, mail passes while ours is down.
func TestSetupBehindAnotherMilter(t *testing.T) {
	other, err := newSubjectMilter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.close)
	list := "inet:" + other.l.Addr().String()
	s := newSetupLab(t, func(s *setupLab) { s.main += "smtpd_milters = " + list + "\n" })
	send := func(label string) (string, reply) {
		t.Helper()
		to := remote(label)
		rep, err := dial(t, local(s.mta.ports.smtp), from{}).send("<kim@good.example>", []string{to}, compose("kim@good.example", to, "hello", "text"))
		if err != nil {
			t.Fatal(err)
		}
		return to, rep
	}
	arrived := func(to string) []byte {
		t.Helper()
		msg := s.sink.wait(t, to)
		if got := named(msg, "Subject"); len(got) != 1 || got[0] != "[seen] hello" {
			t.Errorf("Subject %q: not through the other milter", got)
		}
		return msg
	}

	s.mustSetup(t, setupDomains...)
	wantAll(t, s.mainText(t), "smtpd_milters = "+list+" { unix:sealmilter/milter.sock, default_action=tempfail,")
	to, _ := send("behind")
	wantSigned(t, s.lab, "good.example", arrived(to))

	s.mustSetup(t, append(setupDomains, "--fail-open")...)
	wantAll(t, s.mainText(t), "smtpd_milters = "+list+" { unix:sealmilter/milter.sock, default_action=accept,")
	s.proc.stop(20 * time.Second)
	to, rep := send("open")
	if rep.code != 250 {
		t.Fatalf("--fail-open and the daemon down: %v", rep)
	}
	wantUnsigned(t, arrived(to))
	s.mustSetup(t, "--undo")
	if got := s.mainText(t); got != s.main {
		t.Errorf("not as before:\n%s", got)
	}
}

// subjectMilter is a milter as spam filters are: it changes the Subject of every message.
type subjectMilter struct{ l net.Listener }

func newSubjectMilter() (*subjectMilter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &subjectMilter{l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m, nil
}

func (m *subjectMilter) close() { m.l.Close() }

// serve answers every command with Continue, and at the end of a message changes the field.
func (m *subjectMilter) serve(conn net.Conn) {
	defer conn.Close()
	mta := &milterClient{conn: conn, w: bufio.NewWriter(conn), r: bufio.NewReader(conn)}
	subject := ""
	for {
		command, data, err := mta.read() // sends what was written, too
		if err != nil {
			return
		}
		answer, text := byte('c'), ""
		switch command {
		case 'O': // version 6, may change fields, wants everything
			answer, text = 'O', "\x00\x00\x00\x06\x00\x00\x00\x10\x00\x00\x00\x00"
		case 'D', 'A', 'K': // macros, abort, end of a session that is followed by another
			continue
		case 'Q':
			return
		case 'L':
			if name, value, _ := strings.Cut(strings.TrimSuffix(string(data), "\x00"), "\x00"); name == "Subject" {
				subject = value
			}
		case 'E':
			if err := mta.write('m', "\x00\x00\x00\x01Subject\x00[seen] "+subject+"\x00"); err != nil {
				return
			}
		}
		if err := mta.write(answer, text); err != nil {
			return
		}
	}
}
