package observe

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/policy"
)

var errTest = errors.New("signing: test")

func newTestLog() (*Log, *bytes.Buffer) {
	var out bytes.Buffer
	return NewLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))), &out
}

func TestLogOfADecision(t *testing.T) {
	inbound := transaction.Decision{
		Duration: 1500 * time.Microsecond, Direction: auth.Inbound, Reason: "from outside",
		Envelope: auth.Envelope{QueueID: "4Q", ClientIP: netip.MustParseAddr("192.0.2.1"), Helo: "out.example", MailFrom: "a@b.example"},
		Results: auth.Results{
			Author: auth.Author{Domains: []string{"b.example", "c.example"}}, SPF: &spf.Result{Status: spf.Pass}, IPRev: &iprev.Result{Status: iprev.Pass},
			DKIM: []dkim.Result{{Status: dkim.Pass, Domain: "b.example"}, {Status: dkim.Fail}}, DKIMRan: true, DMARC: &dmarc.Result{Status: dmarc.Fail},
		},
		Verdict: policy.Verdict{Action: policy.Reject, Rule: "r", Reason: "because", Observed: []policy.Observation{{Rule: "o", Action: policy.Tag, Reason: "why"}}},
	}
	outbound := transaction.Decision{Direction: auth.Outbound, Reason: "authenticated", Verdict: policy.Verdict{Action: policy.Accept}}
	with := func(d transaction.Decision, change func(*transaction.Decision)) transaction.Decision {
		change(&d)
		return d
	}
	const tail = `dur=0s` + "\n"
	mail := func(level, middle string) string {
		return "level=" + level + ` msg=message queue_id="" direction=outbound client_ip="" helo="" mail_from="" author_domain="" ` + middle + " " + tail
	}
	for name, c := range map[string]struct {
		d    transaction.Decision
		want string
	}{
		"inbound": {inbound, "level=INFO msg=message queue_id=4Q direction=inbound client_ip=192.0.2.1 helo=out.example mail_from=a@b.example " +
			"author_domain=b.example,c.example spf=pass dkim=pass:b.example,fail dmarc=fail arc=\"\" iprev=pass signed=\"\" action=reject rule=r reason=because dur=1.5ms\n" +
			"level=INFO msg=\"rule observed\" queue_id=4Q rule=o action=tag reason=why\n"},
		"signed": {with(outbound, func(d *transaction.Decision) { d.Signed, d.Risks = []string{"k1", "k2"}, []string{"a", "b"} }),
			mail("INFO", "signed=k1,k2 action=accept rule=\"\" reason=authenticated") + "level=INFO msg=\"signature at risk\" queue_id=\"\" reason=\"a; b\"\n"},
		"of a user": {with(outbound, func(d *transaction.Decision) {
			d.Envelope.AuthUser, d.Signed, d.Mismatch = "kim\n", []string{"k1"}, "user kim may not"
		}), strings.Replace(mail("INFO", `signed=k1 action=accept rule="" reason=authenticated`), `author_domain="" `, `author_domain="" user="kim\n" `, 1) +
			"level=WARN msg=\"sender not allowed\" queue_id=\"\" reason=\"user kim may not\" hint=\"sign.senders.on_mismatch is log: nothing else happens\"\n"},
		"not signed": {with(outbound, func(d *transaction.Decision) { d.Unsigned.Text = "x" }), mail("INFO", `signed="" action=accept rule="" reason="not signed: x"`)},
		"not signed, and a rule": {with(outbound, func(d *transaction.Decision) {
			d.Unsigned = transaction.Unsigned{Text: "x", Warn: true}
			d.Verdict.Rule, d.Verdict.Reason = "r", "because"
		}), mail("WARN", `signed="" action=accept rule=r reason="because; not signed: x"`)},
		"an error": {with(outbound, func(d *transaction.Decision) {
			d.Err, d.Verdict, d.Unsigned = errTest, policy.Verdict{}, transaction.Unsigned{Why: transaction.SignError}
		}),
			mail("ERROR", `signed="" action=tempfail rule="" reason="signing: test"`)},
	} {
		t.Run(name, func(t *testing.T) {
			l, out := newTestLog()
			l.Decided(&c.d)
			l.Panicked("session")
			if out.String() != c.want {
				t.Errorf("%s\nwant\n%s", out, c.want)
			}
		})
	}
}

// TestAdviceOnce: what concerns a network or the MTA, and not a message, is said
// once a configuration.
func TestAdviceOnce(t *testing.T) {
	l, out := newTestLog()
	say := func(ip string, hides bool) {
		d := &transaction.Decision{OwnPrivate: !hides, MTA: transaction.MTA{HidesFirst: hides, Version: "Postfix 2.11.0"}}
		d.Envelope.ClientIP = netip.MustParseAddr(ip)
		d.Results.Author.Domains = []string{"ours.example"}
		l.Decided(d)
	}
	for range 2 {
		for _, ip := range []string{"192.168.5.9", "192.168.5.10", "192.168.6.1", "fd00::1", "fd00::2"} {
			say(ip, false)
		}
		say("192.0.2.1", true)
	}
	for text, want := range map[string]int{
		"add 192.168.5.0/24 to outbound.networks": 1, "add 192.168.6.0/24 to": 1, "add fd00::/64 to": 1, "hides the first header field": 1, "author_domain=ours.example hint": 3,
	} {
		if n := strings.Count(out.String(), text); n != want {
			t.Errorf("%q %d times, want %d", text, n, want)
		}
	}
	l.Forget()
	say("192.168.5.9", false)
	if n := strings.Count(out.String(), "add 192.168.5.0/24"); n != 2 {
		t.Errorf("after a reload: %d", n)
	}
	for i := range 2 * maxWarned {
		say(fmt.Sprintf("fd00:%x::1", i+1), false)
	}
	if len(l.warned) > maxWarned {
		t.Errorf("%d networks are remembered", len(l.warned))
	}
}
