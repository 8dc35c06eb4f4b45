package hostile

import (
	"strings"
	"testing"
)

// mutes makes the names of a domain silent that its mail's sender may choose:
// whatever is below lame., and the key "mute".
func mutes(domains ...string) (zone string) {
	for _, d := range domains {
		zone += "lame." + d + " * !servfail\n_dmarc.lame." + d + " * !servfail\nmute._domainkey." + d + " * !timeout\n"
	}
	return zone
}

// muteKey signs a message with a key of d that does not answer.
func muteKey(m Message, d string) Message {
	return m.signed(edKey("attacker.example"), rightTags(edKey("attacker.example"), d, "mute", usual))
}

// TestLookupsThatTheSenderChose: one name that does not answer, chosen by the
// sender, must not turn a rejection into an acceptance. The message waits; where
// nobody asked for a rejection, or nothing answers at all, it goes on.
func TestLookupsThatTheSenderChose(t *testing.T) {
	const (
		lameSPF  = `spf=temperror reason="TXT lame.DOMAIN: temporary DNS failure: SERVFAIL" smtp.mailfrom=lame.DOMAIN`
		lameWalk = `dmarc=temperror reason="TXT _dmarc.lame.DOMAIN: temporary DNS failure: SERVFAIL"`
		mute     = `dkim=temperror reason="key unavailable: TXT mute._domainkey.DOMAIN: temporary DNS failure: no answer in time" header.d=DOMAIN header.s=mute header.a=ed25519-sha256`
		muteDKIM = mute + `; dmarc=temperror reason="dkim of DOMAIN could not be decided"`
		asks     = ` header.from=DOMAIN policy.dmarc=POLICY`
	)
	var cases []hostile
	for _, of := range []struct{ domain, policy, reply string }{
		{"bank.example", "reject", deferred}, {"shop.example", "quarantine", ""}, {"club.example", "none", ""},
	} {
		eve := func(mailFrom, from string) Message {
			return plain(attackerPeer, mailFrom, from).truly("attacker.example")
		}
		author := "ceo@" + of.domain
		for _, c := range []struct {
			name    string
			m       Message
			results string
		}{
			{"MAIL FROM at a lame child", eve("x@lame.DOMAIN", author), lameSPF + "; dkim=none; " + lameWalk + asks},
			{"HELO at a lame child, null sender", eve("", author).from(Peer{attackerPeer.IP, "lame.DOMAIN"}, ""), strings.Replace(lameSPF, "mailfrom", "helo", 1) + "; dkim=none; " + lameWalk + asks},
			{"a key that does not answer", muteKey(eve(attacker, author), of.domain), evesSPF + "; " + muteDKIM + asks},
			{"the same with forged marks", muteKey(eve(attacker, author).add("Resent-From", " a@b.example").add("Delivered-To", " x@y.example"), of.domain), evesSPF + "; " + muteDKIM + asks},
			{"From at a lame child", eve(attacker, "ceo@lame.DOMAIN"), evesSPF + "; dkim=none; " + lameWalk + strings.Replace(asks, "from=", "from=lame.", 1)},
			{"From below a lame child", eve(attacker, "ceo@a.lame.DOMAIN"), evesSPF + "; dkim=none; " + lameWalk + strings.Replace(asks, "from=", "from=a.lame.", 1)},
		} {
			in := strings.NewReplacer("DOMAIN", of.domain, "POLICY", of.policy)
			c.m.MailFrom, c.m.Peer.Helo = in.Replace(c.m.MailFrom), in.Replace(c.m.Peer.Helo)
			c.m = c.m.set("From", in.Replace(c.m.Fields.All("From")[0]))
			h := hostile{name: c.name + ", p=" + of.policy, m: c.m, reply: of.reply, results: in.Replace(c.results)}
			if strings.HasPrefix(c.name, "From") && of.reply != "" {
				child := strings.TrimPrefix(strings.TrimSpace(c.m.Fields.All("From")[0]), "ceo@")
				h.reply = strings.Replace(of.reply, of.domain, child, 1)
			}
			cases = append(cases, h)
		}
	}
	cases = append(cases,
		hostile{name: "a second author, whose policy asks for less", m: muteKey(plain(attackerPeer, attacker, victim+", x@shop.example").truly("attacker.example"), "bank.example"),
			reply: deferred, results: strings.NewReplacer("DOMAIN", "bank.example", "POLICY", "reject").Replace(evesSPF + "; " + muteDKIM + asks)},
		hostile{name: "an honest letter whose key does not answer waits as well", m: muteKey(plain(attackerPeer, attacker, victim), "bank.example").truly("attacker.example"),
			reply: deferred, results: strings.NewReplacer("DOMAIN", "bank.example", "POLICY", "reject").Replace(evesSPF + "; " + muteDKIM + asks)},
		hostile{name: "a lame author whose organization signs", m: plain(bankPeer, victim, "ceo@lame.bank.example").by("bank.example").truly("bank.example"),
			results: "spf=pass smtp.mailfrom=bank.example; dkim=pass header.d=bank.example header.s=e header.a=ed25519-sha256; " + strings.ReplaceAll(lameWalk, "DOMAIN", "bank.example") + " header.from=lame.bank.example"},
		// Our own resolver is away: nothing is known, the policy neither.
		hostile{name: "nothing answers at all", m: plain(attackerPeer, "x@away.test", "ceo@away.test"),
			results: `spf=temperror reason="TXT away.test: temporary DNS failure: no answer in time" smtp.mailfrom=away.test; dkim=none; dmarc=temperror reason="TXT _dmarc.away.test: temporary DNS failure: no answer in time" header.from=away.test`},
	)
	run(t, mutes("bank.example", "shop.example", "club.example")+"away.test * !timeout\n_dmarc.away.test * !timeout\n_dmarc.test * !timeout\n", cases)
}

// TestLookupsThatAnswerAgain: what waited is judged when the DNS has healed.
func TestLookupsThatAnswerAgain(t *testing.T) {
	key := edKey("attacker.example")
	spoof, spoofed := muteKey(plain(attackerPeer, attacker, victim), "bank.example").truly("attacker.example"), evesSPF+
		`; dkim=fail reason="signature did not verify" header.d=bank.example header.s=mute header.a=ed25519-sha256; dmarc=fail reason="not aligned: spf attacker.example" header.from=bank.example policy.dmarc=reject`
	run(t, txt("mute._domainkey.bank.example", edKey("another").record())+txt("good._domainkey.bank.example", key.record()), []hostile{
		{name: "MAIL FROM below the bank", m: plain(attackerPeer, "x@lame.bank.example", victim).truly("attacker.example"), reply: rejected,
			results: `spf=none reason="lame.bank.example: no SPF record: the domain does not exist, RFC 7208 section 4.3" smtp.mailfrom=lame.bank.example; dkim=none; dmarc=fail reason="no identifier authenticated" header.from=bank.example policy.dmarc=reject`},
		{name: "a key of the bank's", m: spoof, reply: rejected, results: spoofed},
		{name: "an honest letter", m: plain(attackerPeer, attacker, victim).signed(key, rightTags(key, "bank.example", "good", usual)).truly("bank.example", "attacker.example"),
			results: strings.Replace(evesSPF+"; dkim=pass header.d=bank.example header.s=good header.a=ed25519-sha256; dmarc=pass header.from=bank.example policy.dmarc=reject", "POLICY", "reject", 1)},
	})
}
