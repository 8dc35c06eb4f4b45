package transaction

import (
	"strings"
	"testing"
)

func TestLineMeter(t *testing.T) {
	long := strings.Repeat("x", 991)
	for _, tt := range []struct {
		name     string
		chunks   []string
		longest  int
		eightBit bool
	}{
		{"nothing", nil, 0, false},
		{"short lines", []string{"abc\r\nabcd\r\n\r\n"}, 0, false},
		{"many short lines", []string{strings.Repeat("abc\r\n", 1000), strings.Repeat("\r\n", 1000)}, 0, false},
		{"exactly at the limit", []string{"a\r\n" + long[1:] + "\r\n" + long[1:] + "\r\n", long[1:] + "\r", "\n"}, 0, false},
		{"over chunks", []string{"abc\r\n" + long[:500], long[500:], "gh\r", "\nab\r\n"}, 993, false},
		{"no end", []string{"abc\r\n", long, "12"}, 992, false}, // an MTA ends every line
		{"one long line", []string{"a\r\n" + long + "\r\n"}, 991, false},
		{"a CR at the end of a chunk", []string{long + "\r", "\n"}, 991, false},
		{"8 bits early", []string{"\xed\x99\xa9\r\n"}, 0, true},
		{"8 bits at the end of a chunk", []string{"abcdefghijk\xff", "\r\n"}, 0, true},
		{"8 bits in the second chunk", []string{"a\r\n", strings.Repeat("abcdefgh", 9) + "\x80\r\n"}, 0, true},
		{"8 bits in a word of the first", []string{strings.Repeat("abcdefgh", 2) + "abc\xffdefg" + long + "\r\n"}, 1015, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l lineMeter
			for _, c := range tt.chunks {
				l.write([]byte(c))
			}
			if l.longest != tt.longest || l.eightBit != tt.eightBit {
				t.Errorf("%+v", l)
			}
		})
	}
}

func TestHasHighBit(t *testing.T) {
	for i := range 70 {
		p := []byte(strings.Repeat("\x7f", 70))
		if hasHighBit(p[:i]) {
			t.Errorf("%d bytes of ASCII", i)
		}
		if p[i] = 0x80; !hasHighBit(p) {
			t.Errorf("byte %d is not seen", i)
		}
	}
}

// TestRisks: each has its words, and a line its MTA's limit.
func TestRisks(t *testing.T) {
	line := func(n int) lineMeter { return lineMeter{longest: n} }
	for _, tc := range []struct {
		s    seal
		want string
	}{
		{seal{lines: line(998)}, ""},
		{seal{lines: line(999)}, "a body line of 999 bytes, where the MTA cuts after 998"},
		{seal{sendmail: true, lines: line(990), unclear: []string{"To"}}, ""},
		{seal{sendmail: true, lines: line(991)}, "a body line of 991 bytes, where the MTA cuts after 990"},
		{seal{lines: lineMeter{eightBit: true}}, "8-bit body, which is recoded for a next hop without 8BITMIME"},
		{seal{unclear: []string{"To", "from"}}, "From is written in a way that Sendmail may change"},
	} {
		if got := strings.Join(tc.s.risks(), "|"); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func BenchmarkLineMeter(b *testing.B) {
	chunk := []byte(strings.Repeat(strings.Repeat("x", 72)+"\r\n", 800))
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		var l lineMeter
		l.write(chunk)
	}
}

// FuzzLineMeter compares with the plain way, whatever the chunks.
func FuzzLineMeter(f *testing.F) {
	long := strings.Repeat("x", 989)
	f.Add(long+"ab\r\nc\n"+long+"abc\r\r\n", 990)
	f.Add("a\r\n"+long+"\r\n\r\n\n"+long+long+"\n", 3)
	f.Add(long+"ab\n", 1315)
	f.Fuzz(func(t *testing.T, body string, size int) {
		body += "\r\n" // an MTA ends every line
		var want int
		for line := range strings.SplitSeq(strings.TrimSuffix(body, "\n"), "\n") {
			if n := len(strings.TrimSuffix(line, "\r")); n > sendmailLine {
				want = max(want, n)
			}
		}
		var l lineMeter
		for rest := body; rest != ""; {
			n := min(max(size, 1), len(rest))
			l.write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if l.longest != want {
			t.Errorf("%d, want %d", l.longest, want)
		}
	})
}
