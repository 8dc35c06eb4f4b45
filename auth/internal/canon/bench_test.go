package canon

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const benchSize, benchChunk = 1 << 20, 65535 // MTAs cut bodies so

// BenchmarkBody hashes 1 MiB, beside SHA-256 alone:
//
//	go test -run xxx -bench Body ./auth/internal/canon
//
// Siblings run one after the other, and on a busy machine the clock changes in
// between: BenchmarkShare is what to compare.
func BenchmarkBody(b *testing.B) {
	for _, bb := range benchBodies() {
		for name, w := range map[string]io.Writer{
			"sha256": sha256.New(), "simple": NewBody(Simple, -1), "relaxed": NewBody(Relaxed, -1),
		} {
			b.Run(bb.name+"/"+name, func(b *testing.B) {
				b.SetBytes(benchSize)
				b.ReportAllocs()
				for b.Loop() {
					benchFeed(w, bb.body)
				}
			})
		}
	}
}

// BenchmarkShare takes turns with SHA-256 alone on the same chunks and reports
// which share of its speed is left. The aims: 60 % on base64, 30 % on short
// HTML lines.
func BenchmarkShare(b *testing.B) {
	for _, bb := range benchBodies() {
		for _, c := range []Canonicalization{Simple, Relaxed} {
			b.Run(bb.name+"/"+string(c), func(b *testing.B) {
				alone, body := sha256.New(), NewBody(c, -1)
				var sha, canon time.Duration
				for b.Loop() {
					t0 := time.Now()
					benchFeed(alone, bb.body)
					t1 := time.Now()
					benchFeed(body, bb.body)
					sha, canon = sha+t1.Sub(t0), canon+time.Since(t1)
				}
				b.ReportMetric(100*float64(sha)/float64(canon), "%sha256")
			})
		}
	}
}

func benchFeed(w io.Writer, body []byte) {
	for len(body) > 0 {
		n := min(benchChunk, len(body))
		w.Write(body[:n])
		body = body[n:]
	}
}

type benchBody struct {
	name string
	body []byte
}

func benchBodies() []benchBody {
	return []benchBody{{"base64", benchBase64(benchSize)}, {"html", benchHTML(benchSize)}, {"text", benchText(benchSize)}}
}

// benchBase64 is an attachment: 76 columns.
func benchBase64(size int) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < size {
		for range 76 {
			b.WriteByte(alphabet[r.IntN(64)])
		}
		b.WriteString("\r\n")
	}
	return b.Bytes()[:size]
}

// benchHTML is a newsletter's table soup: lines of 20 to 40 bytes, indented
// with spaces or tabs, some with a trailing space, some empty.
func benchHTML(size int) []byte {
	lines := []string{
		`<table width="100%">`, `<tr>`, `<td class="x" align="left">`, `<p>Dear reader, this is it</p>`,
		`<a href="https://e.example/x">`, `<b>Click  here</b> `, `</td>`, `</tr>`, ``, `<br>&nbsp;<img src="cid:1">`,
		`<span style="color: #fff">Hi</span>`, `words of a short paragraph`,
	}
	r := rand.New(rand.NewPCG(3, 4))
	var b bytes.Buffer
	for b.Len() < size {
		if depth := r.IntN(7); r.IntN(4) == 0 {
			b.WriteString(strings.Repeat("\t", depth))
		} else {
			b.WriteString(strings.Repeat("  ", depth))
		}
		b.WriteString(lines[r.IntN(len(lines))])
		b.WriteString("\r\n")
	}
	return b.Bytes()[:size]
}

// benchText is prose: words with single spaces, 72 columns.
func benchText(size int) []byte {
	r := rand.New(rand.NewPCG(5, 6))
	var b bytes.Buffer
	for b.Len() < size {
		for col := 0; col < 66; {
			n := 1 + r.IntN(9)
			b.WriteString("abcdefghij"[:n])
			b.WriteByte(' ')
			col += n + 1
		}
		b.WriteString("end\r\n")
	}
	return b.Bytes()[:size]
}
