package conformance

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf16"
)

// makeFrom is From field n: mailboxes as RFC 5322 has them, and then bent.
func makeFrom(n uint64) string {
	m := maker{newRand(5322, n)}
	var b strings.Builder
	b.WriteString(pick(m, " ", " ", "", "\t", "\r\n "))
	for i := range 1 + m.IntN(3) {
		if i > 0 {
			b.WriteString(pick(m, ",", ", ", ";", " ", ",,", ":", "\r\n ,", `\,`, ""))
		}
		b.WriteString(m.author())
	}
	s := b.String()
	for range m.IntN(4) * m.IntN(2) {
		s = m.bend(s)
	}
	return s
}

func (m maker) author() string {
	switch m.IntN(12) {
	case 0:
		return m.addrSpec()
	case 1:
		return m.phrase() + pick(m, "", " ") + m.addrSpec()
	case 2:
		return m.addrSpec() + pick(m, "", " ") + m.comment(2)
	case 3:
		return m.phrase() + ":" + m.addrSpec() + pick(m, ";", ",", "") + m.addrSpec() + pick(m, ";", "")
	case 4:
		return m.phrase() + " <" + "@" + m.domainText() + pick(m, ":", ",@"+m.domainText()+":", ",", "") + m.addrSpec() + ">"
	case 5:
		return m.addrSpec() + m.cfws() + "<" + m.addrSpec() + ">"
	case 6:
		return "<" + m.addrSpec() + ">" + m.cfws() + pick(m, m.addrSpec(), m.phrase(), "<"+m.addrSpec()+">")
	case 7:
		return m.encodedWord(m.encodedText()) + m.cfws() + "<" + m.addrSpec() + ">" + pick(m, "", "", m.encodedWord(m.encodedText()))
	case 8:
		return `"` + m.encodedWord(m.encodedText()) + `" <` + m.addrSpec() + ">"
	}
	return m.phrase() + m.cfws() + "<" + pick(m, "", "", "", "mailto:") + m.addrSpec() + ">" + pick(m, "", "", m.comment(1))
}

// The forger's own domains and others'.
func (m maker) domainText() string {
	return pick(m, "attacker.example", "attacker.example", "bank.example", "bank.example", "mail.bank.example", "shop.example", "bücher.example", "xn--bcher-kva.example",
		"bank。example", "BANK.Example", "localhost", "bank.example.", "b_k.example", `"bank.example"`,
		pick(m, "bank.example", "attacker.example", "[192.0.2.1]", "xn--bank-.example", "bank..example", "bank.example/x"))
}

func (m maker) addrSpec() string {
	local := pick(m, "eve", "ceo", "eve", "ceo", "a.b", `"a b"`, `"a@b.example"`, "a%b", "김", "x+y", "o'k", `"\""`, "a\\b", "=?utf-8?q?a?=", "", "a..b", "a\u200cb")
	domain := m.domainText()
	if m.sometimes(3) { // between labels
		domain = strings.Replace(domain, ".", pick(m, "", m.cfws())+"."+pick(m, "", m.cfws()), 1)
	}
	if m.sometimes(12) { // inside one
		domain = strings.Replace(domain, "an", "a"+m.cfws()+"n", 1)
	}
	if m.sometimes(12) {
		domain = strings.Replace(domain, "bank", m.encodedWord("bank"), 1)
	}
	return local + pick(m, "", "", "", m.cfws()) + "@" + pick(m, "", "", "", m.cfws()) + domain
}

func (m maker) cfws() string {
	return pick(m, " ", " ", "  ", "\t", "\r\n ", "\r\n\t", " "+m.comment(1)+" ", m.comment(1), m.comment(2), "")
}

func (m maker) comment(depth int) string {
	in := pick(m, "x", "Kim", "", "ceo@bank.example", "<ceo@bank.example>", `\)`, `\(`, `"`, ",", m.encodedWord(m.encodedText()), "\\", "a@b.example, c")
	if depth > 1 {
		in += m.comment(depth - 1)
	}
	return "(" + in + ")"
}

func (m maker) phrase() string {
	words := make([]string, m.IntN(4))
	for i := range words {
		words[i] = pick(m, "Kim", "The", "Bank", "G.", "O'Lee", `"Kim, Lee"`, `"ceo@bank.example"`, `"<ceo@bank.example>"`, `"a\"b"`, `"\\"`, `""`, "ceo@bank.example", "@", "@kim", "김", "\xb1\xe8",
			"\x95\x5c", "\"\x95\x5c\"", "\x83\x40", "\x1b$B<+@A\x1b(B", "\x1b$B\"(\x1b(B", "[x]", ":)", "(", ")", `"`, `\`, `CORP\kim`, "via", "=?x?=", m.encodedWord(m.encodedText()), m.encodedWord(m.encodedText()), m.comment(1))
	}
	return strings.Join(words, pick(m, " ", " ", ""))
}

// encodedText is what a forger hides.
func (m maker) encodedText() string {
	var b strings.Builder
	for range 1 + m.IntN(4) {
		b.WriteString(pick(m, "ceo@bank.example", "ceo@bank.example", "<ceo@bank.example>", "Kim", "김", ",", ", ", ";", ":", "(", ")", "<", ">", `"`, `\`, "@", ".", " ", "\r\n", "\n", "\x00", "a", "bank.example", "eve@attacker.example", "\x0e", "~{", "+AEA-", "="))
	}
	return b.String()
}

// encodedWord writes a text as an encoded word in one of many ways, perhaps not
// a good one.
func (m maker) encodedWord(s string) string {
	charset := pick(m, "utf-8", "utf-8", "UTF-8", "us-ascii", "iso-8859-1", "windows-1252", "iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "utf-7", "utf-16be", "utf-16", "gb18030", "shift_jis", "euc-kr",
		"big5", "utf-8*en", "unknown-8bit", "",
		pick(m, "utf-8", "cp037", "cp500", "x"))
	switch charset {
	case "utf-7":
		s = toUTF7(s)
	case "utf-16be", "utf-16":
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u>>8), byte(u))
		}
		s = string(b)
	case "iso-2022-jp":
		s = pick(m, s, "\x1b$B<+@A\x1b(B"+s, "\x1b$B"+s, "\x1b(J"+s)
	case "iso-2022-kr":
		s = pick(m, s, "\x1b$)C\x0e<+@A\x0f"+s, "\x0e"+s)
	case "hz-gb-2312":
		s = pick(m, s, "~{<3@3~}"+s, "~{"+s)
	case "cp037", "cp500":
		s = toEBCDIC(s)
	}
	if m.sometimes(2) {
		e := base64.StdEncoding.EncodeToString([]byte(s))
		switch m.IntN(8) {
		case 0:
			e = strings.TrimRight(e, "=")
		case 1:
			e = e[:len(e)/2] + pick(m, "!", " ", "-", "=", "\r\n ") + e[len(e)/2:]
		}
		return fmt.Sprintf("=?%s?%s?%s%s", charset, pick(m, "B", "b"), e, pick(m, "?=", "?=", "?=", "?=", "", "?"))
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteString(pick(m, "_", "=20", " "))
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c > ' ' && c < 0x7f && c != '=' && c != '?' && m.sometimes(8):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, pick(m, "=%02X", "=%02x"), c)
		}
	}
	return fmt.Sprintf("=?%s?%s?%s%s", charset, pick(m, "Q", "q"), b.String(), pick(m, "?=", "?=", "?=", "?=", "", "?"))
}

// toUTF7 writes all but letters in base64 (RFC 2152).
func toUTF7(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			b.WriteRune(r)
			continue
		}
		var units []byte
		for _, u := range utf16.Encode([]rune{r}) {
			units = append(units, byte(u>>8), byte(u))
		}
		b.WriteString("+" + base64.RawStdEncoding.EncodeToString(units) + "-")
	}
	return b.String()
}

// toEBCDIC has what a forger needs of code page 037.
func toEBCDIC(s string) string {
	const from, to = "@.<>, ", "\x7c\x4b\x4c\x6e\x6b\x40"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch j := strings.IndexByte(from, c); {
		case j >= 0:
			b.WriteByte(to[j])
		case c >= 'a' && c <= 'i':
			b.WriteByte(c - 'a' + 0x81)
		case c >= 'j' && c <= 'r':
			b.WriteByte(c - 'j' + 0x91)
		case c >= 's' && c <= 'z':
			b.WriteByte(c - 's' + 0xa2)
		}
	}
	return b.String()
}

// bend puts a piece somewhere into a field, takes one away, or doubles one.
func (m maker) bend(s string) string {
	i := m.IntN(len(s) + 1)
	j := min(i+1+m.IntN(4), len(s))
	switch m.IntN(4) {
	case 0:
		return s[:i] + s[j:]
	case 1:
		return s[:j] + s[i:]
	}
	return s[:i] + pick(m, "<", ">", "(", ")", `"`, `\`, "@", ",", ";", ":", ".", "[", "]", " ", "\r\n ", "=?", "?=", "=?utf-8?q?=22?=", "=?utf-8?q?=28?=", "=?utf-8?q?=3C?=", "=?utf-8?q?=2C?=",
		"\x95\x5c", "\x83\x40", "\x1b$B", "\x1b(B", "\xe9", "()", `""`, "<>", "%", "'", "\u200b", "\u00a0") + s[i:]
}
