package canon

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// pieces are what lines are made of: what the scanner looks for, and what it must pass
// over, of all lengths around its words, its windows and the buffer.
var pieces = [][]byte{
	[]byte(" "), []byte("  "), []byte("\t"), []byte(" \t "), []byte("\r\n"), []byte("\r\n\r\n"), []byte(" \r\n"), []byte("\r"), []byte("\n"), []byte(" \x01"), []byte(" !"), []byte("! "),
	bytes.Repeat([]byte("\r\n"), 20), []byte("x"), []byte("word "), bytes.Repeat([]byte("x"), 7), bytes.Repeat([]byte("x"), 8), bytes.Repeat([]byte("y"), 9), bytes.Repeat([]byte("z"), 63),
	bytes.Repeat([]byte("a"), 127), bytes.Repeat([]byte("b"), 128), bytes.Repeat([]byte("c"), 129), bytes.Repeat([]byte("d"), 255), bytes.Repeat([]byte("e"), 256),
	bytes.Repeat([]byte("f"), 700), bytes.Repeat([]byte("g"), bufferSize/2), bytes.Repeat([]byte("h"), bufferSize/2+1), bytes.Repeat([]byte("i"), bufferSize-1), bytes.Repeat([]byte("j"), bufferSize+1),
}

// TestLargeBodies: bodies that fill the buffer many times, in chunks of all sizes, up to
// a limit or to their end, against the canonical forms taken word by word.
func TestLargeBodies(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var body []byte
		for len(body) < 3*bufferSize {
			n := len(pieces)
			if r.IntN(3) > 0 {
				n = 15 // mostly short ones
			}
			body = append(body, pieces[r.IntN(n)]...)
		}
		for _, c := range []Canonicalization{Simple, Relaxed} {
			full := slow(c, string(body))
			for _, limit := range []int64{-1, int64(r.IntN(len(full) + 1))} {
				want := full
				if limit >= 0 {
					want = full[:limit]
				}
				b := NewBody(c, limit)
				for p := body; len(p) > 0; {
					n := min(1+r.IntN(1+r.IntN(2*bufferSize)), len(p))
					b.Write(p[:n])
					p = p[n:]
				}
				if b.Sum() != sha256.Sum256([]byte(want)) {
					t.Fatalf("round %d, %s, limit %d: wrong hash", round, c, limit)
				}
			}
		}
	}
}

// TestNextEdit is each place at which a scan may end, against one byte at a time.
func TestNextEdit(t *testing.T) {
	edit := func(p []byte) int {
		for i, c := range p {
			if c == '\t' || c == ' ' && (i+1 == len(p) || p[i+1] < 0x21) {
				return i
			}
		}
		return len(p)
	}
	for _, what := range []string{"\tx", "  ", " \r\n", " ", "\t", " !x  "} {
		for n := range 2*window + direct {
			p := append(bytes.Repeat([]byte("x"), n), what...)
			if got, want := nextEdit(p), edit(p); got != want {
				t.Fatalf("%q behind %d bytes: %d, want %d", what, n, got, want)
			}
			if n > 3 {
				p[n-3] = ' ' // before a letter: nothing changes
				if got, want := nextEdit(p), edit(p); got != want {
					t.Fatalf("%q behind %d bytes with a space: %d, want %d", what, n, got, want)
				}
			}
		}
	}
}

// TestHeldLineEnds: line ends that are held come out at each place of the buffer.
func TestHeldLineEnds(t *testing.T) {
	for n := range 2*bufferSize + 1 {
		for _, held := range []int{2, 17, 40} {
			body := bytes.Repeat([]byte("x"), n)
			body = append(append(body, bytes.Repeat([]byte("\r\n"), held)...), " y"...)
			b := NewBody(Relaxed, -1)
			for p := body; len(p) > 0; p = p[min(len(p), 500):] {
				b.Write(p[:min(len(p), 500)])
			}
			if b.Sum() != sha256.Sum256(append(body, "\r\n"...)) {
				t.Fatalf("%d line ends behind %d bytes", held, n)
			}
		}
	}
}

// TestHalfBuffers: two pieces that fill half of it each, with a line end and white space
// between them.
func TestHalfBuffers(t *testing.T) {
	for _, first := range []int{bufferSize/2 - 3, bufferSize/2 - 1, bufferSize / 2, bufferSize/2 + 1} {
		for _, second := range []int{bufferSize/2 - 3, bufferSize/2 - 1, bufferSize / 2, bufferSize/2 + 1} {
			x, y := bytes.Repeat([]byte("x"), first), bytes.Repeat([]byte("y"), second)
			b := NewBody(Relaxed, -1)
			b.Write(bytes.Join([][]byte{x, y}, []byte("\r\n  ")))
			if b.Sum() != sha256.Sum256(append(bytes.Join([][]byte{x, y}, []byte("\r\n ")), "\r\n"...)) {
				t.Errorf("%d and %d bytes", first, second)
			}
		}
	}
}
