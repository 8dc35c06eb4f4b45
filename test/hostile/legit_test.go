package hostile

import (
	"strings"
	"testing"
)

// TestLegitimate: honest mail in odd but valid dress gets what it deserves: it
// is accepted, unmarked, with dmarc=pass.
func TestLegitimate(t *testing.T) {
	var cases []hostile
	for name, from := range map[string]string{
		"an address alone":                       "kim@friend.example",
		"angle brackets alone":                   "<kim@friend.example>",
		"comment behind (RFC 5322 appendix A.5)": "kim@friend.example (Kim Lee)",
		"comments everywhere they may be":        `(a) "Kim" (b (c) \)) <kim@friend.example> (d)`,
		"quoted name with everything in it":      `"Lee, Kim <k> (the \"one\"); x: \\" <kim@friend.example>`,
		"own address as the name":                "kim@friend.example <kim@friend.example>",
		"own address as the quoted name":         `"kim@friend.example" <kim@friend.example>`,
		"another's address as the quoted name":   `"lee@other.example via list" <kim@friend.example>`,
		"own address as an encoded name":         b64("kim@friend.example") + " <kim@friend.example>",
		"own address in brackets, encoded":       b64("Kim <kim@friend.example>") + " <kim@friend.example>",
		"a heart in an encoded name":             b64("Kim <3 @home") + " <kim@friend.example>",
		"an encoded name in Korean":              "=?utf-8?B?6rmAIOydtA==?= <kim@friend.example>",
		"an encoded name in EUC-KR":              "=?euc-kr?B?sejAzA==?= <kim@friend.example>",
		// The bytes of "<" and "@" are halves of letters there.
		"an encoded name in ISO-2022-JP": "=?iso-2022-jp?B?GyRCPCtAQTwrPkAbKEI=?= <kim@friend.example>",
		"an encoded name cut in three":   "=?utf-8?Q?Kim?=\r\n =?utf-8?Q?_Lee,?=\r\n =?utf-8?Q?_PhD?= <kim@friend.example>",
		"8-bit name":                     "\xb1\xe8 <kim@friend.example>",
		"UTF-8 name (RFC 6532)":          "김 이 <kim@friend.example>",
		"dots, commas and apostrophes":   "Kim G. O'Lee, Inc. <kim@friend.example>",
		"a name with an at sign":         "Kim @ Home <kim@friend.example>",
		"folded at every white space":    "\r\n Kim\r\n\tLee\r\n <kim@friend.example>\r\n (x)",
		"no white space":                 `"Kim"<kim@friend.example>`,
		"white space at both ends":       " \t kim@friend.example \t ",
		"upper case":                     "KIM@FRIEND.EXAMPLE",
		"a trailing dot":                 "kim@friend.example.",
		"a group (RFC 6854)":             "Friends: Kim <kim@friend.example>;",
		"a group of two, and one behind": "Friends: a@friend.example, b@friend.example;, c@friend.example",
		"two authors of one domain":      "Kim <kim@friend.example>, lee@FRIEND.example",
		"two authors, one in a child":    "kim@friend.example, lee@a.friend.example",
		"quoted local part":              `"kim lee"@friend.example`,
		"plus, percent and slash":        "kim+a%b/c=d@friend.example",
		"a child of the domain":          "kim@mail.friend.example",
		"empty elements":                 ", kim@friend.example, ,",
		"a route through its own domain": "<@mx.friend.example:kim@friend.example>",
	} {
		c := hostile{name: "From: " + name, results: friendlyResults,
			m: plain(friendPeer, friend, from).by("friend.example").truly("friend.example")}
		if strings.Contains(from, "mail.friend") {
			c.results = strings.Replace(c.results, "header.from=", "header.from=mail.", 1)
		}
		cases = append(cases, c)
	}
	letter := plain(friendPeer, friend, friend)
	k := edKey("friend.example")
	for name, m := range map[string]Message{
		"groups in To":                      letter.set("To", " Friends: <box@ours.example>, a@other.example;, undisclosed:;").add("Cc", " undisclosed-recipients:;"),
		"a folded Subject of encoded words": letter.set("Subject", " =?utf-8?B?6rmA?=\r\n =?utf-8?B?6rmA?="),
		"raw UTF-8 in Subject":              letter.set("Subject", " 김치"),
		"field names in any case":           letter.without("Date").add("DATE", " Sun, 22 Nov 2026 00:30:00 +0000"),
		"white space before a colon":        letter.without("Subject").add("Subject \t", " obsolete, and valid"),
		"two Received and two Comments":     letter.add("Comments", " a").add("Comments", " b"),
		"no Subject, no To":                 letter.without("Subject").without("To"),
		"Sender and Reply-To of another":    letter.add("Sender", " list@other.example").add("Reply-To", " list@other.example"),
		"Resent fields":                     letter.add("Resent-From", " lee@other.example").add("Resent-To", " box@ours.example"),
		"an empty body":                     letter.withBody(""),
		"8-bit body":                        letter.withBody("\xb1\xe8\r\n"),
		"dots and From lines in the body":   letter.withBody(".\r\n..\r\nFrom me\r\n>From: you\r\n"),
		"a body of 300 kB":                  letter.withBody(strings.Repeat("0123456789abcdef\r\n", 17_000)),
		"a line of 5 kB":                    letter.withBody(strings.Repeat("x", 5000) + "\r\n"),
		"a References field of 60 kB":       letter.add("References", strings.Repeat("\r\n <0123456789@friend.example>", 2000)),
		"results of its own host":           letter.add("Authentication-Results", " mx.friend.example; auth=pass"),
	} {
		c := hostile{name: name, m: m.by("friend.example").truly("friend.example"), results: friendlyResults}
		if strings.Contains(name, "results") {
			c.left = "mx.friend.example; auth=pass"
		}
		cases = append(cases, c)
	}
	// EAI: U-labels and UTF-8 local parts (RFC 6531, 6532, 8616).
	eai := plain(friendPeer, "김@bücher.example", "김 <김@bücher.example>").truly("xn--bcher-kva.example", "friend.example")
	const eaiDKIM = "dkim=pass header.d=xn--bcher-kva.example header.s=e header.a=ed25519-sha256; dmarc=pass header.from=xn--bcher-kva.example policy.dmarc=reject"
	cases = append(cases,
		hostile{name: "EAI: d= as A-label", m: eai.by("xn--bcher-kva.example"), results: "spf=pass smtp.mailfrom=xn--bcher-kva.example; " + eaiDKIM},
		hostile{name: "EAI: d= and i= as U-label", m: eai.signed(edKey("xn--bcher-kva.example"), rightTags(edKey("xn--bcher-kva.example"), "bücher.example", "e", usual)+" i=김@bücher.example;"),
			results: "spf=pass smtp.mailfrom=xn--bcher-kva.example; " + strings.Replace(eaiDKIM, " header.s", " header.i=@xn--bcher-kva.example header.s", 1)},
		hostile{name: "EAI: other case", m: eai.set("From", " 김@BÜCHER.example").by("xn--bcher-kva.example"), results: "spf=pass smtp.mailfrom=xn--bcher-kva.example; " + eaiDKIM},
		hostile{name: "forwarded: SPF fails, the signature holds", m: plain(attackerPeer, friend, friend).by("friend.example").truly("friend.example"),
			results: `spf=fail reason="-all" smtp.mailfrom=friend.example; ` + strings.TrimPrefix(friendlyResults, "spf=pass smtp.mailfrom=friend.example; ")},
		hostile{name: "not signed, SPF passes", m: letter.truly("friend.example"),
			results: "spf=pass smtp.mailfrom=friend.example; dkim=none; dmarc=pass header.from=friend.example policy.dmarc=reject"},
		hostile{name: "a bounce: null sender, HELO of a child", m: plain(friendPeer, "", "MAILER-DAEMON@friend.example").truly("friend.example"),
			results: "spf=pass smtp.helo=mx.friend.example; dkim=none; dmarc=pass header.from=friend.example policy.dmarc=reject"},
		hostile{name: "a list behind it: changed, and signed again by the list", quarantined: quarantine,
			m:       letter.by("friend.example").set("Subject", " [list] the invoice").add("List-Id", " <l.attacker.example>").by("attacker.example").from(attackerPeer, "bounce@attacker.example").truly("attacker.example"),
			results: `spf=pass smtp.mailfrom=attacker.example; dkim=pass header.d=attacker.example header.s=e header.a=ed25519-sha256; dkim=fail reason="signature did not verify" header.d=friend.example header.s=e header.a=ed25519-sha256; dmarc=fail reason="not aligned: dkim attacker.example, spf attacker.example" header.from=friend.example policy.dmarc=reject`},
		hostile{name: "signed twice, Ed25519 and RSA", m: letter.signed(rsaKey(1024), rightTags(rsaKey(1024), "friend.example", "none", usual)).by("friend.example").truly("friend.example"),
			results: strings.Replace(friendlyResults, "; dmarc", `; dkim=permerror reason="no key for signature: none._domainkey.friend.example" header.d=friend.example header.s=none header.a=rsa-sha256; dmarc`, 1)},
		hostile{name: "simple canonicalization", m: letter.signed(k, strings.Replace(rightTags(k, "friend.example", "e", usual), "relaxed/relaxed", "simple/simple", 1)).truly("friend.example"), results: friendlyResults},
	)
	run(t, "", cases)
}

func (m Message) from(p Peer, mailFrom string) Message {
	m.Peer, m.MailFrom = p, mailFrom
	return m
}
