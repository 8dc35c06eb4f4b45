package hostile

import (
	"strings"
	"testing"
)

// TestEnvelope: MAIL FROM and HELO that two readers take for two domains
// ("Composition Kills" §4.1, espoofer's server_a1 to a7). From is the bank's in
// all of them, and nothing is signed.
func TestEnvelope(t *testing.T) {
	var cases []hostile
	for _, c := range []struct{ name, helo, mailFrom, spf string }{
		{"the bank's MAIL FROM", "mx.attacker.example", victim, `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"Eve's own", "mx.attacker.example", attacker, evesSPF},
		{"a1, CVE-2019-20790: HELO of Eve's, MAIL FROM of a child of the bank's that does not exist", "mx.attacker.example", "any@mail.bank.example", `spf=none reason="mail.bank.example: no SPF record: the domain does not exist, RFC 7208 section 4.3" smtp.mailfrom=mail.bank.example`},
		{"empty MAIL FROM, HELO of Eve's", "mx.attacker.example", "", `spf=pass smtp.helo=mx.attacker.example`},
		{"empty MAIL FROM, HELO of the bank's", "mx.bank.example", "", `spf=fail reason="-all" smtp.helo=mx.bank.example`},
		{"empty MAIL FROM, HELO is the bank's domain", "bank.example", "", `spf=fail reason="-all" smtp.helo=bank.example`},
		{"empty MAIL FROM, HELO is an address", "[192.0.2.10]", "", `spf=none reason="no domain to check: domain name \"[192.0.2.10]\": byte '[' in a label, RFC 7208 section 4.3"`},
		{"empty MAIL FROM, HELO is a top-level domain", "example", "", `spf=none reason="no domain to check: \"example\" is a single label, RFC 7208 section 4.3"`},
		{"a2: MAIL FROM that begins with a parenthesis", "mx.attacker.example", "(any@bank.example", `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"a5: parenthesis behind the bank", "mx.attacker.example", "any@bank.example(a.attacker.example", `spf=none reason="no domain to check: domain name \"bank.example(a.attacker.example\": byte '(' in a label, RFC 7208 section 4.3"`},
		{"a6: single quote and second at sign", "mx.attacker.example", "any@bank.example'@any.attacker.example", `spf=pass smtp.mailfrom=any.attacker.example`},
		{"a7: route through the bank", "mx.attacker.example", "@bank.example,@any.example:'any@attacker.example", evesSPF},
		{"route through Eve", "mx.attacker.example", "@attacker.example:ceo@bank.example", `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"the bank in a quoted local part", "mx.attacker.example", `"ceo@bank.example"@attacker.example`, evesSPF},
		{"Eve in a quoted local part", "mx.attacker.example", `"eve@attacker.example>"@bank.example`, `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"two addresses", "mx.attacker.example", "ceo@bank.example,eve@attacker.example", evesSPF},
		{"closing bracket inside", "mx.attacker.example", "ceo@bank.example>eve@attacker.example", evesSPF},
		{"NUL behind the bank", "mx.attacker.example", "ceo@bank.example\x00.attacker.example", `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"no domain", "mx.attacker.example", "postmaster", `spf=none reason="no domain to check: empty domain name, RFC 7208 section 4.3"`},
		{"an empty domain", "mx.attacker.example", "ceo@", `spf=none reason="no domain to check: empty domain name, RFC 7208 section 4.3"`},
		{"an address literal", "mx.attacker.example", "ceo@[192.0.2.10]", `spf=none reason="no domain to check: domain name \"[192.0.2.10]\": byte '[' in a label, RFC 7208 section 4.3"`},
		{"full-width letters", "mx.attacker.example", "ceo@ｂａｎｋ.example", `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"upper case and a dot at the end", "mx.attacker.example", "ceo@BANK.EXAMPLE.", `spf=fail reason="-all" smtp.mailfrom=bank.example`},
		{"a child of Eve's called like the bank", "mx.attacker.example", "ceo@bank.example.attacker.example", `spf=pass smtp.mailfrom=bank.example.attacker.example`},
		{"a name longer than names are", "mx.attacker.example", "ceo@" + strings.Repeat("a.", 130) + "bank.example", `spf=none reason="no domain to check: domain name \"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"`},
		{"100 kB", "mx.attacker.example", strings.Repeat("a", 100_000) + "@attacker.example", evesSPF},
		{"SRS, which makes it look forwarded", "mx.attacker.example", "SRS0=x=y=bank.example=ceo@attacker.example", evesSPF},
	} {
		h := fromEnvelope(c.name, c.helo, c.mailFrom, c.spf)
		if strings.HasPrefix(c.name, "SRS") {
			h.reply, h.quarantined = "", quarantine
		}
		cases = append(cases, h)
	}
	run(t, "", cases)
}

// fromEnvelope is an unsigned message in the bank's name; all there is to go by
// is the envelope.
func fromEnvelope(name, helo, mailFrom, spf string) hostile {
	why := "no identifier authenticated"
	if strings.HasPrefix(spf, "spf=pass") {
		why = "not aligned: spf " + spf[strings.LastIndex(spf, "=")+1:]
	}
	return hostile{name: name, reply: rejected, m: plain(Peer{attackerPeer.IP, helo}, mailFrom, victim).truly("attacker.example"),
		results: spf + `; dkim=none; dmarc=fail reason="` + why + `" header.from=bank.example policy.dmarc=reject`}
}

// TestAlignment: who is near whom, by the records of RFC 9989 §4.10 and nothing
// else.
func TestAlignment(t *testing.T) {
	zone := `
_dmarc.strict.example     TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
strict.example            TXT "v=spf1 -all"
pay.strict.example        TXT "v=spf1 ip4:203.0.113.66 -all"
# a registry that sells names below itself, to Eve among others
_dmarc.reg.example        TXT "v=DMARC1; p=reject; psd=y"
eve.reg.example           TXT "v=spf1 ip4:203.0.113.66 -all"
_dmarc.shop.reg.example   TXT "v=DMARC1; p=reject"
# a host of customers that is an organization of its own
_dmarc.host.bank.example  TXT "v=DMARC1; p=none; psd=n"
eve.host.bank.example     TXT "v=spf1 ip4:203.0.113.66 -all"
# a department of the bank's that Eve may send for
news.bank.example         TXT "v=spf1 ip4:203.0.113.66 -all"
gone.bank.example         TXT "v=spf1 ip4:203.0.113.66 -all"
_dmarc.gone.bank.example  TXT "v=DMARC1; p=none"
_dmarc.twice.example      TXT "v=DMARC1; p=none"
_dmarc.twice.example      TXT "v=DMARC1; p=reject"
_dmarc.double.example     TXT "v=DMARC1; p=reject; p=none"
_dmarc.late.example       TXT "p=reject; v=DMARC1"
example                   TXT "v=spf1 ip4:203.0.113.66 -all"
`
	key, deep := edKey("attacker.example"), strings.Repeat("a.", 20)
	for _, d := range []string{"pay.strict.example", "eve.reg.example", "eve.host.bank.example", "news.bank.example", "reg.example", "notbank.example"} {
		zone += txt("e._domainkey."+d, key.record())
	}
	var cases []hostile
	for _, c := range []struct{ name, from, d, mailFrom, reply, results string }{
		{"the same ending is no relation", "ceo@bank.example", "notbank.example", "eve@notbank.example", "bank.example", `spf=none reason="notbank.example: no SPF record, RFC 7208 section 4.5" smtp.mailfrom=notbank.example; dkim=pass header.d=notbank.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim notbank.example" header.from=bank.example policy.dmarc=reject`},
		{"the author as a child of Eve's", "ceo@bank.example", "attacker.example", "ceo@bank.example.attacker.example", "bank.example", `spf=pass smtp.mailfrom=bank.example.attacker.example; dkim=pass header.d=attacker.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim attacker.example, spf bank.example.attacker.example" header.from=bank.example policy.dmarc=reject`},
		{"strict: a child does not speak for the parent", "ceo@strict.example", "pay.strict.example", "x@pay.strict.example", "strict.example", `spf=pass smtp.mailfrom=pay.strict.example; dkim=pass header.d=pay.strict.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim pay.strict.example, spf pay.strict.example" header.from=strict.example policy.dmarc=reject`},
		{"another customer of the registry", "ceo@shop.reg.example", "eve.reg.example", "x@eve.reg.example", "shop.reg.example", `spf=pass smtp.mailfrom=eve.reg.example; dkim=pass header.d=eve.reg.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim eve.reg.example, spf eve.reg.example" header.from=shop.reg.example policy.dmarc=reject`},
		{"a child of another customer's", "ceo@a.shop.reg.example", "eve.reg.example", "x@eve.reg.example", "a.shop.reg.example", `spf=pass smtp.mailfrom=eve.reg.example; dkim=pass header.d=eve.reg.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim eve.reg.example, spf eve.reg.example" header.from=a.shop.reg.example policy.dmarc=reject`},
		{"the registry itself", "ceo@shop.reg.example", "reg.example", "x@reg.example", "shop.reg.example", `spf=none reason="reg.example: no SPF record, RFC 7208 section 4.5" smtp.mailfrom=reg.example; dkim=pass header.d=reg.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim reg.example" header.from=shop.reg.example policy.dmarc=reject`},
		{"a customer of the bank's, as the bank", "ceo@bank.example", "eve.host.bank.example", "x@eve.host.bank.example", "bank.example", `spf=pass smtp.mailfrom=eve.host.bank.example; dkim=pass header.d=eve.host.bank.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim eve.host.bank.example, spf eve.host.bank.example" header.from=bank.example policy.dmarc=reject`},
		{"a top-level domain", "ceo@bank.example", "example", "x@example", "bank.example", `spf=none reason="no domain to check: \"example\" is a single label, RFC 7208 section 4.3"; dkim=neutral reason="signature syntax error: d=: domain name \"example\" has one label" header.a=ed25519-sha256; dmarc=fail reason="no identifier authenticated" header.from=bank.example policy.dmarc=reject`},
		{"a child of the bank's that does not exist", "ceo@no.such.bank.example", "attacker.example", attacker, "no.such.bank.example", eves + `dmarc=fail reason="not aligned: dkim attacker.example, spf attacker.example" header.from=no.such.bank.example policy.dmarc=reject`},
		{"twenty labels below the bank", "ceo@" + deep + "bank.example", "attacker.example", attacker, deep + "bank.example", eves + `dmarc=fail reason="not aligned: dkim attacker.example, spf attacker.example" header.from=` + deep + `bank.example policy.dmarc=reject`},
		{"an underscore below the bank", "ceo@_dmarc.bank.example", "attacker.example", attacker, "_dmarc.bank.example", eves + `dmarc=fail reason="not aligned: dkim attacker.example, spf attacker.example" header.from=_dmarc.bank.example policy.dmarc=reject`},
		{"a child of the bank's with a record of its own", "ceo@gone.bank.example", "attacker.example", attacker, "", eves + `dmarc=fail reason="not aligned: dkim attacker.example, spf attacker.example" header.from=gone.bank.example policy.dmarc=none`},
		{"two records are none", "ceo@twice.example", "attacker.example", attacker, "", eves + `dmarc=none reason="no policy record" header.from=twice.example`},
		{"a record with p= twice", "ceo@double.example", "attacker.example", attacker, "", eves + `dmarc=permerror reason="policy record has p= twice" header.from=double.example`},
		{"a record that does not begin with v=", "ceo@late.example", "attacker.example", attacker, "", eves + `dmarc=none reason="no policy record" header.from=late.example`},
	} {
		m := plain(attackerPeer, c.mailFrom, c.from).signed(key, rightTags(key, c.d, "e", usual)).truly("attacker.example", "="+c.d, "="+domainOf(c.mailFrom))
		h := hostile{name: c.name, m: m, results: c.results}
		if c.reply != "" {
			h.reply = strings.Replace(rejected, "bank.example", c.reply, 1)
		}
		cases = append(cases, h)
	}
	// Four authors and a MAIL FROM that cost eight questions each leave enough for
	// the bank, the fifth.
	far := ""
	for _, d := range []string{"a", "b", "c", "d"} {
		far += "x@" + deep + d + ".attacker.example, "
	}
	cases = append(cases, hostile{name: "deep names do not use up the questions", reply: strings.Replace(rejected, "bank", deep+"bank", 1), results: `spf=pass smtp.mailfrom=a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.attacker.example; dkim=pass header.d=attacker.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim attacker.example, spf a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.attacker.example" header.from=a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.bank.example policy.dmarc=reject`,
		m: plain(attackerPeer, "x@"+deep+"attacker.example", far+"ceo@"+deep+"bank.example").by("attacker.example").truly("attacker.example")})
	cases = append(cases, hostile{name: "relaxed: a department of the bank's speaks for it", results: "spf=pass smtp.mailfrom=news.bank.example; dkim=pass header.d=news.bank.example header.s=e header.a=ed25519-sha256; dmarc=pass header.from=bank.example policy.dmarc=reject",
		m: plain(attackerPeer, "x@news.bank.example", victim).signed(key, rightTags(key, "news.bank.example", "e", usual)).truly("bank.example")})
	run(t, zone, cases)
}
