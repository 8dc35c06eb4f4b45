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
