package hostile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

// TestControlCharacters: bare CR, bare LF and NUL, which readers cut at, drop
// or show, in fields that say nothing about the author and in the body. (In
// From and behind them: TestSeveralFromFields, TestAddressesInFrom.)
func TestControlCharacters(t *testing.T) {
	own := plain(attackerPeer, attacker, attacker)
	const pass = eves + "dmarc=pass header.from=attacker.example policy.dmarc=none"
	var cases []hostile
	for name, m := range map[string]Message{
		"NUL in another field":                    own.add("X-Note", " a\x00b"),
		"bare CR in another field":                own.add("X-Note", " a\rb"),
		"bare CR and an empty line":               own.add("X-Note", " a\r\rb"),
		"vertical tab and form feed":              own.add("X-Note", " a\x0b\x0cFrom: ceo@bank.example"),
		"next line, line and paragraph separator": own.add("X-Note", " a\u0085From: ceo@bank.example\u2028From: ceo@bank.example\u2029"),
		"escape sequence":                         own.add("X-Note", " \x1b[2J\x1b[31m"),
		"fold before text that is like a field":   own.add("X-Note", " a\r\n From: ceo@bank.example\r\n\tSubject: x"),
		"bare CR before white space":              own.add("X-Note", " a\r From: ceo@bank.example"),
		"8-bit junk":                              own.add("X-Note", " \xff\xfe\xc3"),
		"no value":                                own.add("X-Note", ""),
		"a name of one byte":                      own.add("X", " y"),
		"no name":                                 own.add("", " ceo@bank.example"),
		"a name of 998 bytes":                     own.add(strings.Repeat("X", 998), " y"),
		"NUL in the body":                         own.withBody("a\x00b\r\n"),
		"bare CR in the body":                     own.withBody("a\rb\r\n"),
		"bare LF in the body":                     own.withBody("a\nb\n"),
		"a body that begins like a header":        own.withBody("From: ceo@bank.example\r\nSubject: x\r\n\r\ny\r\n"),
		"a body without an end":                   own.withBody("a"),
		"no body":                                 own.withBody(""),
		"a CR at the end":                         own.withBody("a\r"),
		"empty lines only":                        own.withBody(strings.Repeat("\r\n", 1000)),
	} {
		cases = append(cases, hostile{name: name, m: evesFields(m), results: pass})
	}
	// What was signed with CRLF is not what arrives with bare line ends.
	for name, body := range map[string]string{"CRLF became LF": "Hello,\n\nplease look at this.\n", "CRLF became CR": "Hello,\r\rplease look at this.\r"} {
		cases = append(cases, hostile{name: name, m: eve(attacker).withBody(body),
			results: evesSPF + `; dkim=fail reason="body hash did not verify" header.d=attacker.example header.s=e header.a=ed25519-sha256; dmarc=pass header.from=attacker.example policy.dmarc=none`})
	}
	run(t, "", cases)
}

// TestSmuggling: ends of data that one MTA takes for such and another does not
// (SMTP smuggling, 2023). What reaches a milter behind them is body: it begins
// no second transaction, and its envelope and From count for nothing. When an
// MTA did end the message there, the rest comes as a message of its own, from
// the same client, and is judged as that client's.
func TestSmuggling(t *testing.T) {
	second := "MAIL FROM:<ceo@bank.example>\r\nRCPT TO:<box@ours.example>\r\nDATA\r\n" +
		"Authentication-Results: mx.ours.example; dmarc=pass\r\nFrom: ceo@bank.example\r\n\r\nPay eve.\r\n"
	var cases []hostile
	for _, end := range []string{"\r\n.\r\n", "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n..\r\n", "\n\n.\r\r\n", "\r\r\n.\r\r\n"} {
		m := plain(attackerPeer, attacker, attacker).withBody("a" + end + second + "b" + end)
		cases = append(cases,
			hostile{name: fmt.Sprintf("%q in Eve's own body", end), m: evesFields(m), results: eves + "dmarc=pass header.from=attacker.example policy.dmarc=none"},
			hostile{name: fmt.Sprintf("%q in a body with the bank's name", end), m: evesFields(m.set("From", " "+victim)), reply: rejected, results: evesFail})
	}
	// The smuggled message itself, on the connection of the innocent one.
	smuggled := plain(friendPeer, victim, victim)
	cases = append(cases, hostile{name: "the rest as a message of its own", m: smuggled, reply: rejected,
		results: `spf=fail reason="-all" smtp.mailfrom=bank.example; dkim=none; dmarc=fail reason="no identifier authenticated" header.from=bank.example policy.dmarc=reject`})
	run(t, "", cases)
}

// TestLimits: header sections at the limits and over them
// (docs/decisions/0004). Over them nobody has read the rest, so nobody is the author.
func TestLimits(t *testing.T) {
	const (
		fields, field, section = 1000, 128 << 10, 512 << 10
		pass                   = eves + "dmarc=pass header.from=attacker.example policy.dmarc=none"
	)
	signed := eve(attacker)
	filled := func(n int) Message { // n fields in all
		m := signed
		m.Fields = append(m.Fields[:len(m.Fields):len(m.Fields)], slices.Repeat(header.Fields{{Name: "X-Note", Value: " x"}}, n-len(m.Fields))...)
		return m
	}
	long := func(n int) Message { // one field of n bytes
		return signed.add("X-Long", strings.Repeat("x", n-len("X-Long:\r\n")))
	}
	big := func(n int) Message { // a section of n bytes
		m := signed
		for m.Fields.Len()+field < n {
			m = m.add("X-Long", strings.Repeat("x", 100_000))
		}
		return m.add("X-Rest", strings.Repeat("x", n-m.Fields.Len()-len("X-Rest:\r\n")))
	}
	over := func(what string) string {
		return evesSPF + `; dkim=policy reason="` + what + `" header.d=attacker.example header.s=e header.a=ed25519-sha256; dmarc=none reason="` + what + `"`
	}
	const (
		tooMany  = "more than 1000 header fields"
		tooLong  = "a header field of more than 131072 bytes"
		tooLarge = "a header section of more than 524288 bytes"
	)
	hidden := signed.add("X-Note", " x\rAuthentication-Results: "+AuthservID+pretend)
	run(t, "", []hostile{
		{name: "1,000 fields", m: filled(fields), results: pass},
		{name: "1,001 fields", m: filled(fields + 1), reply: unusable, results: over(tooMany)},
		{name: "1,001 fields, the last one is From", m: filled(fields).add("From", " "+victim), reply: unusable, results: over(tooMany)},
		{name: "20,000 fields", m: filled(20_000), reply: unusable, results: over(tooMany)},
		{name: "a field of 100 kB", m: long(100_000), results: pass},
		{name: "a field at the limit", m: long(field), results: pass},
		{name: "a field over the limit", m: long(field + 1), reply: unusable, results: over(tooLong)},
		{name: "a From of 100 kB", m: eve(strings.Repeat(attacker+", ", 4400) + attacker), results: pass},
		{name: "a From of 100 kB, the last one is the bank", m: eve(strings.Repeat(attacker+", ", 4400) + victim), reply: rejected, results: evesFail},
		{name: "a From of 100 kB of comments", m: eve(strings.Repeat("(x)", 30_000) + attacker), results: pass},
		{name: "a section at the limit", m: big(section), results: pass},
		{name: "a section over the limit", m: big(section + 1), reply: unusable, results: over(tooLarge)},
		{name: "forged results beyond the limit", m: filled(fields).add("Authentication-Results", " "+AuthservID+pretend), reply: unusable, results: over(tooMany)},
		{name: "forged results behind a bare CR", m: hidden, results: pass},
	})
	// Behind a bare CR beyond the limit they cannot be taken out, whatever the
	// policy says.
	l := newLab(t, "")
	m := filled(fields)
	for range 2 {
		m = m.add("X-Note", " x\rAuthentication-Results: "+AuthservID+pretend)
	}
	for _, c := range []*Client{l.rules, l.open} {
		if v, err := c.Deliver(m); err != nil || v.Code != 550 {
			t.Errorf("%v %d %s", err, v.Code, v.Text)
		}
	}
}
