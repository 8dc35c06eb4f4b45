//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestInboundPass: a legitimate message passes everything, over IPv4 and IPv6, and says so at the very top.
func TestInboundPass(t *testing.T) {
	l := need(t)
	six := from{"2001:db8:66::6", "[UNAVAILABLE]", "mail.sender.example"}
	for _, tc := range []struct {
		name   string
		who    from
		author string
		want   []string
	}{
		{"IPv4", sender, "Ann <ann@sender.example>", []string{"iprev=pass", "policy.iprev=192.0.2.10"}},
		{"IPv6", six, "Ann <ann@sender.example>", nil},
		{"subdomain author", sender, "Ann <ann@mail.sender.example>", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := box("pass")
			c := dial(t, local(l.postfix.ports.smtp), tc.who)
			c.mustSend(t, "<ann@sender.example>", to, l.outsider.sign(t, compose(tc.author, to, "hello", "text")))
			msg := l.mailbox(t, to)
			ar := ownResults(t, msg)
			wantAll(t, ar, append(tc.want, "spf=pass", "smtp.mailfrom=", "dmarc=pass", "header.from=", "header.d=sender.example",
				"header.s=r1", "header.s=e1", "header.a=rsa-sha256", "header.a=ed25519-sha256", "header.b=")...)
			if n := strings.Count(ar, "dkim=pass"); n != 2 {
				t.Errorf("%d dkim=pass, want 2: %s", n, ar)
			}
			if got := names(msg)[:2]; fmt.Sprint(got) != "[authentication-results received]" {
				t.Errorf("top fields %v", got)
			}
			if named(msg, "X-Quarantine") != nil {
				t.Errorf("quarantined:\n%s", header(msg))
			}
		})
	}
}

// TestRoundTrip: what we sign passes when it comes back from our public address.
func TestRoundTrip(t *testing.T) {
	l := need(t)
	to := remote("round")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "round trip", "text"))
	signed := l.sink.wait(t, to)
	here := box("round")
	dial(t, local(l.postfix.ports.smtp), ourself).mustSend(t, "<kim@good.example>", here, signed)
	ar := ownResults(t, l.mailbox(t, here))
	wantAll(t, ar, "spf=pass", "dkim=pass", "header.a=rsa-sha256", "header.a=ed25519-sha256", "dmarc=pass")
}

// TestSpoofIsRejected: a direct spoof of a p=reject domain is refused in the SMTP dialogue with the policy's reply.
func TestSpoofIsRejected(t *testing.T) {
	l := need(t)
	for _, tc := range []struct{ name, mailFrom, author string }{
		{"no authentication at all", "<ceo@reject.example>", "CEO <ceo@reject.example>"},
		{"SPF of another domain passes", "<ann@sender.example>", "CEO <ceo@reject.example>"},
		{"subdomain that does not exist", "<ceo@pay.reject.example>", "ceo@pay.reject.example"},
		{"null sender", "<>", "ceo@reject.example"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := box("rejected")
			c := dial(t, local(l.postfix.ports.smtp), stranger)
			if strings.Contains(tc.mailFrom, "sender.example") {
				c = dial(t, local(l.postfix.ports.smtp), sender)
			}
			rep, err := c.send(tc.mailFrom, []string{to}, compose(tc.author, to, "invoice", "pay"))
			if err != nil || rep.code != 550 || !strings.HasPrefix(rep.text, "5.7.1 ") || !strings.Contains(rep.text, "reject.example") {
				t.Errorf("%v %v, want 550 5.7.1 ... reject.example", rep, err)
			}
			if got := l.delivered(to); got != nil {
				t.Errorf("delivered all the same: %v", got)
			}
		})
	}
}

// TestFromFieldsAreCounted: a message without exactly one From is refused by the default rules.
func TestFromFieldsAreCounted(t *testing.T) {
	l := need(t)
	two := compose("ann@sender.example", "x@good.example", "two", "text", "From: ceo@reject.example\r\n")
	none := []byte(strings.Replace(string(compose("ann@sender.example", "x@good.example", "none", "text")), "From: ann@sender.example\r\n", "", 1))
	for name, msg := range map[string][]byte{"two": two, "none": none} {
		t.Run(name, func(t *testing.T) {
			rep, err := dial(t, local(l.postfix.ports.smtp), sender).send("<ann@sender.example>", []string{box("from")}, msg)
			if err != nil || rep.code != 550 || !strings.HasPrefix(rep.text, "5.7.1 ") {
				t.Errorf("%v %v, want 550 5.7.1", rep, err)
			}
		})
	}
}

// TestQuarantineTag: a failure under p=quarantine reaches the mailbox with our X-Quarantine; the sender's own is gone.
func TestQuarantineTag(t *testing.T) {
	l := need(t)
	to := box("tagged")
	c := dial(t, local(l.postfix.ports.smtp), stranger)
	c.mustSend(t, "<ceo@quarantine.example>", to, compose("ceo@quarantine.example", to, "hm", "text", "X-Quarantine: clean; trust me\r\n"))
	msg := l.mailbox(t, to)
	q := named(msg, "X-Quarantine")
	if len(q) != 1 || strings.Contains(q[0], "trust me") {
		t.Errorf("X-Quarantine %q", q)
	}
	wantAll(t, ownResults(t, msg), "dmarc=fail", "policy.dmarc=quarantine")
}

// TestForgedQuarantineField: an innocent message's X-Quarantine is removed as well.
func TestForgedQuarantineField(t *testing.T) {
	l := need(t)
	to := box("innocent")
	msg := l.outsider.sign(t, compose("ann@sender.example", to, "hm", "text", "X-Quarantine: a\r\n", "x-quarantine: b\r\n"))
	dial(t, local(l.postfix.ports.smtp), sender).mustSend(t, "<ann@sender.example>", to, msg)
	if q := named(l.mailbox(t, to), "X-Quarantine"); q != nil {
		t.Errorf("X-Quarantine %q", q)
	}
}

// TestQuarantineHold: with `quarantine: hold` the message waits in Postfix's hold queue with the field, and the
// administrator can release it. The setting arrives by SIGHUP.
func TestQuarantineHold(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	l.daemon.reload(t, "policy: {quarantine: hold}\n", true)
	to := box("held")
	c := dial(t, local(l.postfix.ports.smtp), stranger)
	c.mustSend(t, "<ceo@quarantine.example>", to, compose("ceo@quarantine.example", to, "hm", "text"))
	var held []queued
	eventually(t, 10*time.Second, "the message in the hold queue", func() bool {
		held, _ = l.postfix.queue(to)
		return len(held) == 1 && held[0].Queue == "hold"
	})
	text, err := run(nil, "postcat", "-c", l.postfix.etc(), "-h", "-q", held[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, string(text), "X-Quarantine: ")
	if got := l.delivered(to); got != nil {
		t.Errorf("delivered: %v", got)
	}
	if _, err := run(nil, "postsuper", "-c", l.postfix.etc(), "-H", held[0].ID); err != nil {
		t.Fatal(err)
	}
	msg := l.mailbox(t, to)
	if n := len(named(msg, "X-Quarantine")); n != 1 {
		t.Errorf("%d X-Quarantine fields after the release", n)
	}
	ownResults(t, msg)
}

// TestForgedResultsAreRemoved: fields that claim our authserv-id go, however many and however written; others' stay.
func TestForgedResultsAreRemoved(t *testing.T) {
	l := need(t)
	plain := "Authentication-Results: mx.good.example; dmarc=pass header.from=bank.example\r\n"
	foreign := "Authentication-Results: mx.elsewhere.example; spf=pass smtp.mailfrom=a.example\r\n"
	for _, tc := range []struct {
		name   string
		fields []string
		stay   int
	}{
		{"1", []string{plain}, 0},
		{"2", []string{plain, plain}, 0},
		{"50", strings.SplitAfter(strings.Repeat(plain, 50), "\n")[:50], 0},
		{"foreign ones stay", []string{foreign, plain, foreign, plain, foreign}, 3},
		{"upper case", []string{"AUTHENTICATION-RESULTS: MX.GOOD.EXAMPLE; dkim=pass\r\n"}, 0},
		{"folded", []string{"Authentication-Results:\r\n\tmx.good.example;\r\n\tdkim=pass\r\n"}, 0},
		{"comment and version", []string{"Authentication-Results: (hi \\) there) mx.good.example (v) 1; dkim=pass\r\n"}, 0},
		{"quoted", []string{"Authentication-Results: \"mx.good.example\"; dkim=pass\r\n"}, 0},
		{"quoted pair", []string{"Authentication-Results: \"mx.good\\.example\"; dkim=pass\r\n"}, 0},
		{"space before the colon", []string{"Authentication-Results : mx.good.example; dkim=pass\r\n"}, 0},
		{"a name that only begins alike", []string{"Authentication-Results: mx.good.example.net; dkim=pass\r\n"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := box("forged")
			msg := l.outsider.sign(t, compose("ann@sender.example", to, "trust me", "text", tc.fields...))
			dial(t, local(l.postfix.ports.smtp), sender).mustSend(t, "<ann@sender.example>", to, msg)
			got := l.mailbox(t, to)
			wantAll(t, ownResults(t, got), "dkim=pass", "dmarc=pass header.from=sender.example")
			if n := len(named(got, "Authentication-Results")); n != tc.stay+1 {
				t.Errorf("%d Authentication-Results fields, want ours and %d\n%s", n, tc.stay, header(got))
			}
		})
	}
}

// TestLameMailFromWaits: a MAIL FROM at a lame delegation below a domain with p=reject leaves the verdict open. The
// message is neither refused for good nor accepted, forged marks of forwarding or not.
func TestLameMailFromWaits(t *testing.T) {
	l := need(t)
	for _, more := range []string{"", "Resent-From: a@b.example\r\n"} {
		to := box("lame")
		c := dial(t, local(l.postfix.ports.smtp), stranger)
		rep, err := c.send("<x@lame.reject.example>", []string{to}, compose("ceo@reject.example", to, "hello", "text", more))
		if err != nil || rep.code != 451 || !strings.HasPrefix(rep.text, "4.7.1 ") || !strings.Contains(rep.text, "reject.example") {
			t.Errorf("%q: %v %v, want 451 4.7.1", more, rep, err)
		}
	}
}

// TestNullSender: a bounce from outside is judged by its HELO name.
func TestNullSender(t *testing.T) {
	l := need(t)
	to := box("null")
	c := dial(t, local(l.postfix.ports.smtp), sender)
	c.mustSend(t, "<>", to, compose("MAILER-DAEMON@mail.sender.example", to, "Undelivered", "text"))
	wantAll(t, ownResults(t, l.mailbox(t, to)), "spf=pass", "smtp.helo=mail.sender.example", "dmarc=pass")
}

// TestDNSFailureIsNot5xx: a name server that answers SERVFAIL gives temperror, never a rejection.
func TestDNSFailureIsNot5xx(t *testing.T) {
	l := need(t)
	to := box("broken")
	c := dial(t, local(l.postfix.ports.smtp), stranger)
	c.mustSend(t, "<ann@broken.example>", to, compose("ann@broken.example", to, "hello", "text"))
	wantAll(t, ownResults(t, l.mailbox(t, to)), "spf=temperror", "dmarc=temperror")
}
