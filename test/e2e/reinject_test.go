//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// A spoof of our own domain that one of our own programs hands back over loopback is not ours: a content filter,
// a pipe alias or a Sieve redirect must not launder it into a signed message.

// TestReinjectedByContentFilter: the filter gives the spoof back over loopback, whether milters saw it on the way in or not.
func TestReinjectedByContentFilter(t *testing.T) {
	l := need(t)
	for _, tc := range []struct {
		name   string
		port   int
		judged bool // the way in had milters
	}{
		{"milters before and after", l.postfix.ports.filtered, true},
		{"milters after only", l.postfix.ports.bare, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := box("filtered")
			dial(t, local(tc.port), stranger).mustSend(t, "<boss@lax.example>", to, compose("boss@lax.example", to, "urgent", "pay"))
			msg := l.mailbox(t, to)
			wantAll(t, header(msg), "X-Filtered: yes")
			wantUnsigned(t, msg)
			judged := 0
			for _, v := range named(msg, "Authentication-Results") {
				if strings.HasPrefix(v, "mx.good.example;") && strings.Contains(v, "dmarc=fail") {
					judged++
				}
			}
			if tc.judged && judged != 1 {
				t.Errorf("%d verdicts of ours left after the filter, want 1:\n%s", judged, header(msg))
			}
		})
	}
}

// TestReinjectedWithHostileNames: as Postfix writes them, no names of the client's hide where its mail came from.
func TestReinjectedWithHostileNames(t *testing.T) {
	l := need(t)
	for _, who := range []from{
		{"203.0.113.66", "[UNAVAILABLE]", "by"},
		{"203.0.113.66", "[UNAVAILABLE]", "with"},
		{"203.0.113.66", "helo", "[127.0.0.1]"},
		{"203.0.113.66", "[UNAVAILABLE]", "x (unknown [127.0.0.1]) by y with HTTP; ("},
		{"2001:db8::66", "ehlo", "x"},
	} {
		t.Run(who.name+" "+who.helo, func(t *testing.T) {
			to := box("names")
			dial(t, local(l.postfix.ports.bare), who).mustSend(t, "<boss@lax.example>", to, compose("boss@lax.example", to, "urgent", "pay"))
			msg := l.mailbox(t, to)
			wantAll(t, header(msg), "X-Filtered: yes")
			wantUnsigned(t, msg)
		})
	}
}

// TestWebMailIsSigned: a browser's address in the field of a web mailer on the host is no stranger's.
func TestWebMailIsSigned(t *testing.T) {
	l := need(t)
	const web = "Received: from dsl-5.isp.example ([203.0.113.5])\r\n by webmail.good.example\r\n with HTTP (HTTP/1.1 POST); Sun, 22 Nov 2026 00:30:00 +0000\r\n"
	to := remote("webmail")
	dial(t, local(l.postfix.ports.smtp), from{}).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "from the web", "text", web))
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
	forged := box("webmail")
	dial(t, local(l.postfix.ports.bare), stranger).mustSend(t, "<boss@lax.example>", forged, compose("boss@lax.example", forged, "urgent", "pay", web))
	wantUnsigned(t, l.mailbox(t, forged))
}

// TestReinjectedByPipeAlias: |program in an alias runs sendmail(1), which is a local client.
func TestReinjectedByPipeAlias(t *testing.T) {
	l := need(t)
	before := len(l.sink.all("laundered@remote.example"))
	c := dial(t, local(l.postfix.ports.smtp), stranger)
	c.mustSend(t, "<boss@lax.example>", "launder@host.good.example", compose("boss@lax.example", "x@good.example", "urgent", "pay"))
	eventually(t, 30*time.Second, "the alias's message at the sink", func() bool { return len(l.sink.all("laundered@remote.example")) > before })
	wantUnsigned(t, l.sink.all("laundered@remote.example")[before].data)
}

// TestFilteredSubmissionIsSigned: the guard against laundering does not hit our own mail: a local program's message
// that goes through the content filter is signed.
func TestFilteredSubmissionIsSigned(t *testing.T) {
	l := need(t)
	to := remote("scanned")
	c := dial(t, local(l.postfix.ports.bare), from{})
	c.mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "scanned", "text"))
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
}
