package hostile

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/policy"
)

// TestInjection: text of the forger's that ends up in our field stays a value
// there, for a careful reader and for one that searches for "dmarc=pass"
// (CVE-2020-12272, "Composition Kills" §4.3). Verdict.Problems counts the
// results that either of them finds.
func TestInjection(t *testing.T) {
	const inject = `x"; dmarc=pass header.from=bank.example; spf=pass (`
	k := edKey("attacker.example")
	right := rightTags(k, "attacker.example", "e", usual)
	zone := txt("quote.attacker.example", `v=spf1 ?exists:x";dmarc=pass;.attacker.example ~all`) +
		"x\";dmarc=pass;.attacker.example A 127.0.0.1\n" +
		txt("mech.attacker.example", "v=spf1 ip4:203.0.113.0/24x;dmarc=pass -all") +
		txt("k._domainkey.attacker.example", `v=DKIM1; k=x"dmarc=pass; p=AAAA`) +
		txt("v._domainkey.attacker.example", `v=x" dmarc=pass`) +
		txt("h._domainkey.attacker.example", `v=DKIM1; h=dmarc=pass; p=AAAA`) +
		txt("tag._domainkey.attacker.example", `v=DKIM1; dmarc=pass dkim=pass; dmarc=pass; p=AAAA`) +
		txt("_dmarc.evil.attacker.example", `v=DMARC1; p="; dmarc=pass`)
	var cases []hostile
	envelope := func(name, helo, mailFrom, spf string) {
		cases = append(cases, fromEnvelope(name, helo, mailFrom, spf))
	}
	envelope("HELO", inject, "", `spf=none reason="no domain to check: domain name \"x\\\"; dmarc?pass header.from=bank.example; spf?pass (\": byte '\"' in a label, RFC 7208 se"`)
	envelope("HELO with a backslash at the end", `dmarc=pass\`, "", `spf=none reason="no domain to check: domain name \"dmarc?pass\\\\\": byte '=' in a label, RFC 7208 section 4.3"`)
	envelope("HELO with line ends", "x\r\n dmarc=pass\r\nAuthentication-Results: mx.ours.example; dmarc=pass", "", `spf=none reason="no domain to check: domain name \"x\\r\\n dmarc?pass\\r\\nAuthentication-Results: mx.ours.example; dmarc?pass\": byte '\\r' in "`)
	envelope("HELO with a comment", "attacker.example(dmarc=pass)", "", `spf=none reason="no domain to check: domain name \"attacker.example(dmarc?pass)\": byte '(' in a label, RFC 7208 section 4.3"`)
	envelope("HELO in UTF-8", "dmarc＝pass.example", "", `spf=none reason="no domain to check: domain name \"dmarc?pass.example\": byte '=' in a label, RFC 7208 section 4.3"`)
	envelope("HELO of 70 kB", strings.Repeat("dmarc=pass ", 6400), "", `spf=none reason="no domain to check: name of more than 1024 bytes, RFC 7208 section 4.3"`)
	envelope("MAIL FROM", "mx.attacker.example", inject+"@"+inject, `spf=none reason="no domain to check: domain name \"x\\\"; dmarc?pass header.from=bank.example; spf?pass (\": byte '\"' in a label, RFC 7208 se"`)
	envelope("MAIL FROM with a result in the local part", "mx.attacker.example", "dmarc=pass@attacker.example", `spf=pass smtp.mailfrom=attacker.example`)
	envelope("MAIL FROM with line ends", "mx.attacker.example", "x@a\r\n dmarc=pass", `spf=none reason="no domain to check: domain name \"a\\r\\n dmarc?pass\": byte '\\r' in a label, RFC 7208 section 4.3"`)
	envelope("mechanism of Eve's SPF record", "mx.attacker.example", "x@quote.attacker.example", `spf=neutral reason="?exists:x\";dmarc?pass;.attacker.example" smtp.mailfrom=quote.attacker.example`)
	envelope("error of Eve's SPF record", "mx.attacker.example", "x@mech.attacker.example", `spf=permerror reason="mech.attacker.example: \"ip4:203.0.113.0/24x;dmarc?pass\": syntax error: prefix length \"24x;dmarc?pass\" is not a number fr" smtp.mailfrom=mech.attacker.example`)
	signature := func(name, tags, dkim string) {
		cases = append(cases, hostile{name: name, m: spoof(tags), reply: rejected, results: spoofed(dkim)})
	}
	signature("d=", strings.Replace(right, "d=attacker.example", `d=x"  dmarc=pass (`, 1), `dkim=neutral reason="signature syntax error: d=: domain name \"x\\\"  dmarc?pass (\": byte '\"' in a label" header.a=ed25519-sha256`)
	signature("s=", strings.Replace(right, "s=e", `s=x" dmarc=pass`, 1), `dkim=neutral reason="signature syntax error: s=: domain name \"x\\\" dmarc?pass\": byte '\"' in a label" header.d=attacker.example header.a=ed25519-sha256`)
	signature("i=", right+` i=x" dmarc=pass@attacker.example;`, `dkim=neutral reason="signature syntax error: i=\"x\\\"dmarc?pass@attacker.example\" is no address" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("i= elsewhere", right+` i=dmarc=pass@dmarc=pass;`, `dkim=neutral reason="signature syntax error: i=\"dmarc?pass@dmarc?pass\" is no address" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("i= with a local part that reads like a result", right+" i=dmarc/dkim.spf_pass@attacker.example;", "dkim=pass header.d=attacker.example header.i=dmarc/dkim.spf_pass@attacker.example header.s=e header.a=ed25519-sha256")
	signature("a=", strings.Replace(right, "a=ed25519-sha256", `a=x"dmarc=pass`, 1), `dkim=neutral reason="unsupported: a=\"x\\\"dmarc?pass\"" header.d=attacker.example header.s=e`)
	signature("c=", strings.Replace(right, "relaxed/relaxed", `dmarc=pass/x`, 1), `dkim=neutral reason="unsupported: c=\"dmarc?pass/x\"" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("q=", right+` q=dmarc=pass;`, `dkim=neutral reason="unsupported: q=\"dmarc?pass\"" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("v=", strings.Replace(right, "v=1", `v=dmarc=pass`, 1), `dkim=neutral reason="incompatible version: v=\"dmarc?pass\"" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("h=", strings.Replace(right, "h=from:", `h=dmarc=pass x:from:`, 1), `dkim=neutral reason="signature syntax error: field name \"dmarc?pass x\" in h=" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("t=", right+` t=dmarc=pass;`, `dkim=neutral reason="signature syntax error: t=\"dmarc?pass\" is not a number" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("a tag's name", right+` dmarc=pass; dmarc=pass;`, `dkim=neutral reason="signature syntax error: tag occurs twice: dmarc?" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("no tag", right+` "dmarc;`, `dkim=neutral reason="signature syntax error: bad tag=value syntax: no \"=\" after \"\\\"dmarc\"" header.d=attacker.example header.s=e header.a=ed25519-sha256`)
	signature("k= of the key", strings.Replace(right, "s=e", "s=k", 1), `dkim=permerror reason="inappropriate key algorithm: k=x\"dmarc?pass for a=ed25519-sha256" header.d=attacker.example header.s=k header.a=ed25519-sha256`)
	signature("v= of the key", strings.Replace(right, "s=e", "s=v", 1), `dkim=permerror reason="key syntax error: v=\"x\\\" dmarc?pass\" is not DKIM1" header.d=attacker.example header.s=v header.a=ed25519-sha256`)
	signature("h= of the key", strings.Replace(right, "s=e", "s=h", 1), `dkim=permerror reason="key syntax error: p= is no rsa public key" header.d=attacker.example header.s=h header.a=ed25519-sha256`)
	signature("tag of the key", strings.Replace(right, "s=e", "s=tag", 1), `dkim=permerror reason="key syntax error: tag occurs twice: dmarc?" header.d=attacker.example header.s=tag header.a=ed25519-sha256`)
	b := func(s string) string { return " " + right + " bh=" + zeroHash + "; b=" + s }
	cases = append(cases,
		hostile{name: "b= twice nearly the same, which makes header.b long", reply: rejected, results: spoofed(`dkim=neutral reason="signature syntax error: b= is not base64" header.d=attacker.example header.s=e header.a=ed25519-sha256; dkim=neutral reason="signature syntax error: b= is not base64" header.d=attacker.example header.s=e header.a=ed25519-sha256`),
			m: plain(attackerPeer, attacker, victim).top("DKIM-Signature", b("dmarc=pass"+strings.Repeat("x", 300)+"1")).top("DKIM-Signature", b("dmarc=pass"+strings.Repeat("x", 300)+"2")).truly("attacker.example")},
		hostile{name: "the author's DMARC record", m: eve("x@evil.attacker.example"), results: eves + `dmarc=permerror reason="policy record has an invalid p=" header.from=evil.attacker.example`},
		hostile{name: "a From that is nobody's", m: eve(`"; dmarc=pass" <` + inject + `@bank.example>`), reply: rejected, results: evesFail},
	)
	run(t, zone, cases)
}

// TestExplanation: the text that a domain's SPF record gives for the sender (exp=,
// RFC 7208 §6.2), and HELO, in a reply and a field of the administrator's rule.
func TestExplanation(t *testing.T) {
	cfg, problems := config.Parse("milter.yaml", []byte(`
authserv_id: mx.ours.example
policy:
  rules:
    - {name: told, if: {spf: fail, mail_from: {glob: "*"}}, action: reject, reply: "550 5.7.1 {helo} says {spf.explanation}"}
    - {name: marked, if: {spf: [none, pass]}, action: tag, headers: {X-Helo: "{helo} {from.error}"}}
`))
	if cfg == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	rules, bad := policy.Compile(&cfg.Policy.Rules.Node, policy.Options{})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	zone := Zone()
	for name, text := range map[string]string{
		"lines": "no\r\n250 2.0.0 Ok\r\nAuthentication-Results: mx.ours.example; dmarc=pass",
		"helo":  "%{h}",
		"plain": "100%% sure%_%_dmarc=pass " + strings.Repeat("x", 1000),
	} {
		zone += txt(name+".attacker.example", "v=spf1 -all exp=text-"+name+".attacker.example") + txt("text-"+name+".attacker.example", text)
	}
	z, err := resolve.ParseZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, z, rules)
	m := plain(Peer{attackerPeer.IP, "x\r\n250 Ok%s"}, "", attacker)
	for name, want := range map[string]string{
		"lines": "5.7.1 x??250 Ok%s says", // no explanation is better than that one
		"helo":  "5.7.1 x??250 Ok%s says",
		"plain": "5.7.1 x??250 Ok%s says 100% sure  dmarc=pass " + strings.Repeat("x", 361), // 400 bytes of text
	} {
		m.MailFrom = "x@" + name + ".attacker.example"
		if v, err := c.Deliver(m); err != nil || v.Code != 550 || v.Text != want {
			t.Errorf("%s: %v %d %d %q\nwant %q", name, err, v.Code, len(v.Text), v.Text, want)
		}
	}
	m.MailFrom = "x@nobody.example"
	v, err := c.Deliver(m)
	if err != nil || v.Code != 250 {
		t.Fatal(err, v.Code)
	}
	if got := v.Fields.All("X-Helo"); len(got) != 1 || got[0] != " x??250 Ok%s " {
		t.Errorf("%q", got)
	}
}

// TestARCSets: sets in the bank's name make a message look forwarded at most,
// which buys quarantine instead of a rejection.
func TestARCSets(t *testing.T) {
	set := func(m Message, i, cv string) Message {
		return m.top("ARC-Authentication-Results", " i="+i+"; "+AuthservID+"; spf=pass; dkim=pass header.d=bank.example; dmarc=pass header.from=bank.example").
			top("ARC-Message-Signature", " i="+i+"; a=rsa-sha256; d=bank.example; s=e; h=from; bh="+zeroHash+"; b=AAAA").
			top("ARC-Seal", " i="+i+"; cv="+cv+"; a=rsa-sha256; d=bank.example; s=e; b=AAAA")
	}
	base := plain(attackerPeer, attacker, victim).truly("attacker.example")
	fail := spoofed("dkim=none")
	many := base
	for range 60 {
		many = set(many, "1", "none")
	}
	own := evesFields(plain(attackerPeer, attacker, attacker))
	run(t, "", []hostile{
		{name: "a whole set", m: set(base, "1", "none"), quarantined: quarantine, results: fail},
		{name: "a set that says it failed", m: set(base, "1", "fail"), quarantined: quarantine, results: fail},
		{name: "a chain with a gap", m: set(set(base, "1", "none"), "3", "pass"), quarantined: quarantine, results: fail},
		{name: "60 sets", m: many, quarantined: quarantine, results: fail},
		{name: "instance 51", m: set(base, "51", "pass"), reply: rejected, results: fail},
		{name: "instance 0", m: set(base, "0", "pass"), reply: rejected, results: fail},
		{name: "instance beyond all numbers", m: set(base, strings.Repeat("9", 99), "pass"), reply: rejected, results: fail},
		{name: "no instance", m: set(base, "", "pass"), reply: rejected, results: fail},
		{name: "one field of three", m: base.top("ARC-Authentication-Results", " i=1; "+AuthservID+"; dmarc=pass header.from=bank.example"), reply: rejected, results: fail},
		{name: "a set on Eve's own mail", m: set(own, "1", "none"), results: eves + "dmarc=pass header.from=attacker.example policy.dmarc=none"},
	})
}
