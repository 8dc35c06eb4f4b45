package siege

import (
	"encoding/base64"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/test/growth"
)

// authorReaders read From, up to the limit of a field.
func authorReaders() []reader {
	read := func(s string) { auth.ParseAuthor(header.Fields{{Name: "From", Value: " " + s}}) }
	from := func(head, piece, tail string) growth.Work { return reading(head, piece, tail, read) }
	all := []reader{
		{"auth.ParseAuthor of addresses", from("", "a@b.example,", "a@b.example")},
		{"auth.ParseAuthor of U-labels", func(x int) func() {
			var b strings.Builder
			for i := 0; b.Len() < fieldUnit*x-2000; i++ {
				b.WriteString("a@" + longName(i) + ",")
			}
			s := b.String()
			return func() { read(s) }
		}},
		{"auth.ParseAuthor of comments", from("", "(", "a@b.example")},
		{"auth.ParseAuthor of closed comments", from("", "()", "a@b.example")},
		{"auth.ParseAuthor of quotes", from("", `"\"" `, "<a@b.example>")},
		{"auth.ParseAuthor of a route", from("<", "@b.example,", ":a@b.example>")},
		{"auth.ParseAuthor of groups", from("", "g:a@b.example;", "")},
		{"auth.ParseAuthor of dots", from("", "a.", "@b.example")},
		{"auth.ParseAuthor of folds", from("", "\r\n ", "a@b.example")},
		{"auth.ParseAuthor of hidden fields", func(x int) func() {
			h := header.Fields{{Name: "X", Value: fill("\rFrom:x", fieldUnit*x)}, {Name: "From", Value: " a@b.example"}}
			return func() { auth.ParseAuthor(h) }
		}},
	}
	for _, k := range encodedKinds {
		all = append(all, reader{"auth.ParseAuthor of " + k.name, func(x int) func() {
			s := k.field(fieldUnit * x)
			return func() { read(s) }
		}})
	}
	return all
}

// encodedKind is a display name of encoded words in one charset, of which a
// reader that decodes before it parses has the most work.
type encodedKind struct{ name, charset, encoding, piece string }

var encodedKinds = []encodedKind{
	{"open shifts of ISO-2022-JP", "iso-2022-jp", "b", "\x1b$"},
	{"shifts of ISO-2022-KR", "iso-2022-kr", "b", "\x0e"},
	{"open shifts of HZ", "hz-gb-2312", "b", "~{"},
	{"half-closed shifts of HZ", "hz-gb-2312", "b", "~{~"},
	{"runs of UTF-7", "utf-7", "q", "+AEA-+"},
	{"open runs of UTF-7", "utf-7", "b", "+"},
	{"UTF-16", "utf-16", "b", "\x00<\x00@"},
	{"angle brackets", "utf-8", "b", "<@"},
	{"angle brackets without an address", "utf-8", "b", "<"},
	{"addresses", "utf-8", "b", "@a.b,"},
	{"at signs and blanks", "utf-8", "b", "@ "},
	{"dots behind an at sign", "utf-8", "b", "@a."},
	{"quoted-printable", "utf-8", "q", "=3C=40"},
	{"commas", "utf-8", "b", ","},
	{"no charset", "", "b", "<@"},
	{"an unknown charset", "x-unknown", "b", "<@"},
}

// field is a From field of about n bytes: one word, words that are as long as
// package regexp likes them, and short ones.
func (k encodedKind) field(n int) string {
	word := func(n int) string {
		text := fill(k.piece, n)
		if k.encoding == "b" {
			text = base64.StdEncoding.EncodeToString([]byte(fill(k.piece, n*3/4)))
		}
		return "=?" + k.charset + "?" + k.encoding + "?" + text + "?= "
	}
	return word(n/3) + strings.Repeat(word(7000), n/3/7100) + strings.Repeat(word(40), n/3/(60+len(k.charset))) + "<ceo@bank.example>"
}
