package canon

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

// slow canonicalises a whole body in the words of RFC 6376 §3.4.3 and §3.4.4:
// what the streaming hasher is measured against.
func slow(c Canonicalization, body string) string {
	if c == Relaxed {
		body = regexp.MustCompile(`[ \t]+`).ReplaceAllString(body, " ")
		body = strings.ReplaceAll(body, " \r\n", "\r\n")
		body = strings.TrimSuffix(body, " ")
	}
	for strings.HasSuffix(body, "\r\n") {
		body = strings.TrimSuffix(body, "\r\n")
	}
	if body == "" && c == Relaxed {
		return ""
	}
	return body + "\r\n"
}

var bodyCases = []struct{ name, in, simple, relaxed string }{
	{"empty", "", "\r\n", ""},
	{"one line end", "\r\n", "\r\n", ""},
	{"only line ends", "\r\n\r\n\r\n", "\r\n", ""},
	{"only white space", " \t", " \t\r\n", ""},
	{"only blank lines", " \r\n\t\r\n", " \r\n\t\r\n", ""},
	{"example of §3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
	{"no final line end", "a\r\nb", "a\r\nb\r\n", "a\r\nb\r\n"},
	{"white space for a final line end", "a \t", "a \t\r\n", "a\r\n"},
	{"blank lines inside stay", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
	{"blank lines with white space inside", "a\r\n \t\r\n\r\nb\r\n", "a\r\n \t\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
	{"trailing blank lines with white space", "a\r\n \t\r\n\r\n", "a\r\n \t\r\n", "a\r\n"},
	{"indentation", "    a\r\n\tb\r\n", "    a\r\n\tb\r\n", " a\r\n b\r\n"},
	{"single tab", "a\tb\r\n", "a\tb\r\n", "a b\r\n"},
	{"lone lf", "a \n b\r\n", "a \n b\r\n", "a \n b\r\n"},
	{"lone lf at the end", "a\n", "a\n\r\n", "a\n\r\n"},
	{"lone cr", "a  \rb\r\n", "a  \rb\r\n", "a \rb\r\n"},
	{"lone cr at the end", "a\r\n\r", "a\r\n\r\r\n", "a\r\n\r\r\n"},
	{"cr cr lf", "a\r\r\n\r\n", "a\r\r\n", "a\r\r\n"},
	{"cr cr lf alone", "\r\r\n", "\r\r\n", "\r\r\n"},
	{"cr cr lf below a line", "a\r\n\r\r\n\r\n", "a\r\n\r\r\n", "a\r\n\r\r\n"},
	{"cr before white space", "a\r \r\nb", "a\r \r\nb\r\n", "a\r\r\nb\r\n"},
	{"lf cr", "a\n\r\n\r", "a\n\r\n\r\r\n", "a\n\r\n\r\r\n"},
	{"eight bit", "\xea\xb0\x80  \x80\r\n", "\xea\xb0\x80  \x80\r\n", "\xea\xb0\x80 \x80\r\n"},
	{"nul and controls", "a \x00  \x01 \x7f\r\n", "a \x00  \x01 \x7f\r\n", "a \x00 \x01 \x7f\r\n"},
	{"dots", ".\r\n..\r\n", ".\r\n..\r\n", ".\r\n..\r\n"},
}

func TestBody(t *testing.T) {
	for _, tt := range bodyCases {
		t.Run(tt.name, func(t *testing.T) {
			for c, want := range map[Canonicalization]string{Simple: tt.simple, Relaxed: tt.relaxed} {
				if got := slow(c, tt.in); got != want {
					t.Errorf("the test's own %s: %q, want %q", c, got, want)
				}
				b := NewBody(c, -1)
				b.Write([]byte(tt.in))
				if b.Sum() != sha256.Sum256([]byte(want)) {
					t.Errorf("%s: not the hash of %q", c, want)
				}
				b.Write([]byte("more"))
				if b.Sum() != sha256.Sum256([]byte(want)) {
					t.Errorf("%s: the hash changed after Sum", c)
				}
				if b.Short() {
					t.Errorf("%s: short without a limit", c)
				}
			}
		})
	}
}

// TestBodyRFCHashes: the values that RFC 6376 gives for an empty body.
func TestBodyRFCHashes(t *testing.T) {
	for c, want := range map[Canonicalization]string{
		Simple:  "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", // §3.4.3
		Relaxed: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", // §3.4.4
	} {
		sum := NewBody(c, -1).Sum()
		if got := base64.StdEncoding.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: %s", c, got)
		}
	}
}

// TestBodyEverySplit cuts each case at every two places.
func TestBodyEverySplit(t *testing.T) {
	for _, tt := range bodyCases {
		for _, c := range []Canonicalization{Simple, Relaxed} {
			want := sha256.Sum256([]byte(slow(c, tt.in)))
			for i := range len(tt.in) + 1 {
				for j := i; j <= len(tt.in); j++ {
					b := NewBody(c, -1)
					for _, p := range []string{tt.in[:i], tt.in[i:j], tt.in[j:]} {
						b.Write([]byte(p))
					}
					if b.Sum() != want {
						t.Errorf("%s %s: %q|%q|%q", tt.name, c, tt.in[:i], tt.in[i:j], tt.in[j:])
					}
				}
			}
		}
	}
}

// TestBodyChunks feeds longer bodies byte by byte and in odd chunks, so that
// words, windows and the buffer are all crossed.
func TestBodyChunks(t *testing.T) {
	bodies := map[string][]byte{
		"base64":      benchBase64(20_000),
		"html":        benchHTML(20_000),
		"line ends":   bytes.Repeat([]byte("\r\n"), 5000),
		"held":        append(bytes.Repeat([]byte("\r\n"), 5000), 'x'),
		"white space": append(bytes.Repeat([]byte(" \t"), 5000), 'x'),
		"tab far off": append(bytes.Repeat([]byte("x"), 1000), "\ty  z\r\n"...),
	}
	for name, body := range bodies {
		for _, c := range []Canonicalization{Simple, Relaxed} {
			want := sha256.Sum256([]byte(slow(c, string(body))))
			for _, size := range []int{1, 2, 7, 8, 9, 64, 65, 255, 1023, 2048, 4096, 1 << 20} {
				b := NewBody(c, -1)
				for p := body; len(p) > 0; {
					n := min(size, len(p))
					b.Write(p[:n])
					p = p[n:]
				}
				if b.Sum() != want {
					t.Errorf("%s %s in chunks of %d", name, c, size)
				}
			}
		}
	}
}

func TestBodyLimit(t *testing.T) {
	const in = "a  b\r\n\r\n c\r\n\r\n" // relaxed: "a b\r\n\r\n c\r\n", 11 bytes
	for _, c := range []Canonicalization{Simple, Relaxed} {
		full := slow(c, in)
		for _, l := range append(upTo(len(full)+3), math.MaxInt64) {
			b := NewBody(c, int64(l))
			for i := range len(in) {
				b.Write([]byte(in[i : i+1]))
			}
			if b.Sum() != sha256.Sum256([]byte(full[:min(l, len(full))])) {
				t.Errorf("%s l=%d: wrong hash", c, l)
			}
			b.Write([]byte("more"))
			if b.Short() != (l > len(full)) {
				t.Errorf("%s l=%d: Short is %v, body has %d", c, l, b.Short(), len(full))
			}
		}
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func TestBodies(t *testing.T) {
	var s Bodies
	simple, relaxed := s.Add(Simple, -1), s.Add(Relaxed, -1)
	limited := s.Add(Simple, 3)
	if s.Add(Relaxed, -1) != relaxed || s.Add(Relaxed, -2) != relaxed || s.Add(Simple, -1) != simple || s.Add(Simple, 3) != limited {
		t.Error("the same body is hashed twice")
	}
	if s.Len() != 3 {
		t.Errorf("%d hashers", s.Len())
	}
	fmt.Fprint(&s, "a  b\r\n")
	for b, want := range map[*Body]string{simple: "a  b\r\n", relaxed: "a b\r\n", limited: "a  "} {
		if b.Sum() != sha256.Sum256([]byte(want)) {
			t.Errorf("not %q", want)
		}
	}
}

func TestBodyAllocatesNothing(t *testing.T) {
	chunk := append(benchHTML(20_000), benchBase64(20_000)...)
	var s Bodies
	s.Add(Simple, -1)
	s.Add(Relaxed, -1)
	if n := testing.AllocsPerRun(20, func() { s.Write(chunk) }); n != 0 {
		t.Errorf("%v allocations a chunk", n)
	}
}

func TestAppendField(t *testing.T) {
	tests := []struct{ name, field, value, simple, relaxed string }{
		{"example of §3.4.5", "A", " X", "A: X\r\n", "a:X\r\n"},
		{"example of §3.4.5, folded", "B ", " Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
		{"empty value", "X-Empty", "", "X-Empty:\r\n", "x-empty:\r\n"},
		{"white space only", "X-Empty", " \r\n\t ", "X-Empty: \r\n\t \r\n", "x-empty:\r\n"},
		{"case of the value stays", "SUBJect", " AbC", "SUBJect: AbC\r\n", "subject:AbC\r\n"},
		{"no space after the colon", "Subject", "a", "Subject:a\r\n", "subject:a\r\n"},
		{"fold in front", "To", "\r\n  a,\r\n\t b", "To:\r\n  a,\r\n\t b\r\n", "to:a, b\r\n"},
		{"utf-8", "Subject", " 한국  말", "Subject: 한국  말\r\n", "subject:한국 말\r\n"},
		{"lone cr and lf", "X", " a\rb\nc \r d", "X: a\rb\nc \r d\r\n", "x:a\rb\nc \r d\r\n"},
		{"cr at the end", "X", " a\r", "X: a\r\r\n", "x:a\r\r\n"},
		{"fold before the colon", "From \r\n\t", " x", "From \r\n\t: x\r\n", "from:x\r\n"},
		{"first and last letter", "AZ@[az`{", " x", "AZ@[az`{: x\r\n", "az@[az`{:x\r\n"},
		{"tabs before the colon", "From\t \t", " x", "From\t \t: x\r\n", "from:x\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := header.Field{Name: tt.field, Value: tt.value}
			if got := string(AppendField([]byte("+"), Simple, f)); got != "+"+tt.simple {
				t.Errorf("simple %q, want %q", got, tt.simple)
			}
			if got := string(AppendField([]byte("+"), Relaxed, f)); got != "+"+tt.relaxed {
				t.Errorf("relaxed %q, want %q", got, tt.relaxed)
			}
		})
	}
}

func FuzzBody(f *testing.F) {
	for _, tt := range bodyCases {
		f.Add([]byte(tt.in), uint16(1), uint16(2), int64(-1))
		f.Add([]byte(strings.Repeat("wörd  word\t", 40)+tt.in), uint16(300), uint16(8), int64(77))
	}
	f.Fuzz(func(t *testing.T, body []byte, first, step uint16, limit int64) {
		for _, c := range []Canonicalization{Simple, Relaxed} {
			want := slow(c, string(body))
			if limit >= 0 {
				want = want[:min(limit, int64(len(want)))]
			}
			b := NewBody(c, limit)
			n := min(int(first), len(body))
			b.Write(body[:n])
			for p := body[n:]; len(p) > 0; {
				n := min(max(int(step), 1), len(p))
				b.Write(p[:n])
				p = p[n:]
			}
			if b.Sum() != sha256.Sum256([]byte(want)) {
				t.Errorf("%s: not the hash of %q", c, want)
			}
		}
	})
}

func FuzzAppendField(f *testing.F) {
	f.Add("Subject", " a\r\n\tb ")
	f.Add("From ", "\r\r\n \n")
	f.Fuzz(func(t *testing.T, name, value string) {
		got := string(AppendField(nil, Relaxed, header.Field{Name: name, Value: value}))
		v := strings.TrimSuffix(got[len(appendRelaxedName(nil, name))+1:], "\r\n")
		if strings.Contains(v, "  ") || strings.Contains(v, "\t") || strings.Trim(v, " ") != v {
			t.Errorf("relaxed %q", got)
		}
		if got := AppendField(nil, Simple, header.Field{Name: name, Value: value}); string(got) != name+":"+value+"\r\n" {
			t.Errorf("simple %q", got)
		}
	})
}
