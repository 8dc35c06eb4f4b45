package milter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter/client"
)

// hiding is a client of a Postfix that shows all fields but the first.
func hiding(p client.Peer) client.Peer {
	p.MTA = "Postfix 2.10.1"
	return p
}

const (
	ownReceived = "Received: from client (unknown [192.0.2.1])\n\tby mail.example.com (Postfix) with ESMTP id 4QTEST\n\tfor <box@good.example>\n"
	restFields  = "To: <box@good.example>\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\n"
)

func with(m client.Message, text string) client.Message {
	m.Raw = text
	return m
}

// TestHiddenFirstFieldIsNotRefused: a From that Postfix hides from us is not a
// From that is missing.
func TestHiddenFirstFieldIsNotRefused(t *testing.T) {
	for _, c := range []struct {
		name, mta, raw string
		code           int
		tagged         bool
	}{
		{"From is hidden", "Postfix 2.10.1", "From: <a@sender.example>\nSubject: test\n" + restFields, 250, true},
		{"there is none", "Postfix 2.10.1", ownReceived + "Subject: test\n" + restFields, 250, true},
		{"Received is hidden", "Postfix 2.10.1", ownReceived + "From: <a@sender.example>\nSubject: test\n" + restFields, 250, false},
		{"two", "Postfix 2.10.1", ownReceived + "From: <a@sender.example>\nFrom: <b@sender.example>\nSubject: test\n" + restFields, 550, false},
		{"within another field", "Postfix 2.10.1", ownReceived + "X: y\rFrom: <a@sender.example>\nSubject: test\n" + restFields, 550, false},
		{"behind the limits", "Postfix 2.10.1", ownReceived + strings.Repeat("X-A: b\n", 1001) + "From: <a@sender.example>\n", 550, false},
		{"2.11.2", "Postfix 2.11.2", "From: <a@sender.example>\nSubject: test\n" + restFields, 250, true},
		// These show everything, or are taken to.
		{"2.10.5", "Postfix 2.10.5", "Subject: test\n" + restFields, 550, false},
		{"3.12", "Postfix 3.12-20260821", "Subject: test\n" + restFields, 550, false},
		{"another name", "Mail 2.10.1", "Subject: test\n" + restFields, 550, false},
		{"no version", "Postfix", "Subject: test\n" + restFields, 550, false},
		{"Sendmail", "2.10.1", "Subject: test\n" + restFields, 550, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p := outside()
			p.MTA = c.mta
			a := l.one(p, with(mailFrom("a@sender.example"), c.raw))
			if a.Code != c.code || strings.Contains(a.Raw, "X-Quarantine: hidden-from; no From field among") != c.tagged {
				t.Errorf("%d %s\n%s", a.Code, a.Text, a.Raw)
			}
			if c.tagged && !strings.Contains(top(a.Raw), "dmarc=none") {
				t.Errorf("results: %s", top(a.Raw))
			}
		})
	}
}

// TestHiddenFirstFieldIsNotSigned: no signature says that a field is missing which
// may be the hidden one.
func TestHiddenFirstFieldIsNotSigned(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		signed    int
		h         string // of the signature
	}{
		{"nothing of the sender's", ownReceived + "From: <alice@good.example>\nSubject: test\n" + restFields, 2, "h=From:From:To:Subject:Subject:Date:Message-ID;"},
		{"Subject", "Subject: test\nFrom: <alice@good.example>\n" + restFields, 2, "h=From:From:To:Date:Message-ID;"},
		{"From", "From: <alice@good.example>\nSubject: test\n" + restFields, 0, ""},
		{"a field that we do not sign", "X-A: b\nFrom: <alice@good.example>\n" + restFields, 2, "h=From:From:To:Date:Message-ID;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Sign.Oversign = append(s.Sign.Oversign, "Resent-From") })
			a := l.one(hiding(submission()), with(mailFrom("alice@good.example"), c.raw+"\nHello.\n"))
			if n := strings.Count(a.Raw, "DKIM-Signature:"); a.Code != 250 || n != c.signed {
				t.Fatalf("%d, %d signatures, log:\n%s", a.Code, n, l.log)
			}
			if c.signed == 0 {
				if !strings.Contains(l.log.String(), "level=WARN msg=message") || !strings.Contains(l.log.String(), "this Postfix hides") {
					t.Errorf("the log does not say why:\n%s", l.log)
				}
				return
			}
			if got := strings.ReplaceAll(top(a.Raw), " ", ""); !strings.Contains(got, c.h) {
				t.Errorf("want %s in %s", c.h, got)
			}
			// The next hop sees all of it.
			in := with(mailFrom("alice@good.example"), a.Raw)
			b := l.one(outside(), in)
			if n := strings.Count(top(b.Raw), "dkim=pass"); n != 2 {
				t.Errorf("%d of 2 signatures pass:\n%s\n%s", n, top(b.Raw), a.Raw)
			}
		})
	}
}

// TestHidingMTAIsNamedOnce: one line for the admin, not one a message.
func TestHidingMTAIsNamedOnce(t *testing.T) {
	l := newLab(t)
	for range 2 {
		l.one(hiding(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}), with(mailFrom("a@good.example"), ownReceived+mailFrom("a@good.example").Raw))
	}
	if n := strings.Count(l.log.String(), "hides the first header field"); n != 1 {
		t.Errorf("%d lines:\n%s", n, l.log)
	}
	m := newLab(t)
	m.one(submission(), mailFrom("a@good.example"))
	if strings.Contains(m.log.String(), "hides the first") {
		t.Errorf("%s", m.log)
	}
}

// TestOwnReceivedIsSeen: where a milter before us inserted a field on top, the old
// Postfix hides that one, and shows its own Received: no mark of mail that came from
// outside.
func TestOwnReceivedIsSeen(t *testing.T) {
	for name, received := range map[string]string{
		"the sendmail command": "Received: by mail.example.com (Postfix, from userid 0)\n\tid 4QTEST; Sat, 21 Nov 2026 12:00:00 +0000 (UTC)\n",
		"port 25 on loopback":  "Received: from localhost (localhost [127.0.0.1])\n\tby mail.example.com (Postfix) with ESMTP id 4QTEST\n\tfor <box@good.example>; Sat, 21 Nov 2026 12:00:00 +0000 (UTC)\n",
		"IPv6":                 "Received: from localhost (localhost [IPv6:::1])\n\tby mail.example.com (Postfix) with ESMTP id 4QTEST; Sat, 21 Nov 2026 12:00:00 +0000 (UTC)\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			p := hiding(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"})
			a := l.one(p, with(mailFrom("a@good.example"), "X-Virus: another milter\n"+received+mailFrom("a@good.example").Raw))
			if n := strings.Count(a.Raw, "DKIM-Signature:"); n != 2 {
				t.Errorf("%d signatures, log:\n%s", n, l.log)
			}
		})
	}
}
