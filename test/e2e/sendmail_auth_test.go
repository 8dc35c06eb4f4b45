//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSendmailAuthenticated: who logs in is one of us from any address, on the submission port and on port 25; who does
// not is a stranger, from the same address, in the same domain's name, and after a failed login too.
func TestSendmailAuthenticated(t *testing.T) {
	l := need(t)
	s := l.sm
	user := from{stranger.ip, "", "laptop.example"}
	login := func(port int) *client {
		c, err := s.open(user, port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.conn.Close() })
		if rep, err := c.auth(); err != nil || rep.code != 235 {
			t.Fatalf("AUTH on port %d: %v %v", port, rep, err)
		}
		return c
	}
	for _, port := range []int{msaPort, 25} {
		since := l.daemon.logged(t)
		c := login(port)
		for range 2 { // {auth_authen} comes with MAIL: for the second message as well
			to := remote("sm-user")
			c.mustSend(t, "<kim@good.example>", to, compose("Kim G. <kim@good.example>", to, "hello", "text"))
			wantSigned(t, l, "good.example", s.sink.wait(t, to))
		}
		text := since()
		if n := strings.Count(text, "authenticated"); n != 2 || !strings.Contains(line(text, "authenticated"), stranger.ip) {
			t.Errorf("port %d: %d messages of an authenticated client in the log, want 2:\n%s", port, n, text)
		}
	}

	c, err := s.open(user, msaPort)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.must(t, 530, "MAIL FROM:<kim@good.example>")

	forge := func(c *client, label string) {
		t.Helper()
		to := box(label)
		c.mustSend(t, "<boss@lax.example>", to, compose("boss@lax.example", to, "urgent", "text"))
		msg := s.sink.wait(t, to)
		wantUnsigned(t, msg)
		wantAll(t, ownResults(t, msg), "spf=softfail", "dmarc=fail")
	}
	forge(s.dial(t, user), "sm-forged")
	guess := s.dial(t, user)
	guess.must(t, 535, "AUTH PLAIN AGtpbUBnb29kLmV4YW1wbGUAZ3Vlc3M=") // "guess"
	forge(guess, "sm-guessed")
}

// TestSendmailLocalUser: mail for a user of the host goes through Sendmail's local mailer, with our results at the top and
// the sender's signatures unbroken.
func TestSendmailLocalUser(t *testing.T) {
	l := need(t)
	const to = "games@app.good.example" // an account that every Debian has
	l.sm.dial(t, sender).mustSend(t, "<ann@sender.example>", to, l.outsider.sign(t, compose("Ann <ann@sender.example>", to, "hello", "A line.\r\n\r\nFrom here on\r\n.dot")))
	var msg []byte
	eventually(t, 30*time.Second, "the message in the mailbox", func() bool {
		msg, _ = os.ReadFile(l.sm.path("mail", "games"))
		return bytes.Contains(msg, []byte("dot\n"))
	})
	envelope, msg, _ := bytes.Cut(msg, []byte("\n"))
	if string(envelope[:24]) != "From ann@sender.example " {
		t.Errorf("mailbox begins with %q", envelope)
	}
	wantAll(t, ownResults(t, msg), "spf=pass", "dkim=pass", "dmarc=pass")
	// What a mailbox file does to a message: line ends, a From line in the body quoted, an empty line behind it.
	msg = bytes.Replace(bytes.TrimSuffix(msg, []byte("\n")), []byte("\n>From here"), []byte("\nFrom here"), 1)
	for _, sig := range pythonVerify(t, l, bytes.ReplaceAll(msg, []byte("\n"), []byte("\r\n")))[0] {
		if !sig.OK {
			t.Errorf("%+v\n%s", sig, msg)
		}
	}
}
