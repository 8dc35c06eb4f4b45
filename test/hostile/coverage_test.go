package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// TestSignatureCoverage: a message that the bank did sign, in the hands of Eve,
// who sends it on with more or other than was signed. What the bank signed and
// nobody changed stays true: a replay cannot be told from a forwarded message.
func TestSignatureCoverage(t *testing.T) {
	k := edKey("bank.example")
	letter := plain(attackerPeer, attacker, victim).add("Content-Type", " text/plain")
	signedWith := func(names, more string) Message {
		return letter.signed(k, rightTags(k, "bank.example", "e", names)+more)
	}
	once := signedWith("from:to:subject:content-type", "")
	over := signedWith("from:from:to:to:subject:subject:content-type:content-type:reply-to", "")
	few := signedWith("from", "")
	at := now.Unix()
	var cases []hostile
	for _, c := range []struct {
		name string
		m    Message
		dkim string
	}{
		{"second From behind, signed once", once.add("From", " "+victim), `dkim=policy reason="field occurs more often than signed: from 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Subject on top", once.top("Subject", " pay eve"), `dkim=policy reason="field occurs more often than signed: subject 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Subject behind", once.add("Subject", " pay eve"), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Subject, signed twice", over.top("Subject", " pay eve"), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Subject with white space before the colon", once.top("Subject ", " pay eve"), `dkim=policy reason="field occurs more often than signed: subject 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Subject with a control character", once.top("Subject\x01", " pay eve"), `dkim=policy reason="field occurs more often than signed: subject 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Subject behind a bare CR", once.top("X-Note", " hi\rSubject: pay eve"), `dkim=policy reason="field occurs more often than signed: subject 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second To", once.top("To", " eve@attacker.example"), `dkim=policy reason="field occurs more often than signed: to 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"second Content-Type", once.top("Content-Type", " text/html"), `dkim=policy reason="field occurs more often than signed: content-type 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"Reply-To that was signed as absent", over.add("Reply-To", " "+attacker), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"other Subject", once.set("Subject", " pay eve"), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"other body", once.withBody("Pay eve.\r\n"), `dkim=fail reason="body hash did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"body appended", once.withBody(letter.Body + "Pay eve.\r\n"), `dkim=fail reason="body hash did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"l= of the whole, body appended", signedWith(usual, fmt.Sprintf(" l=%d;", len(letter.Body))).withBody(letter.Body + "Pay eve.\r\n"), `dkim=policy reason="only part of the body is signed: l=32" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"l=0, other body", signedWith(usual, " l=0;").withBody("Pay eve.\r\n"), `dkim=policy reason="only part of the body is signed: l=0" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"l= larger than the body", signedWith(usual, " l=99999999999999999999;"), `dkim=fail reason="body hash did not verify: l= is larger than the body" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"expired", signedWith(usual, fmt.Sprintf(" t=%d; x=%d;", at-3600, at-1)), `dkim=permerror reason="signature expired on 2026-11-22" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"expired long ago", signedWith(usual, " x=1;"), `dkim=permerror reason="signature expired on 1970-01-01" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"x= before t=", signedWith(usual, fmt.Sprintf(" t=%d; x=%d;", at-10, at-20)), `dkim=neutral reason="signature syntax error: x= is not after t=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"signed two hours ahead", signedWith(usual, fmt.Sprintf(" t=%d;", at+7200)), `dkim=policy reason="signed in the future: t=1795314600" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"signed at the end of time", signedWith(usual, " t="+strings.Repeat("9", 30)+";"), `dkim=policy reason="signed in the future: t=9223372036854775807" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"From is not signed", signedWith("to:subject", ""), `dkim=permerror reason="from field not signed" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"h= is empty", signedWith("", ""), `dkim=neutral reason="signature syntax error: field name \"\" in h=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"h= names a field that is like From", signedWith("x-from:from-x:to", ""), `dkim=permerror reason="from field not signed" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"From of the bank's, signed as Eve's", once.set("From", " ceo@bank.example, eve@attacker.example"), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"From dressed up", once.set("From", " \"CEO\" <ceo@bank.example>"), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"a field that was signed is gone", once.without("To"), `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
	} {
		cases = append(cases, hostile{name: c.name, reply: rejected, results: spoofed(c.dkim), m: c.m.truly("attacker.example")})
		if strings.Contains(c.name, "second From") {
			n := len(cases) - 1
			cases[n].reply, cases[n].results = oneFrom, evesSPF+"; "+c.dkim+`; dmarc=none reason="2 From fields"`
		}
	}
	for _, c := range []struct {
		name string
		m    Message
	}{
		{"replayed as it was", once},
		{"replayed to another recipient", once.to("somebody@ours.example")},
		{"unsigned fields added", once.add("Reply-To", " "+attacker).add("X-Note", " pay eve")},
		{"other Subject and body type, where From alone was signed", few.set("Subject", " pay eve").top("Content-Type", " text/html")},
		{"refolded and with other white space", once.set("Subject", "\r\n\tthe  invoice \t")},
		{"expires in a second", signedWith(usual, fmt.Sprintf(" t=%d; x=%d;", at-10, at+1))},
		{"signed a minute ahead", signedWith(usual, fmt.Sprintf(" t=%d;", at+60))},
		{"empty lines at the end", once.withBody(letter.Body + "\r\n\r\n")},
	} {
		cases = append(cases, hostile{name: c.name, results: replayed, m: c.m.truly("attacker.example", "bank.example")})
	}
	run(t, "", cases)
}

func (m Message) withBody(body string) Message {
	m.Body = body
	return m
}

func (m Message) to(addr string) Message {
	m.RcptTo = addr
	return m
}

// TestManySignatures: junk must not keep the real one from being looked at, nor
// cost more than eight verifications (OpenDKIM verified any number).
func TestManySignatures(t *testing.T) {
	junk := func(m Message, n int, domain string) Message {
		for i := range n {
			m = m.top("DKIM-Signature", fmt.Sprintf(" v=1; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=j%d; h=from; bh=%s; b=AAAA", domain, i, zeroHash))
		}
		return m
	}
	real := plain(attackerPeer, attacker, victim).by("bank.example").truly("attacker.example", "bank.example")
	const (
		good = "dkim=pass header.d=bank.example header.s=e header.a=ed25519-sha256; "
		pass = "dmarc=pass header.from=bank.example policy.dmarc=reject"
	)
	bad := func(from, n int, domain string) (s string) {
		for i := range n {
			s += fmt.Sprintf(`dkim=permerror reason="no key for signature: j%d._domainkey.%s" header.d=%s header.s=j%d header.a=ed25519-sha256; `, from-i, domain, domain, from-i)
		}
		return s
	}
	more := func(n, of int) string {
		return fmt.Sprintf(`dkim=policy reason="too many signatures: %d of %d not verified"; `, n, of)
	}
	run(t, "", []hostile{
		{name: "seven above the real one", m: junk(real, 7, "junk.example"), results: evesSPF + "; " + bad(6, 7, "junk.example") + good + pass},
		{name: "eight above the real one", m: junk(real, 8, "junk.example"), results: evesSPF + "; " + bad(7, 7, "junk.example") + good + more(1, 9) + pass},
		{name: "500 above the real one", m: junk(real, 500, "junk.example"), results: evesSPF + "; " + bad(499, 7, "junk.example") + good + more(493, 501) + pass},
		{name: "eight of the bank's children above the real one", m: junk(real, 8, "a.bank.example"), results: evesSPF + "; " + bad(7, 7, "a.bank.example") + good + more(1, 9) + pass},
		{name: "seven in the bank's name above the real one", m: junk(real, 7, "bank.example"), results: evesSPF + "; " + bad(6, 7, "bank.example") + good + pass},
		{name: "eight in the bank's name above the real one", m: junk(real, 8, "bank.example"), reply: rejected,
			results: evesSPF + "; " + bad(7, 8, "bank.example") + more(1, 9) + `dmarc=fail reason="not aligned: spf attacker.example" header.from=bank.example policy.dmarc=reject`},
		{name: "500 of Eve's, and no real one", m: junk(plain(attackerPeer, attacker, victim).truly("attacker.example"), 500, "attacker.example"), reply: rejected,
			results: evesSPF + "; " + bad(499, 8, "attacker.example") + more(492, 500) + `dmarc=fail reason="not aligned: spf attacker.example" header.from=bank.example policy.dmarc=reject`},
	})
}
