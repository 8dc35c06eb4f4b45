package hostile

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// maker composes messages; its choices are those of rng.
type maker struct {
	rng *rand.Rand
	now time.Time
}

func (g maker) pick(list ...string) string { return list[g.rng.IntN(len(list))] }

func (g maker) chance(percent int) bool { return g.rng.IntN(100) < percent }

// victims are those whom a forger would like to be, with each policy.
func (g maker) victim() string {
	return g.pick(victim, victim, "shop@shop.example", "sue@club.example", friend, "pay@mail.bank.example", "x@bücher.example")
}

// oddFrom is a From field that some reader will read otherwise than another.
func (g maker) oddFrom(own string) string {
	v := g.victim()
	pieces := []func() string{
		func() string { return own },
		func() string { return v },
		func() string { return "<" + own + ">" },
		func() string { return "<" + v + ">" },
		func() string { return `"` + v + `"` },
		func() string { return `"` + own + `"` },
		func() string { return `"` + g.pick("Kim", "a, b", `\"`, `<`, "\x00", "=?utf-8?Q?x?=") + `"` },
		func() string { return "(" + g.pick(v, own, "<"+v+">", "c", `\)`, "(c)", "(") + ")" },
		func() string {
			return g.pick(b64(v), b64("<"+v+">"), b64(v+", Kim"), b64("Kim"), b64(own), "=?utf-8?Q?"+strings.ReplaceAll(v, "@", "=40")+"?=", "=?x?=")
		},
		func() string { return "<@" + domainOf(v) + g.pick(":", ",@x.example:") + own + ">" },
		func() string { return "<@" + domainOf(own) + ":" + v + ">" },
		func() string {
			return g.pick("Kim", "The Bank", "김", "Kim G.", "[x]", "a%b", "\xe9", "\u202e", "ceo@", "@")
		},
		func() string {
			return g.pick(",", ",", ";", ":", "Board:", `\`, `\,`, "<", ">", "(", ")", `"`, "<>", "@")
		},
		func() string {
			return g.pick("\r\n ", "\r\n\t", " ", "\t", "\r", "\n", "\r\n", "\x00", "\x0b", "\x7f", "\u00a0")
		},
		func() string {
			local, domain, _ := strings.Cut(v, "@")
			gap := g.pick(" ", "(x)", "\r\n ", " (x) ")
			return local + "@" + strings.Replace(domain, ".", g.pick(gap+".", "."+gap, gap+"."+gap), 1)
		},
		func() string {
			hidden := g.pick(v, v, "<"+v+">", v+" (", v+` "`, "<"+v, v+"\r\n", v+"\x00", `" <`+v+`>, "`, "), "+v+" (", v+":", v+";")
			return g.pick(`"`, "(", "", "") + b64(hidden) + g.pick(`"`, ")", "", "")
		},
		func() string {
			return "ceo@" + g.pick("bank。example", "ｂank.example", "bаnk.example", "bank.example.", "xn--bnk-6cd.example", "[192.0.2.10]", `"bank.example"`)
		},
	}
	var b strings.Builder
	for range 1 + g.rng.IntN(5) {
		b.WriteString(pieces[g.rng.IntN(len(pieces))]())
		b.WriteString(g.pick("", "", " ", ", "))
	}
	return b.String()
}

// b64 is an encoded word.
func b64(s string) string { return "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?=" }

func domainOf(addr string) string { return addr[strings.LastIndexByte(addr, '@')+1:] }

// fineFrom is a From field of the author's in odd but valid dress, with one
// reading.
func (g maker) fineFrom(own string) string {
	local, domain, _ := strings.Cut(own, "@")
	return g.pick(
		own,
		"<"+own+">",
		"Kim <"+own+">",
		`"Kim, the \"one\"" <`+own+">",
		own+" (Kim)",
		"(the one) "+own+" (and (only))",
		"\r\n Kim\r\n\t<"+own+">",
		"=?utf-8?B?6rmA?= <"+own+">",
		b64(own)+" <"+own+">",
		"김 <"+own+">",
		"Kim G. Lee <"+own+">",
		"Board: Kim <"+own+">;",
		own+", Lee <lee@"+domain+">",
		own+" <"+own+">",
		local+"@"+strings.ToUpper(domain),
		local+" @ "+domain,
		"  "+own+" \t",
		`"`+local+`"@`+domain,
		"'"+own+"' <"+own+">",
		"Kim <"+own+"> <"+own+">",
		"Kim <mailto:"+own+">",
		`"Kim" `+own,
		`CORP\kim <`+own+">",
		"Smile :) <"+own+">",
		"Kim (Sales <"+own+">",
		"<"+own+"> (x",
		`"kim@home"@`+domain,
		"a%b@"+domain,
		"\"\x95\x5c\x8e\xa6\" <"+own+">",
		"\x83\x40\x83\x41 <"+own+">",
		"\x1b$B<+@A\x1b(B <"+own+">",
		`"kim@attacker.example via Foo" <`+own+">",
	)
}

// spellings of an Authentication-Results field that claims to be ours.
func (g maker) forgedResults(m Message) Message {
	id := g.pick(AuthservID, strings.ToUpper(AuthservID), `"`+AuthservID+`"`, "(x) "+AuthservID, AuthservID+".", "\r\n\t"+AuthservID, AuthservID+" 1", AuthservID+"(c)", "mx.other.example", "", "mx.ours.example/x")
	name := g.pick("Authentication-Results", "authentication-results", "AUTHENTICATION-RESULTS", "Authentication-Results ", "Authentication-Results\t")
	value := " " + id + g.pick("; ", ";", " ; ") + g.pick("dmarc=pass header.from=bank.example", "spf=pass smtp.mailfrom=bank.example;\r\n dkim=pass header.d=bank.example", "none", "")
	if g.chance(10) {
		return m.top("X-Note", " hi\r"+name+":"+value)
	}
	if g.chance(50) {
		return m.add(name, value)
	}
	return m.top(name, value)
}

// decorate adds fields that change nothing about whose message it is.
func (g maker) decorate(m Message) (Message, string) {
	switch part := g.pick("results", "results", "arc", "junk-signatures", "trace", "long", "received-spf", "quarantine"); part {
	case "results":
		n := 1 + g.rng.IntN(g.rng.IntN(50)+1)
		for range n {
			m = g.forgedResults(m)
		}
		return m, fmt.Sprintf("%d-forged-results", n)
	case "arc":
		for i := range 1 + g.rng.IntN(3) {
			set := fmt.Sprintf(" i=%d; ", i+g.rng.IntN(2))
			m = m.top("ARC-Authentication-Results", set+AuthservID+"; dmarc=pass header.from=bank.example").
				top("ARC-Message-Signature", set+"a=rsa-sha256; d=bank.example; s=e; h=from; bh=AAAA; b=AAAA").
				top("ARC-Seal", set+"cv="+g.pick("none", "pass", "fail")+"; a=rsa-sha256; d=bank.example; s=e; b=AAAA")
		}
		return m, part
	case "junk-signatures":
		n := 1 + g.rng.IntN(12)
		for i := range n {
			m = m.top("DKIM-Signature", fmt.Sprintf(" v=1; a=rsa-sha256; d=%s; s=j%d; h=from; bh=%s; b=%s", g.pick("junk.example", "a.junk.example", "nobody.test"), i, g.pick("AAAA", zeroHash), g.pick("AAAA", "!", "dmarc=pass", "")))
		}
		return m, fmt.Sprintf("%d-junk-signatures", n)
	case "trace":
		return m.top("Received", " from "+g.pick("bank.example (mx.bank.example [192.0.2.10])", "[127.0.0.1]", "x\r\n by y")+" by "+AuthservID+"; Sun, 22 Nov 2026 00:00:00 +0000"), part
	case "long":
		return m.add("X-Long", " "+strings.Repeat("x", g.rng.IntN(100_000))), part
	case "received-spf":
		return m.top("Received-SPF", " pass ("+AuthservID+": domain of bank.example)"), part
	default:
		return m.top("X-Quarantine", " none"), part
	}
}

const zeroHash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

// body is what a body may hold on its way to a milter, ends of data of all
// kinds among it.
func (g maker) body() string {
	return g.pick(
		"", "x", "Hello.\r\n", "no end", "\r\n\r\n\r\n", " \t\r\n",
		"a\r\n.\r\nMAIL FROM:<ceo@bank.example>\r\nDATA\r\nFrom: ceo@bank.example\r\n\r\nx\r\n.\r\n",
		"a\n.\nMAIL FROM:<ceo@bank.example>\r\n", "a\r.\rMAIL FROM:<x>\r\n", "a\n.\r\nb\r\n", "a\r\n.\nb\r\n", "a\r\n\x00.\r\nb\r\n",
		"From: ceo@bank.example\r\n\r\nx\r\n", "a\x00b\r\n", "bare\rCR\r\n", "bare\nLF\r\n", "\xff\xfe 8-bit \xe9\r\n",
		strings.Repeat("long line ", 300)+"\r\n", strings.Repeat("line\r\n", 12_000), "\r", "\n",
	)
}

// envelope is a MAIL FROM and HELO that point somewhere else than the client.
func (g maker) envelope(m Message) Message {
	v := g.victim()
	m.MailFrom = g.pick(attacker, attacker, "", v, "any@nobody."+domainOf(v), "@"+domainOf(v)+",@x.example:"+attacker, v+"@attacker.example",
		attacker+"@"+domainOf(v), "x@"+domainOf(v)+"(.attacker.example", `"`+v+`"@attacker.example`, "x@a.attacker.example", "(x@"+domainOf(v), "x@"+domainOf(v)+"'@a.attacker.example",
		"x@attacker.example; dmarc=pass", "postmaster", "x@[192.0.2.10]", strings.Repeat("a", 300)+"@attacker.example")
	m.Peer.Helo = g.pick("mx.attacker.example", "mx.attacker.example", domainOf(v), "mx."+domainOf(v), "[203.0.113.66]", "localhost", "x; dmarc=pass", `x" dmarc=pass`, "x(", "bank.example\tdkim=pass")
	return m
}
