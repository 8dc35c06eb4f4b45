package milter

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/transaction"
)

// The whole way: changed, signed in that form, completed before the key is
// chosen; nothing of it for Postfix, for inbound mail, and for mail that is not
// signed.
func TestSendmailGetsItsForm(t *testing.T) {
	on := func(mta string) func(*transaction.Setup, *ServerConfig) {
		return func(s *transaction.Setup, _ *ServerConfig) { s.MTA = mta }
	}
	m := mailFrom("app@good.example")
	m.Raw = "From: Kim G. <app@good.example>\nTo: a@x.example,b@y.example\nAuthentication-Results: mail.good.example; dkim=pass\nCc: a,b\nSubject: s\n\ntext\n"

	l := newLab(t, on("sendmail"))
	a := l.one(submission(), m)
	for _, want := range []string{"\r\nFrom: \"Kim G.\" <app@good.example>\r\nTo: a@x.example, b@y.example\r\nCc: a,b\r\nSubject: s\r\n", "d=good.example;"} {
		if !strings.Contains(a.Raw, want) {
			t.Errorf("no %q in\n%s", want, a.Raw)
		}
	}
	in := mailFrom("app@good.example")
	in.Raw = a.Raw
	if b := l.one(outside(), in); strings.Count(top(b.Raw), "dkim=pass") != 2 {
		t.Errorf("the changed form is not the signed one:\n%s", b.Raw)
	}

	bare := m
	bare.Raw = "From: app\nTo: a@x.example\nReply-To: x y@z.example\n\ntext\n"
	if a := l.one(submission(), bare); strings.Contains(a.Raw, "DKIM-Signature") {
		t.Error("mail.example.com, the j of this client, is not ours") // completed and not listed: unsigned and unchanged
	} else if a.Edits != 0 {
		t.Errorf("%d edits to a message that is not signed", a.Edits)
	}

	for name, l := range map[string]*lab{"postfix": newLab(t, on("postfix")), "auto": newLab(t, on("auto"))} {
		if a := l.one(submission(), m); !strings.Contains(a.Raw, "\r\nFrom: Kim G. <app@good.example>\r\nTo: a@x.example,b@y.example\r\n") {
			t.Errorf("%s: changed\n%s", name, a.Raw)
		}
	}
	inbound := m
	inbound.MailFrom = "a@sender.example"
	inbound.Raw = strings.ReplaceAll(m.Raw, "good.example>", "sender.example>")
	if a := l.one(outside(), inbound); !strings.Contains(a.Raw, "\r\nFrom: Kim G. <app@sender.example>\r\nTo: a@x.example,b@y.example\r\n") {
		t.Errorf("inbound mail was changed\n%s", a.Raw)
	}
}

func TestUnclearFromIsSignedAndLogged(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.MTA = "sendmail" })
	m := mailFrom("alice@good.example")
	m.Raw = "From: \"Alice\"G. <alice@good.example>\nSubject: s\n\ntext\n"
	a := l.one(submission(), m)
	if !strings.Contains(a.Raw, "\r\nFrom: \"Alice\"G. <alice@good.example>\r\n") || strings.Count(a.Raw, "DKIM-Signature") != 2 {
		t.Errorf("%s", a.Raw)
	}
	if !strings.Contains(l.log.String(), "signature at risk") {
		t.Errorf("%s", l.log)
	}
}

func TestSignaturesAtRiskAreLogged(t *testing.T) {
	for _, tt := range []struct{ mta, body, want string }{
		{"sendmail", strings.Repeat("x", 991), "a body line of 991 bytes"},
		{"postfix", strings.Repeat("x", 999), "a body line of 999 bytes"},
		{"postfix", "caf\xe9", "8-bit body"},
		{"sendmail", strings.Repeat("x", 990), ""},
		{"postfix", strings.Repeat("x", 998), ""},
	} {
		l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.MTA = tt.mta })
		m := mailFrom("alice@good.example")
		m.Raw += tt.body + "\n" + tt.body + "\n"
		l.one(submission(), m)
		log := l.log.String()
		if n := strings.Count(log, "signature at risk"); tt.want == "" && n != 0 || tt.want != "" && (n != 1 || !strings.Contains(log, tt.want)) {
			t.Errorf("%s: want %q\n%s", tt.mta, tt.want, log)
		}
	}
}
