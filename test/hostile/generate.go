package hostile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Case is a generated message with what may come of it.
type Case struct {
	// Name says which parts it was made of.
	Name string
	Message
	// MayPass: dmarc=pass is not wrong. Everyone whom a reader may take for the
	// author has sent it.
	MayPass bool
	// MustPass: it is honest mail in odd dress, and anything but dmarc=pass and
	// 250 is wrong.
	MustPass bool
}

// Problems lists what is wrong with the verdict, whichever policy the daemon
// has: what Verdict.Problems finds, a pass that may not be and one that must.
func (c Case) Problems(v Verdict) []string {
	p := v.Problems(c.Message)
	own, _ := v.ownField()
	_, results, _ := ReadResults(own)
	passed := v.Code == 250 && slices.ContainsFunc(results, func(r Result) bool { return r.Method == "dmarc" && r.Status == "pass" })
	if passed && !c.MayPass {
		p = append(p, "dmarc=pass, and may not")
	}
	if c.MustPass && (!passed || v.Held != "" || len(v.Fields) > 1 && v.Fields[1].Name == "X-Quarantine") {
		p = append(p, fmt.Sprintf("honest mail does not get through: %d %s%s", v.Code, v.Text, own))
	}
	return p
}

// Generate makes n messages. The same rng makes the same messages; at is the
// time at which they were signed, and should be about the daemon's.
func Generate(rng *rand.Rand, n int, at time.Time) []Case {
	g := maker{rng, at}
	cases := make([]Case, n)
	for i := range cases {
		kind := []func() Case{g.honest, g.eve, g.eve, g.spoof, g.spoof, g.replay, g.replay}[rng.IntN(7)]
		c := kind()
		c.MayPass = mayPass(c.Message)
		cases[i] = c
	}
	return cases
}

// mayPass: somebody is displayed, and everyone who is has sent it.
func mayPass(m Message) bool {
	shown := m.shown()
	return len(shown) > 0 && !slices.ContainsFunc(shown, func(d string) bool { return !m.sentBy(d) })
}

// honest mail comes from a friend's host, signed, and picks things up on its
// way that do not matter.
func (g maker) honest() Case {
	who, domain := friend, "friend.example"
	if g.chance(20) {
		who, domain = "김@bücher.example", "xn--bcher-kva.example"
	}
	from := who
	if domain == "friend.example" {
		from = g.fineFrom(who)
	}
	m := plain(friendPeer, who, from)
	m.Body = g.body()
	if g.chance(20) {
		m.MailFrom = ""
	}
	if g.chance(30) {
		m = m.set("To", g.pick(" Friends: <"+recipient+">, x@other.example;", " undisclosed-recipients:;", "\r\n\t<"+recipient+">", " (c) "+recipient))
	}
	m = m.signed(edKey(domain), g.times(rightTags(edKey(domain), domain, "e", g.pick(usual, "from", "From:Subject", "from : to :\r\n\tsubject"))))
	name := "honest"
	for range g.rng.IntN(3) {
		var part string
		m, part = g.decorate(m)
		name += "+" + part
	}
	return Case{Name: name, Message: m.truly(domain, "friend.example"), MustPass: true}
}

// times adds t= and perhaps x= of now.
func (g maker) times(tags string) string {
	tags += fmt.Sprintf(" t=%d;", g.now.Unix()-int64(g.rng.IntN(3600)))
	if g.chance(30) {
		tags += fmt.Sprintf(" x=%d;", g.now.Unix()+86400)
	}
	return tags
}

// eve writes as herself, all in order, and tries to be displayed as another.
func (g maker) eve() Case {
	m := plain(attackerPeer, attacker, g.oddFrom(attacker))
	name := "odd-from"
	if g.chance(30) {
		m, name = g.hide(m), name+"+hidden-from"
	}
	m.Body = g.body()
	m = m.signed(edKey("attacker.example"), g.times(rightTags(edKey("attacker.example"), "attacker.example", "e", g.pick(usual, "from:subject"))))
	return g.finish(name, m.truly("attacker.example"))
}

// hide adds a second author where some reader finds it.
func (g maker) hide(m Message) Message {
	v := " " + g.victim()
	switch g.rng.IntN(6) {
	case 0:
		return m.top("From", v)
	case 1:
		return m.add("From", v)
	case 2:
		return m.add(g.pick("From ", "from\t", " From", "FROM", "From\u00a0", "Fr\x02om"), v)
	case 3:
		return m.add("X-Note", " x"+g.pick("\r", "\n", "\r\r")+g.pick("From", "FROM ", "from")+":"+v)
	case 4:
		return m.add(g.pick("Sender", "Resent-From", "Reply-To", "X-From", "Fron"), v)
	}
	return m.add("X\rFrom", v)
}

// spoof writes as another, with envelope and signature bent.
func (g maker) spoof() Case {
	from := g.victim()
	if g.chance(20) {
		from = "" // nobody
	}
	m := plain(attackerPeer, attacker, from)
	m = g.envelope(m)
	m.Body = g.body()
	k := edKey("attacker.example")
	if g.chance(20) {
		k = rsaKey(1024)
	}
	m = m.signed(k, g.bentTags(k))
	return g.finish("spoof", m.truly("attacker.example"))
}

// bentTags is a signature that lies, or that is written so that a careless
// verifier goes wrong.
func (g maker) bentTags(k key) string {
	v := domainOf(g.victim())
	d := g.pick("attacker.example", v, v+"\x00.attacker.example", v+".", strings.ToUpper(v), v+"(.attacker.example", v+"'a.attacker.example", "192.0.2.10", "_x."+v, "example", "", "attacker.example."+v, v+"; d=attacker.example", "attacker.example; dmarc=pass", `"`+v+`"`)
	s := g.pick("e", "e", "r", "E", "e._domainkey.attacker.example.\x00", "e.", "", "x\" dmarc=pass", "e._domainkey.attacker.example")
	tags := rightTags(k, d, s, g.pick(usual, "from", "From:Subject", "", "subject", "from::to", "from"+strings.Repeat(":from", g.rng.IntN(1200)), "x-from"))
	for range g.rng.IntN(3) {
		tags += " " + g.pick(
			"i=@"+v, "i="+victim, "i=@a.attacker.example", "i=dmarc=pass@attacker.example", "i=\"x; dmarc=pass\"@attacker.example", "l=0", "l=1", "l=99999999", "x=1", "t=1; x=1",
			fmt.Sprintf("t=%d", g.now.Unix()+7200), "t=now", "q=dns/txt", "q=http", "v=1", "c=simple", "z=From:"+victim, "bh="+zeroHash, "n=dmarc=pass", "dmarc=pass", "no tag", "a=rsa-sha1", "b=x") + ";"
	}
	return tags
}

// replay is a message that the bank did sign, changed by somebody on the way.
func (g maker) replay() Case {
	names := g.pick(usual, "from:to:subject:date", "from:subject")
	m := plain(attackerPeer, g.pick(attacker, "", victim), victim)
	m.Body = g.pick("Pay 1 euro.\r\n", g.body())
	k := edKey("bank.example")
	m = m.signed(k, g.times(rightTags(k, "bank.example", "e", names)))
	before := m
	name, spoiled, another := "replay", false, false
	for range g.rng.IntN(3) {
		part := g.pick("body", "subject", "second-subject", "second-to", "refolded", "second-from", "from", "reply-to", "content-type", "cut-signature", "name-case")
		name += "+" + part
		switch part {
		case "body":
			m.Body += "Pay to eve.\r\n"
			spoiled = spoiled || relaxedBody(m.Body) != relaxedBody(before.Body)
		case "subject":
			m, spoiled = m.set("Subject", " another"), true
		case "second-subject":
			m, spoiled = m.top("Subject", " another"), true
		case "second-to":
			m = m.top("To", " eve@attacker.example") // spoils only where To is signed
			spoiled = spoiled || strings.Contains(names, "to")
		case "refolded":
			subject := m.Fields[m.place("Subject")].Value
			m = m.set("Subject", "\r\n\t"+strings.ReplaceAll(subject, " ", "  \r\n ")+" ")
		case "second-from":
			m = g.hide(m) // what the bank signed, and who is displayed says the rest
		case "from":
			m = m.set("From", " "+g.oddFrom(victim))
			another = strings.Join(strings.Fields(m.Fields[m.place("From")].Value), " ") != victim // may be put back
		case "reply-to":
			m = m.add("Reply-To", " "+attacker)
		case "content-type":
			m = m.add("Content-Type", " text/html")
		case "cut-signature":
			m, spoiled = m.set("DKIM-Signature", strings.TrimRight(m.Fields[m.place("DKIM-Signature")].Value, "=")[:40]), true
		case "name-case":
			m.Fields = slices.Clone(m.Fields)
			for i := range m.Fields {
				m.Fields[i].Name = strings.ToLower(m.Fields[i].Name)
			}
		}
	}
	if !spoiled && !another {
		m = m.truly("bank.example")
	}
	return g.finish(name, m.truly("attacker.example"))
}

// finish puts the things on top that anybody can.
func (g maker) finish(name string, m Message) Case {
	for range g.rng.IntN(3) {
		var part string
		m, part = g.decorate(m)
		name += "+" + part
	}
	if g.chance(10) {
		m, name = m.top("Delivered-To", " other@ours.example"), name+"+delivered-to"
	}
	return Case{Name: name, Message: m}
}
