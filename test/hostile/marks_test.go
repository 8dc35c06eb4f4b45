package hostile

import "testing"

// TestForgedMarks: which marks of forwarding anybody can write, and what they
// buy: quarantine, as RFC 9989 §7.4 has it, and nothing for those that a
// stranger's client cannot back.
func TestForgedMarks(t *testing.T) {
	base := plain(attackerPeer, attacker, victim).truly("attacker.example")
	srs := func(mailFrom, spf string) hostile {
		h := fromEnvelope("", "mx.attacker.example", mailFrom, spf)
		return h
	}
	stranger := srs("SRS0=x=y=bank.example=ceo@friend.example", `spf=fail reason="-all" smtp.mailfrom=friend.example`)
	stranger.name = "SRS0 at somebody else's domain"
	bank := srs("SRS1=x=friend.example==y=z=bank.example=ceo@bank.example", `spf=fail reason="-all" smtp.mailfrom=bank.example`)
	bank.name = "SRS1 at the bank's"
	nobody := srs("SRS0=x=y=bank.example=ceo@nowhere.example", `spf=none reason="nowhere.example: no SPF record: the domain does not exist, RFC 7208 section 4.3" smtp.mailfrom=nowhere.example`)
	nobody.name = "SRS0 at a domain without SPF"
	own := srs("SRS0=x=y=bank.example=ceo@attacker.example", evesSPF)
	own.name, own.reply, own.quarantined = "SRS0 at Eve's own", "", quarantine
	run(t, "", []hostile{stranger, bank, nobody, own,
		{name: "a List-Id of somebody else's", m: base.add("List-Id", " <l.friend.example>"), reply: rejected, results: spoofed("dkim=none")},
		{name: "a List-Id of Eve's own", m: base.add("List-Id", " <l.attacker.example>"), quarantined: quarantine, results: spoofed("dkim=none")},
		{name: "Resent-From", m: base.add("Resent-From", " a@b.example"), quarantined: quarantine, results: spoofed("dkim=none")},
		{name: "six authors", m: base.set("From", " a@a.attacker.example, b@b.attacker.example, c@c.attacker.example, d@d.attacker.example, e@attacker.example, ceo@bank.example").add("Resent-From", " a@b.example"),
			reply: unusable, results: evesSPF + `; dkim=none; dmarc=none reason="more than 5 author domains"`},
		{name: "five authors and one that only some readers see", m: base.set("From", " a@a.attacker.example, b@b.attacker.example, c@c.attacker.example, d@d.attacker.example, "+b64("Lee <lee@club.example>")+" <ceo@bank.example>"),
			reply: unusable, results: evesSPF + `; dkim=none; dmarc=none reason="more than 5 author domains"`},
	})
}
