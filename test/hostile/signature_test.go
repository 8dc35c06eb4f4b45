package hostile

import (
	"strings"
	"testing"
)

// spoof is the bank's name on Eve's mail, with a signature that lies.
func spoof(tags string) Message {
	return plain(attackerPeer, attacker, victim).signed(edKey("attacker.example"), tags).truly("attacker.example")
}

// spoofed is what comes of it: what passes does so for her, and that is not the bank.
func spoofed(dkim string) string {
	who := "spf attacker.example"
	if strings.HasPrefix(dkim, "dkim=pass") {
		who = "dkim attacker.example, " + who
	}
	return evesSPF + "; " + dkim + `; dmarc=fail reason="not aligned: ` + who + `" header.from=bank.example policy.dmarc=reject`
}

// replayed is what the bank's own signature gets, whoever hands the message over.
const replayed = evesSPF + "; dkim=pass header.d=bank.example header.s=e header.a=ed25519-sha256; dmarc=pass header.from=bank.example policy.dmarc=reject"

// TestSignatureDomain: d=, s= and i= that name the bank for one reader and
// attacker.example for another ("Composition Kills" §4.2, §4.3).
func TestSignatureDomain(t *testing.T) {
	var cases []hostile
	k := edKey("attacker.example")
	for _, c := range []struct{ name, d, s, more, dkim string }{
		{"d= is the bank, key of Eve", "bank.example", "e", "", `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"a3: s= with a NUL behind Eve's selector", "bank.example", "e._domainkey.attacker.example.\x00.any", "", `dkim=neutral reason="signature syntax error: bad tag=value syntax: value of s=" header.d=bank.example header.a=ed25519-sha256`},
		{"d= with a NUL", "bank.example\x00.attacker.example", "e", "", `dkim=neutral reason="signature syntax error: bad tag=value syntax: value of d=" header.a=ed25519-sha256`},
		{"d= ends in a dot", "bank.example.", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"bank.example.\" ends in a dot" header.a=ed25519-sha256`},
		{"d= with an underscore", "_x.bank.example", "e", "", `dkim=permerror reason="no key for signature: e._domainkey._x.bank.example" header.d=_x.bank.example header.s=e header.a=ed25519-sha256`},
		{"d= in upper case", "BANK.EXAMPLE", "e", "", `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"d= is an IP address", "192.0.2.10", "e", "", `dkim=neutral reason="signature syntax error: d=: \"192.0.2.10\" is an address, not a domain name" header.a=ed25519-sha256`},
		{"d= is an address literal", "[192.0.2.10]", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"[192.0.2.10]\": byte '[' in a label" header.a=ed25519-sha256`},
		{"d= is a top-level domain", "example", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"example\" has one label" header.a=ed25519-sha256`},
		{"d= is empty", "", "e", "", `dkim=neutral reason="signature syntax error: d=: empty domain name" header.a=ed25519-sha256`},
		{"d= is the root", ".", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \".\" ends in a dot" header.a=ed25519-sha256`},
		{"CVE-2020-12272: d= with a parenthesis", "bank.example(.attacker.example", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"bank.example(.attacker.example\": byte '(' in a label" header.a=ed25519-sha256`},
		{"a4: d= with a single quote", "bank.example'a.attacker.example", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"bank.example'a.attacker.example\": byte '\\'' in a label" header.a=ed25519-sha256`},
		{"d= with a double quote", `bank.example"=(.attacker.example`, "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"bank.example\\\"=(.attacker.example\": byte '\"' in a label" header.a=ed25519-sha256`},
		{"d= with a comma", "bank.example,attacker.example", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"bank.example,attacker.example\": byte ',' in a label" header.a=ed25519-sha256`},
		{"d= with white space", "bank.example attacker.example", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"bank.example attacker.example\": byte ' ' in a label" header.a=ed25519-sha256`},
		{"d= with full-width letters, key of Eve", "ｂａｎｋ.example", "e", "", `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"d= longer than a name", strings.Repeat("a.", 130) + "bank.example", "e", "", `dkim=neutral reason="signature syntax error: d=: domain name \"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a..." header.a=ed25519-sha256`},
		{"d= twice", "bank.example; d=attacker.example", "e", "", `dkim=neutral reason="signature syntax error: tag occurs twice: d=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"d= of a child of the bank's that Eve has not", "pay.bank.example", "e", "", `dkim=permerror reason="no key for signature: e._domainkey.pay.bank.example" header.d=pay.bank.example header.s=e header.a=ed25519-sha256`},
		{"s= that leads to Eve's key", "bank.example", "e._domainkey.attacker.example", "", `dkim=permerror reason="no key for signature: e._domainkey.attacker.example._domainkey.bank.example" header.d=bank.example header.s=e._domainkey.attacker.example header.a=ed25519-sha256`},
		{"s= ends in a dot", "bank.example", "e.", "", `dkim=neutral reason="signature syntax error: s=: domain name \"e.\" ends in a dot" header.d=bank.example header.a=ed25519-sha256`},
		{"s= with a slash", "bank.example", "../e", "", `dkim=neutral reason="signature syntax error: s=: domain name \"../e\": empty label" header.d=bank.example header.a=ed25519-sha256`},
		{"s= of 64 bytes", "bank.example", strings.Repeat("e", 64), "", `dkim=neutral reason="signature syntax error: s=: domain name \"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\": ..." header.d=bank.example header.a=ed25519-sha256`},
		{"i= is the bank's", "attacker.example", "e", "i=ceo@bank.example", `dkim=permerror reason="domain mismatch: i=\"ceo@bank.example\" is not in d=attacker.example" header.d=attacker.example header.i=@bank.example header.s=e header.a=ed25519-sha256`},
		{"i= is the bank's as a child of Eve's", "attacker.example", "e", "i=ceo@bank.example.attacker.example", `dkim=pass header.d=attacker.example header.i=ceo@bank.example.attacker.example header.s=e header.a=ed25519-sha256`},
		{"i= ends like d=", "attacker.example", "e", "i=ceo@notattacker.example", `dkim=permerror reason="domain mismatch: i=\"ceo@notattacker.example\" is not in d=attacker.example" header.d=attacker.example header.i=@notattacker.example header.s=e header.a=ed25519-sha256`},
		{"i= is the parent of d=", "mx.attacker.example", "e", "i=@attacker.example", `dkim=permerror reason="domain mismatch: i=\"@attacker.example\" is not in d=mx.attacker.example" header.d=mx.attacker.example header.i=@attacker.example header.s=e header.a=ed25519-sha256`},
		{"i= with two at signs", "attacker.example", "e", "i=ceo@bank.example@attacker.example", `dkim=pass header.d=attacker.example header.i=@attacker.example header.s=e header.a=ed25519-sha256`},
		{"i= quotes a result", "attacker.example", "e", "i=\"dmarc=pass\"@attacker.example", `dkim=neutral reason="signature syntax error: i=\"\\\"dmarc?pass\\\"@attacker.example\" is no address" header.d=attacker.example header.s=e header.a=ed25519-sha256`},
		{"i= hides one in quoted-printable", "attacker.example", "e", "i=x=3B=20dmarc=3Dpass@attacker.example", `dkim=pass header.d=attacker.example header.i=x=3B=20dmarc?3Dpass@attacker.example header.s=e header.a=ed25519-sha256`},
	} {
		cases = append(cases, hostile{name: c.name, reply: rejected, results: spoofed(c.dkim),
			m: spoof(rightTags(k, c.d, c.s, usual) + " " + c.more + ";")})
	}
	run(t, "", cases)
}

// TestSignatureSyntax: what cannot be read, or is not to be believed, never passes.
func TestSignatureSyntax(t *testing.T) {
	k := edKey("bank.example")
	right := rightTags(k, "bank.example", "e", usual)
	m := plain(attackerPeer, attacker, victim)
	var cases []hostile
	for _, c := range []struct{ name, tags, dkim string }{
		{"duplicate tag, both right", right + " v=1;", `dkim=neutral reason="signature syntax error: tag occurs twice: v=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"duplicate tag that is unknown", right + " y=1; y=2;", `dkim=neutral reason="signature syntax error: tag occurs twice: y=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"no v=", strings.Replace(right, "v=1; ", "", 1), `dkim=permerror reason="signature missing required tag: v=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"v=2", strings.Replace(right, "v=1", "v=2", 1), `dkim=neutral reason="incompatible version: v=\"2\"" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"no tag-list", right + " nonsense;", `dkim=neutral reason="signature syntax error: bad tag=value syntax: no \"=\" after \"nonsense\"" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"control character in a value", right + " n=\x01;", `dkim=neutral reason="signature syntax error: bad tag=value syntax: value of n=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"8-bit junk in a value", right + " n=\xff;", `dkim=neutral reason="signature syntax error: bad tag=value syntax: value of n=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"rsa-sha1", strings.Replace(right, "ed25519-sha256", "rsa-sha1", 1), `dkim=permerror reason="rsa-sha1 is not valid any more" header.d=bank.example header.s=e header.a=rsa-sha1`},
		{"no such algorithm", strings.Replace(right, "ed25519-sha256", "none", 1), `dkim=neutral reason="unsupported: a=\"none\"" header.d=bank.example header.s=e header.a=none`},
		{"algorithm of another key", strings.Replace(right, "ed25519-sha256", "rsa-sha256", 1), `dkim=permerror reason="inappropriate key algorithm: k=ed25519 for a=rsa-sha256" header.d=bank.example header.s=e header.a=rsa-sha256`},
		{"unknown canonicalization", strings.Replace(right, "relaxed/relaxed", "nowsp/relaxed", 1), `dkim=neutral reason="unsupported: c=\"nowsp/relaxed\"" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"query method that is not ours", right + " q=http;", `dkim=neutral reason="unsupported: q=\"http\"" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"bh= that is not base64", right + " bh=!!!!;", `dkim=neutral reason="signature syntax error: bh= is not base64" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"bh= of three bytes", right + " bh=AAAA;", `dkim=neutral reason="signature syntax error: bh= has 3 bytes, sha256 has 32" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"bh= of another body", right + " bh=" + zeroHash + ";", `dkim=fail reason="body hash did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"more names in h= than a header has", strings.Replace(right, usual, usual+strings.Repeat(":x", 1000), 1), `dkim=neutral reason="signature syntax error: h= has more than 1000 names" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"100 tags", right + strings.Repeat(" y=1;", 100), `dkim=neutral reason="signature syntax error: tag occurs twice: y=" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"t= is a word", right + " t=now;", `dkim=neutral reason="signature syntax error: t=\"now\" is not a number" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"t= is negative", right + " t=-1;", `dkim=neutral reason="signature syntax error: t=\"-1\" is not a number" header.d=bank.example header.s=e header.a=ed25519-sha256`},
	} {
		cases = append(cases, hostile{name: c.name, reply: rejected, results: spoofed(c.dkim), m: m.signed(k, c.tags).truly("attacker.example")})
	}
	// The same, done to a signature that was right.
	signed := m.by("bank.example")
	b := signed.Fields[0].Value
	for _, c := range []struct{ name, value, dkim string }{
		{"b= with junk in it", strings.Replace(b, " b=", " b=!", 1), `dkim=neutral reason="signature syntax error: b= is not base64" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"b= cut", b[:len(b)-10], `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"b= empty", b[:strings.Index(b, " b=")+3], `dkim=neutral reason="signature syntax error: b= is empty" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"b= with another signature behind", b + strings.TrimPrefix(b[strings.Index(b, " b=")+3:], " "), `dkim=neutral reason="signature syntax error: b= is not base64" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"b= of zeros", b[:strings.Index(b, " b=")+3] + strings.Repeat("A", 86) + "==", `dkim=fail reason="signature did not verify" header.d=bank.example header.s=e header.a=ed25519-sha256`},
		{"a field of 70 kB", b + "; n=" + strings.Repeat("x", 70_000), `dkim=neutral reason="signature syntax error: field longer than 65536 bytes"`},
	} {
		cases = append(cases, hostile{name: c.name, reply: rejected, results: spoofed(c.dkim), m: signed.set("DKIM-Signature", c.value).truly("attacker.example")})
	}
	// What the RFC allows is no attack.
	cases = append(cases,
		hostile{name: "white space in b= is fine", m: signed.set("DKIM-Signature", b[:len(b)-20]+"\r\n\t "+b[len(b)-20:]).truly("attacker.example", "bank.example"), results: replayed},
		hostile{name: "unknown tags are fine", m: m.signed(k, right+" y=1; zz=top;").truly("attacker.example", "bank.example"), results: replayed},
	)
	run(t, "", cases)
}
