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
