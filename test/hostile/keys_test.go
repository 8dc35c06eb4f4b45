package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// txt is a line of a zone.
func txt(name, text string) string { return fmt.Sprintf("%s TXT %q\n", name, text) }

// TestKeys: key records that are wrong, and keys that anybody could have made.
// Each case has a selector of the bank's to itself.
func TestKeys(t *testing.T) {
	ed, small, fine := edKey("bank.example"), rsaKey(512), rsaKey(1024)
	zone := ""
	var cases []hostile
	for i, c := range []struct {
		name    string
		k       key
		records []string
		dkim    string
		pass    bool
	}{
		{name: "RSA of 512 bits", k: small, records: []string{small.record()}, dkim: `dkim=permerror reason="rsa key too short: 512 bits" header.d=bank.example header.s=s0 header.a=rsa-sha256`},
		{name: "RSA of 1,023 bits", k: rsaKey(1023), records: []string{rsaKey(1023).record()}, dkim: `dkim=permerror reason="rsa key too short: 1023 bits" header.d=bank.example header.s=s1 header.a=rsa-sha256`},
		{name: "RSA of 1,024 bits", k: fine, records: []string{fine.record()}, pass: true},
		{name: "RSA of 2,048 bits", k: rsaKey(2048), records: []string{rsaKey(2048).record()}, pass: true},
		{name: "RSA of 16,384 bits", k: hugeKey(16384), records: []string{hugeKey(16384).record()}, dkim: `dkim=policy reason="rsa key too long: 16384 bits" header.d=bank.example header.s=s4 header.a=rsa-sha256`},
		{name: "Ed25519", k: ed, records: []string{ed.record()}, pass: true},
		{name: "k=rsa with an Ed25519 key", k: ed, records: []string{"v=DKIM1; k=rsa; p=" + ed.public()}, dkim: `dkim=permerror reason="key syntax error: p= is no rsa public key" header.d=bank.example header.s=s6 header.a=ed25519-sha256`},
		{name: "k=ed25519 with an RSA key", k: fine, records: []string{"v=DKIM1; k=ed25519; p=" + fine.public()}, dkim: `dkim=permerror reason="key syntax error: p= has 162 bytes, an ed25519 key has 32 (no ASN.1)" header.d=bank.example header.s=s7 header.a=rsa-sha256`},
		{name: "no k= with an Ed25519 key", k: ed, records: []string{"v=DKIM1; p=" + ed.public()}, dkim: `dkim=permerror reason="key syntax error: p= is no rsa public key" header.d=bank.example header.s=s8 header.a=ed25519-sha256`},
		{name: "a=rsa-sha256 for an Ed25519 key", k: fine, records: []string{ed.record()}, dkim: `dkim=permerror reason="inappropriate key algorithm: k=ed25519 for a=rsa-sha256" header.d=bank.example header.s=s9 header.a=rsa-sha256`},
		{name: "k= of a kind to come", k: ed, records: []string{"v=DKIM1; k=ml-dsa; p=" + ed.public()}, dkim: `dkim=permerror reason="inappropriate key algorithm: k=ml-dsa for a=ed25519-sha256" header.d=bank.example header.s=s10 header.a=ed25519-sha256`},
		{name: "revoked", k: ed, records: []string{"v=DKIM1; k=ed25519; p="}, dkim: `dkim=permerror reason="key revoked" header.d=bank.example header.s=s11 header.a=ed25519-sha256`},
		{name: "p= with junk", k: ed, records: []string{"v=DKIM1; k=ed25519; p=!" + ed.public()}, dkim: `dkim=permerror reason="key syntax error: p= is not base64" header.d=bank.example header.s=s12 header.a=ed25519-sha256`},
		{name: "p= of the other key", k: ed, records: []string{edKey("attacker.example").record()}, dkim: `dkim=fail reason="signature did not verify" header.d=bank.example header.s=s13 header.a=ed25519-sha256`},
		{name: "p= of zeros", k: ed, records: []string{"v=DKIM1; k=ed25519; p=" + strings.Repeat("A", 43) + "="}, dkim: `dkim=fail reason="signature did not verify" header.d=bank.example header.s=s14 header.a=ed25519-sha256`},
		{name: "p= twice", k: ed, records: []string{ed.record() + "; p=" + ed.public()}, dkim: `dkim=permerror reason="key syntax error: tag occurs twice: p=" header.d=bank.example header.s=s15 header.a=ed25519-sha256`},
		{name: "v=DKIM2", k: ed, records: []string{strings.Replace(ed.record(), "DKIM1", "DKIM2", 1)}, dkim: `dkim=permerror reason="key syntax error: v=\"DKIM2\" is not DKIM1" header.d=bank.example header.s=s16 header.a=ed25519-sha256`},
		{name: "sha1 only", k: ed, records: []string{ed.record() + "; h=sha1"}, dkim: `dkim=permerror reason="inappropriate hash algorithm" header.d=bank.example header.s=s17 header.a=ed25519-sha256`},
		{name: "not for mail", k: ed, records: []string{ed.record() + "; s=tlsrpt"}, dkim: `dkim=permerror reason="key is not for email" header.d=bank.example header.s=s18 header.a=ed25519-sha256`},
		{name: "no record", k: ed, dkim: `dkim=permerror reason="no key for signature: s19._domainkey.bank.example" header.d=bank.example header.s=s19 header.a=ed25519-sha256`},
		{name: "an SPF record", k: ed, records: []string{"v=spf1 ip4:203.0.113.66 -all"}, dkim: `dkim=permerror reason="key syntax error: v=\"spf1 ip4:203.0.113.66 -all\" is not DKIM1" header.d=bank.example header.s=s20 header.a=ed25519-sha256`},
		{name: "a record that reads like a result", k: ed, records: []string{"v=DKIM1; k=dmarc=pass; p=AAAA"}, dkim: `dkim=permerror reason="inappropriate key algorithm: k=dmarc?pass for a=ed25519-sha256" header.d=bank.example header.s=s21 header.a=ed25519-sha256`},
		{name: "64 KB of n=", k: ed, records: []string{ed.record() + "; n=" + strings.Repeat("x", 64<<10)}, dkim: `dkim=permerror reason="key syntax error: longer than 65536 bytes" header.d=bank.example header.s=s22 header.a=ed25519-sha256`},
		{name: "64 KB less what the key needs", k: ed, records: []string{ed.record() + "; n=" + strings.Repeat("x", 65000)}, pass: true},
		{name: "64 KB of tags", k: ed, records: []string{ed.record() + strings.Repeat("; a=", 16000)}, dkim: `dkim=permerror reason="key syntax error: tag occurs twice: a=" header.d=bank.example header.s=s24 header.a=ed25519-sha256`},
		{name: "64 KB of base64", k: fine, records: []string{"v=DKIM1; k=rsa; p=" + strings.Repeat("A", 65000)}, dkim: `dkim=permerror reason="key syntax error: p= is no rsa public key" header.d=bank.example header.s=s25 header.a=rsa-sha256`},
		{name: "several records, the right one last", k: ed, records: []string{"v=spf1 -all", fine.record(), ed.record()}, pass: true},
		{name: "several records, one revoked", k: ed, records: []string{"v=DKIM1; p=", ed.record()}, pass: true},
		{name: "several records, none right", k: ed, records: []string{edKey("a").record(), edKey("b").record()}, dkim: `dkim=fail reason="signature did not verify" header.d=bank.example header.s=s28 header.a=ed25519-sha256`},
		{name: "100 records, the right one last", k: ed, records: append(strings.Split(strings.Repeat("x|", 99), "|")[:99], ed.record()), dkim: `dkim=permerror reason="key syntax error: bad tag=value syntax: no \"=\" after \"x\"" header.d=bank.example header.s=s29 header.a=ed25519-sha256`},
		{name: "the DNS fails", k: ed, records: []string{"!servfail"}, dkim: `dkim=temperror reason="key unavailable: TXT s30._domainkey.bank.example: temporary DNS failure: SERVFAIL" header.d=bank.example header.s=s30 header.a=ed25519-sha256`},
	} {
		selector := fmt.Sprintf("s%d", i)
		for _, r := range c.records {
			if r == "!servfail" {
				zone += selector + "._domainkey.bank.example TXT !servfail\n"
				continue
			}
			zone += txt(selector+"._domainkey.bank.example", r)
		}
		m := plain(attackerPeer, attacker, victim).signed(c.k, rightTags(c.k, "bank.example", selector, usual)).truly("attacker.example")
		h := hostile{name: c.name, m: m, reply: rejected, results: spoofed(c.dkim)}
		if c.pass {
			h.m, h.reply = m.truly("bank.example"), ""
			h.results = strings.NewReplacer("header.s=e", "header.s="+selector, "ed25519", c.k.kind()).Replace(replayed)
		}
		if c.name == "the DNS fails" {
			// What the key would have said is not known: neither pass nor fail.
			h.reply, h.results = deferred, evesSPF+"; "+c.dkim+`; dmarc=temperror reason="dkim of bank.example could not be decided" header.from=bank.example policy.dmarc=reject`
		}
		cases = append(cases, h)
	}
	run(t, zone, cases)
}
