package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// generated is one made-up message as the MTAs hand messages over: CRLF line
// ends, and everything else that people and programs do to a message.
type generated struct {
	fields header.Fields
	body   string
}

// raw is the message on the wire.
func (g generated) raw() string {
	var b strings.Builder
	for _, f := range g.fields {
		b.WriteString(f.Raw())
	}
	return b.String() + "\r\n" + g.body
}

// maker makes one message. Message n of a seed is always the same one.
type maker struct{ *rand.Rand }

func makeMessage(seed, n uint64) generated {
	m := maker{newRand(seed, n)}
	return generated{fields: m.header(), body: m.body()}
}

func newRand(seed, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }

// sometimes is true once in n times.
func (m maker) sometimes(n int) bool { return m.IntN(n) == 0 }

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

func (m maker) header() header.Fields {
	type part struct {
		name  string
		value func() string
		oneIn int // how often it is there
	}
	parts := []part{
		{"From", m.mailboxes, 1}, {"To", m.mailboxes, 1}, {"Cc", m.mailboxes, 3}, {"Reply-To", m.mailboxes, 4}, {"Sender", m.mailboxes, 6},
		{"Subject", m.text, 1}, {"Date", func() string { return "Sat, 21 Nov 2026 12:00:00 +0000" }, 1},
		{"Message-ID", func() string { return fmt.Sprintf("<%x.%x@example.com>", m.Uint32(), m.Uint32()) }, 1},
		{"In-Reply-To", func() string { return fmt.Sprintf("<%x@example.net>", m.Uint32()) }, 4}, {"References", m.references, 3},
		{"MIME-Version", func() string { return "1.0" }, 2}, {"Content-Type", m.contentType, 2},
		{"Content-Transfer-Encoding", func() string { return pick(m, "7bit", "8bit", "quoted-printable") }, 2},
		{"List-Id", m.text, 5}, {"List-Unsubscribe", func() string { return "<mailto:u@example.com>,\r\n\t<https://example.com/u?a=b;c>" }, 5},
		{"Received", m.received, 1}, {"Received", m.received, 2}, {"Received", m.received, 3},
		{"X-Mailer", m.text, 3}, {"X-Empty", func() string { return "" }, 5}, {"X-Spam-Status", m.text, 4}, {"Comments", m.text, 8},
		{"X-" + strings.Repeat("Long-", 1+m.IntN(9)) + "Name", m.text, 6},
		{"DKIM-Signature", func() string { return "v=1; a=rsa-sha256; d=old.example; s=gone; h=from; bh=AAAA; b=AAAA" }, 12},
		{"Authentication-Results", func() string { return "mx.example.net; spf=pass\r\n smtp.mailfrom=example.com" }, 6},
		{"Subject", m.text, 30}, {"To", m.mailboxes, 30}, // twice, which they should not be
	}
	m.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	var h header.Fields
	for _, p := range parts {
		if m.sometimes(p.oneIn) {
			h = append(h, header.Field{Name: m.spelled(p.name), Value: m.spaced(p.value())})
		}
	}
	return h
}

// spelled writes a field's name in another case, and rarely in the obsolete
// form with white space before the colon.
func (m maker) spelled(name string) string {
	switch m.IntN(12) {
	case 0:
		name = strings.ToLower(name)
	case 1:
		name = strings.ToUpper(name)
	case 2:
		b := []byte(name)
		for i := range b {
			if b[i] >= 'a' && b[i] <= 'z' && m.sometimes(2) {
				b[i] -= 'a' - 'A'
			}
		}
		name = string(b)
	}
	if m.sometimes(600) {
		name += pick(m, " ", "\t", "  ")
	}
	return name
}

// spaced puts a value behind the colon, with the white space that writers of
// mail leave around it.
func (m maker) spaced(v string) string {
	before, after := " ", ""
	switch m.IntN(12) {
	case 0:
		before = ""
	case 1:
		before = pick(m, "  ", "\t", " \t ", "\r\n ", "\r\n\t", " \r\n  ", " \r\n \r\n ")
	}
	switch m.IntN(20) {
	case 0:
		after = pick(m, " ", "\t", " \t ", "   ")
	case 1:
		after = pick(m, "\r\n ", " \r\n\t", "\r\n \r\n\t")
	}
	if m.sometimes(400) { // white space of other programs, but none in a header (RFC 5234 WSP)
		control := pick(m, "\v", "\f", "\x1c", "\x85", "\u00a0", "\r")
		if m.sometimes(2) {
			before += control
		} else {
			after = control + after
		}
	}
	return before + v + after
}

// gap is what stands between two words.
func (m maker) gap() string {
	switch m.IntN(16) {
	case 0:
		return pick(m, "\t", "  ", " \t", "\t\t  ", "    ")
	case 1:
		return pick(m, "\r\n ", "\r\n\t", " \r\n ", "\t\r\n  \t", "\r\n  ", "\r\n \r\n ")
	}
	return " "
}

var words = []string{"the", "quick", "brown", "fox", "a=b;", "b=", "; h=from", "x:y", "=?utf-8?q?caf=C3=A9?=", "=?iso-8859-1?b?4Q==?=", `"quoted  text"`,
	"(a comment)", "caf\u00e9", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d", "caf\xe9", "\xff\xfe", "...", "100%", "<b>", "a\\b", "-- ", "From", ".", "\x00", "\x7f", "\x1b[0m", "\u200b"}

func (m maker) words(most int) string {
	var b strings.Builder
	for i := range 1 + m.IntN(most) {
		if i > 0 {
			b.WriteString(m.gap())
		}
		w := pick(m, words...)
		if strings.ContainsAny(w, "\x00\x7f\x1b") && !m.sometimes(20) {
			w = "plain"
		}
		b.WriteString(w)
	}
	return b.String()
}

func (m maker) text() string {
	if m.sometimes(40) {
		return strings.Repeat("x", 900+m.IntN(3000))
	}
	return strings.ReplaceAll(m.words(12), "\x00", "") // no MTA lets one through in a header
}

func (m maker) mailboxes() string {
	var all []string
	for range 1 + m.IntN(3) {
		all = append(all, pick(m, "a@example.com", "<b@example.com>", "Joe <joe@example.com>", "\"Joe  Q.\tPublic\" <joe@example.com>",
			"=?utf-8?q?J=C3=B6?= <j@example.com>", "J\u00f6 <j@example.com>", "(x) c@example.com (y)", "Very\r\n Long <l@example.com>", "d@xn--bcher-kva.example"))
	}
	return strings.Join(all, pick(m, ", ", ",", ",\r\n ", ",\r\n\t", " , "))
}

func (m maker) references() string {
	var all []string
	for range 1 + m.IntN(6) {
		all = append(all, fmt.Sprintf("<%x@example.net>", m.Uint64()))
	}
	return strings.Join(all, pick(m, " ", "\r\n ", "\r\n\t"))
}

func (m maker) contentType() string {
	return pick(m, "text/plain; charset=utf-8", "text/plain;\r\n\tcharset=\"us-ascii\"", "multipart/mixed; boundary=\"=_x;y\"", "text/html;charset=iso-8859-1;\r\n format=flowed")
}

func (m maker) received() string {
	return "from a.example (a.example [192.0.2.1])" + pick(m, "\r\n\t", "\r\n        ", " ") + "by b.example with ESMTP id " + fmt.Sprint(m.Uint32()) + ";" +
		pick(m, "\r\n\t", " ") + "Sat, 21 Nov 2026 12:00:00 +0000"
}

// body is lines of all kinds. What the writer ended with LF, an MTA ends with
// CRLF before it shows the message to a milter; a CR by itself
// stays where it is.
func (m maker) body() string {
	switch m.IntN(25) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("\r\n", 1+m.IntN(4))
	case 2:
		return pick(m, " ", "\t\r\n", "  \r\n\r\n", "\r\n \r\n", " \t ", "\r\n\t")
	}
	var b strings.Builder
	for range 1 + m.IntN(12) {
		b.WriteString(m.line())
		b.WriteString(pick(m, "\r\n", "\r\n", "\n"))
	}
	text := b.String()
	switch m.IntN(24) {
	case 0:
		text = strings.TrimRight(text, "\r\n") // no line end at the end
	case 1, 2, 3, 4:
		text += strings.Repeat("\r\n", 1+m.IntN(4))
	case 5, 6, 7:
		text += pick(m, "\t\r\n", "\r\n \r\n\t\r\n", "  \r\n\r\n", " \r\n", "\t\t\r\n \r\n", " ")
	}
	if m.sometimes(40) {
		at := m.IntN(len(text) + 1)
		text = text[:at] + pick(m, "\r", " \r", "\r ", "\r\r", "\t\r\r\n", "\v", "\f ", " \x85 ") + text[at:]
	}
	if m.sometimes(60) {
		text += pick(m, "\r", "\r\n\r", " \r", "x\r")
	}
	return crlf(text)
}

// crlf ends every line with CRLF, as the MTAs do.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func (m maker) line() string {
	switch m.IntN(12) {
	case 0, 1:
		return ""
	case 2:
		return pick(m, " ", "\t", "   ", " \t ", "\t\t")
	case 3:
		return pick(m, " ", "\t", "  ") + "indented " + strings.Repeat(pick(m, "=", "x ", "\t-"), m.IntN(20))
	case 4:
		return "ends in white space" + pick(m, " ", "\t", "  \t ")
	case 5:
		return pick(m, ".", "..", ". dot", "From nobody", "--boundary--", "=20", "soft=")
	case 6:
		return strings.Repeat(pick(m, "a", "ab c ", "\u00e9", "\xe9 "), 1+m.IntN(1500))
	}
	return strings.ReplaceAll(m.words(15), "\r\n", "")
}
