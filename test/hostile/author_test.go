package hostile

import (
	"strings"
	"testing"
)

// eve sends with a From of her choice, and all that is hers is in order: SPF
// and DKIM pass for attacker.example.
func eve(from string) Message { return evesFields(plain(attackerPeer, attacker, from)) }

func evesFields(m Message) Message { return m.by("attacker.example").truly("attacker.example") }

const (
	evesSPF  = "spf=pass smtp.mailfrom=attacker.example"
	evesDKIM = "dkim=pass header.d=attacker.example header.s=e header.a=ed25519-sha256"
	eves     = evesSPF + "; " + evesDKIM + "; "
	// evesFail is what she gets for writing in the bank's name.
	evesFail = eves + `dmarc=fail reason="not aligned: dkim attacker.example, spf attacker.example" header.from=bank.example policy.dmarc=reject`
)

func none(reason string) string { return eves + `dmarc=none reason="` + reason + `"` }

// TestSeveralFromFields: which one is shown is the reader's choice
// ("Composition Kills" §5.1; CVE-2019-16378).
func TestSeveralFromFields(t *testing.T) {
	// The signature covers two From fields, as they reach the daemon: a frame
	// ends its name at a NUL.
	broken := func(reason, author string) string {
		return evesSPF + `; dkim=` + reason + ` header.d=attacker.example header.s=e header.a=ed25519-sha256; dmarc=none reason="` + author + `"`
	}
	const unverified = `fail reason="signature did not verify"`
	base := plain(attackerPeer, attacker, attacker)
	refused := func(name string, m Message, fields string) hostile {
		return hostile{name: name, m: evesFields(m), reply: oneFrom, results: none(fields)}
	}
	run(t, "", []hostile{
		refused("CVE-2019-16378: the forged one behind the own", base.add("From", " "+victim), "2 From fields"),
		refused("the forged one on top", base.top("From", " "+victim), "2 From fields"),
		refused("the same author twice", base.add("From", " "+attacker), "2 From fields"),
		{name: "three", m: evesFields(base.add("From", " "+victim).top("From", " "+victim)), reply: oneFrom,
			results: broken(`policy reason="field occurs more often than signed: from 3 times, signed 2"`, "3 From fields")},
		{name: "a NUL in the name", m: evesFields(base.add("From\x00", " "+victim)), reply: oneFrom, results: broken(unverified, "2 From fields")},
		{name: "a folded name", m: evesFields(base.add("From\r\n ", " "+victim)), reply: oneFrom, results: broken(unverified, "2 From fields")},
		refused("white space before the colon", base.add("From \t", " "+victim), "2 From fields"),
		refused("white space before the name", base.top(" From", " "+victim), "2 From fields"),
		refused("upper case", base.add("FROM", " "+victim), "2 From fields"),
		refused("a control character in the name", base.add("Fr\x01om", " "+victim), "2 From fields"),
		refused("a no-break space behind the name", base.add("From\u00a0", " "+victim), "2 From fields"),
		refused("a byte order mark before the name", base.top("\ufeffFrom", " "+victim), "2 From fields"),
		refused("behind a bare CR in another field", base.add("X-Note", " hi\rFrom: "+victim), "2 From fields"),
		refused("behind a bare LF in another field", base.add("X-Note", " hi\nFrom: "+victim), "2 From fields"),
		refused("behind a bare CR in a name", base.add("X\rFrom", " "+victim), "2 From fields"),
		refused("behind a bare CR and white space before the colon", base.add("X-Note", " hi\rFROM : "+victim), "2 From fields"),
		refused("an empty one", base.add("From", ""), "2 From fields"),
		{name: "one with white space in it before the colon", m: evesFields(base.without("From").add("From ", " "+victim)), reply: rejected, results: evesFail},
		{name: "one with a control character in it", m: evesFields(base.without("From").add("From\x00", " "+victim).add("From", " "+attacker)), reply: oneFrom, results: broken(unverified, "2 From fields")},
		{name: "none, and Sender", m: evesFields(base).without("From").add("Sender", " "+victim), reply: oneFrom,
			results: broken(unverified, "no From field")},
		{name: "Sender and Resent-From are no authors", m: evesFields(base.add("Sender", " "+victim).add("Resent-From", " "+victim)),
			results: eves + "dmarc=pass header.from=attacker.example policy.dmarc=none"},
		{name: "signed by the bank, then a second From on top", m: plain(bankPeer, victim, victim).signed(edKey("bank.example"), rightTags(edKey("bank.example"), "bank.example", "e", "from:to:subject")).top("From", " "+attacker).truly("bank.example"), reply: oneFrom,
			results: `spf=pass smtp.mailfrom=bank.example; dkim=policy reason="field occurs more often than signed: from 2 times, signed 1" header.d=bank.example header.s=e header.a=ed25519-sha256; dmarc=none reason="2 From fields"`},
	})
}

// TestAddressesInFrom: one field, more than one way to read it ("Composition
// Kills" §5.2, espoofer's server_a14 to a19).
func TestAddressesInFrom(t *testing.T) {
	deep := strings.Repeat("(", 60) + strings.Repeat(")", 60)
	var cases []hostile
	// Every address counts, and the bank's policy is the strictest that fails.
	for name, from := range map[string]string{
		"a14: two addresses":                         "<eve@attacker.example>, <ceo@bank.example>",
		"two addresses, the bank first":              "<ceo@bank.example>, <eve@attacker.example>",
		"a18: bare address, then brackets":           "ceo@bank.example,<eve@attacker.example>",
		"semicolon for a comma":                      "eve@attacker.example; ceo@bank.example",
		"a group with both":                          "Board: eve@attacker.example, ceo@bank.example;",
		"a group, and an address behind":             "Board: eve@attacker.example;, ceo@bank.example",
		"a group without an end":                     "Board: eve@attacker.example, ceo@bank.example",
		"upper case":                                 "CEO@BANK.EXAMPLE",
		"trailing dot":                               "ceo@bank.example.",
		"a subdomain that does not exist":            "ceo@mail.bank.example, eve@attacker.example",
		"full-width letters":                         "ceo@ｂａｎｋ.example",
		"ideographic full stop":                      "ceo@bank。example",
		"mathematical letters":                       "ceo@𝐛𝐚𝐧𝐤.example",
		"folded before the address":                  "\r\n\tThe Bank\r\n <ceo@bank.example>",
		"comment behind":                             "ceo@bank.example (eve@attacker.example)",
		"quoted name of another":                     `"eve@attacker.example" <ceo@bank.example>`,
		"percent hack":                               "eve%attacker.example@bank.example",
		"white space round the at sign":              "ceo @ bank.example",
		"a16: route through the attacker":            "<@attacker.example,@any.example:ceo@bank.example>",
		"route through the bank":                     "<@bank.example:eve@attacker.example>",
		"route through another and the bank":         "Eve <@any.example,@bank.example:eve@attacker.example>",
		"encoded address in brackets as the name":    b64("<ceo@bank.example>") + " <eve@attacker.example>",
		"encoded address with a comma":               b64("ceo@bank.example, CEO") + " <eve@attacker.example>",
		"encoded address in two words":               b64("<ceo@ba") + " " + b64("nk.example>") + " <eve@attacker.example>",
		"encoded address in UTF-7":                   "=?utf-7?Q?+ADw-ceo+AEA-bank.example+AD4-?= <eve@attacker.example>",
		"encoded address behind the brackets":        "<eve@attacker.example> " + b64("<ceo@bank.example>"),
		"five addresses, the last one is the bank's": "a@attacker.example, b@attacker.example, c@attacker.example, d@attacker.example, ceo@bank.example",

		"a15: encoded address, then one":    b64("<ceo@bank.example>") + ",<eve@attacker.example>",
		"encoded address in Q, then one":    "=?utf-8?Q?=3Cceo=40bank.example=3E?=, <eve@attacker.example>",
		"address in square brackets":        "[ceo@bank.example] <eve@attacker.example>",
		"address in braces":                 "{ceo@bank.example} <eve@attacker.example>",
		"encoded address as a group's name": b64("ceo@bank.example") + ": eve@attacker.example;",
		"a17: escaped comma":                `<ceo@bank.example>\,<eve@attacker.example>`,
		"a19: address behind the brackets":  "<eve@attacker.example>ceo@bank.example",
		"address before the brackets":       "ceo@bank.example <eve@attacker.example>",
		"the same with another full stop":   "ceo@bank。example <eve@attacker.example>",
		"the same with a quoted domain":     `ceo@"bank.example" <eve@attacker.example>`,
		"two pairs of brackets":             "<ceo@bank.example> <eve@attacker.example>",
		"nested brackets":                   "<<ceo@bank.example>eve@attacker.example>",
		"brackets that do not close":        "<ceo@bank.example, <eve@attacker.example>",
		"comma in brackets":                 "<ceo@bank.example,eve@attacker.example>",
		"bracket in a comment":              "<ceo@bank.example(>, <eve@attacker.example>)",
		"comment in the domain":             "ceo@bank(.attacker).example",
		"two at signs":                      "ceo@bank.example@attacker.example",
		"group named like the bank":         "ceo@bank.example: eve@attacker.example;",
		"encoded local part":                "=?utf-8?Q?ceo=40bank.example=2C?=@attacker.example",
		"white space before a dot":          "ceo@bank .example <eve@attacker.example>",
		"comment before a dot":              "ceo@bank(x).example <eve@attacker.example>",
		"fold behind a dot":                 "ceo@bank.\r\n example <eve@attacker.example>",
		"white space in a label":            "ceo@ba nk.example, eve@attacker.example",
		"apostrophes":                       "'ceo@bank.example' <eve@attacker.example>",
		"decoded parenthesis":               "=?utf-8?Q?ceo=40bank.example=28?= <eve@attacker.example>",
		"decoded quote":                     "=?utf-8?Q?ceo=40bank.example=22?= <eve@attacker.example>",
		"decoded bracket":                   "=?utf-8?Q?=3Cceo=40bank.example?= <eve@attacker.example>",
		"decoded line end":                  "=?utf-8?Q?ceo=40bank.example=0D=0A?= <eve@attacker.example>",
		"decoded quotes in a quoted string": `"=?utf-8?Q?=22=3Cceo=40bank.example=3E=22?=" <eve@attacker.example>`,
		"encoded in a comment":              "eve@attacker.example (=?utf-8?Q?=29=2C_ceo=40bank.example_=28?=)",
		"encoded domain":                    "ceo@=?utf-8?Q?bank?=.example <eve@attacker.example>",
		"a quote that is half of a letter":  "\"\x95\\\" <ceo@bank.example>,\" <eve@attacker.example>",
	} {
		c := hostile{name: name, m: eve(from), reply: rejected, results: evesFail}
		if strings.Contains(from, "mail.bank") {
			c.reply = strings.Replace(rejected, "bank", "mail.bank", 1)
			c.results = strings.Replace(evesFail, "from=bank", "from=mail.bank", 1)
		}
		cases = append(cases, c)
	}
	// No author domain, or one that cannot be looked up.
	for name, c := range map[string][2]string{
		"an ideographic space behind the address": {"ceo@bank.example\u3000@attacker.example", "invisible characters in an address"},
		"an empty group":                 {"ceo:;", "no address in the From field"},
		"only a name":                    {`"ceo@bank.example"`, "no address in the From field"},
		"empty brackets":                 {`"ceo@bank.example" <>`, "no address in the From field"},
		"an address literal":             {"ceo@[192.0.2.10]", "domain literal in the From field"},
		"NUL in the domain":              {"ceo@bank.example\x00.attacker.example", "control character in the From field"},
		"NUL behind the address":         {"<ceo@bank.example>\x00 <eve@attacker.example>", "control character in the From field"},
		"backspaces":                     {"eve@attacker.example\b\b\b\b", "control character in the From field"},
		"bare CR":                        {"eve@attacker.example\rceo@bank.example", "bare CR in the From field"},
		"right-to-left override":         {"elpmaxe.knab@oec\u202e@attacker.example", "invisible characters in an address"},
		"zero-width space in the domain": {"ceo@bank\u200b.example", "invisible characters in an address"},
		"soft hyphen in the domain":      {"ceo@ba\u00adnk.example", "invisible characters in an address"},
		"8-bit junk in the domain":       {"ceo@ban\xe9.example", "invalid domain in the From field"},
		"comments that nest too deeply":  {"eve@attacker.example " + deep, "comments nested too deeply"},
		"empty label":                    {"ceo@bank..example", "invalid domain in the From field"},
		"an A-label that reads bank":     {"ceo@xn--bank-.example", "invalid domain in the From field: an A-label that stands for no other letters"},
		"a slash in the domain":          {"ceo@bank.example/.attacker.example", "invalid domain in the From field"},
	} {
		cases = append(cases, hostile{name: name, m: eve(c[0]), reply: unusable, results: none(c[1])})
	}
	cases = append(cases, hostile{name: "bare LF", m: eve("eve@attacker.example\nTo: ceo@bank.example"), reply: unusable,
		results: evesSPF + `; dkim=fail reason="signature did not verify" header.d=attacker.example header.s=e header.a=ed25519-sha256; dmarc=none reason="line end in the From field"`})
	// Look-alikes are other domains. DMARC says nothing about what they look like.
	for name, c := range map[string][2]string{
		"Cyrillic а":               {"ceo@bаnk.example", "xn--bnk-6cd.example"},
		"punycode of it":           {"ceo@xn--bnk-6cd.example", "xn--bnk-6cd.example"},
		"one letter more":          {"ceo@bankk.example", "bankk.example"},
		"a number for a letter":    {"ceo@b4nk.example", "b4nk.example"},
		"an address without [ ]":   {"ceo@192.0.2.10", "192.0.2.10"},
		"the bank as a local part": {"bank.example@nobody.example", "nobody.example"},
	} {
		cases = append(cases, hostile{name: "look-alike: " + name, m: eve(c[0]), results: eves + `dmarc=none reason="no policy record" header.from=` + c[1]})
	}
	cases = append(cases,
		hostile{name: "six authors, the bank's the last", m: eve("a@a.attacker.example, b@b.attacker.example, c@c.attacker.example, d@d.attacker.example, e@attacker.example, ceo@bank.example"), reply: unusable,
			results: none("more than 5 author domains")},
	)
	// One reading is all that there is, and eve writes as herself.
	for name, from := range map[string]string{
		"at sign in a quoted local part":    `"ceo@bank.example"@attacker.example`,
		"quoted string that does not close": `"The Bank <eve@attacker.example>`,
		"text before a bare address":        "ceo eve@attacker.example",
		"comment that does not close":       "eve@attacker.example (The Bank",
	} {
		cases = append(cases, hostile{name: name, m: eve(from), results: eves + "dmarc=pass header.from=attacker.example policy.dmarc=none"})
	}
	run(t, "", cases)
}
