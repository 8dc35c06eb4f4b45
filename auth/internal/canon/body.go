package canon

import (
	"crypto/sha256"
	"hash"
	"math"
)

// bufferSize is how much canonical text is gathered before it is hashed. Runs
// longer than half of it are hashed where they lie.
const bufferSize = 2048

// Body hashes one body in one canonical form. It is an io.Writer that never
// fails, allocates nothing and keeps nothing of a chunk; where chunks are cut
// does not matter.
//
// What cannot be decided before more has come is held as three facts, since it
// always reads CRLF* [WSP] [CR]: the number of line ends after the last text,
// whether white space follows them, and whether a CR follows that. Held line
// ends are the trailing empty lines if nothing follows (RFC 6376 §3.4.3, §3.4.4).
type Body struct {
	canon Canonicalization
	hash  hash.Hash
	limit int64 // l=, -1 without
	left  int64 // how much may still be hashed

	crlfs int64
	wsp   bool // only Relaxed holds white space
	cr    bool
	text  bool // some text has been hashed; only Relaxed asks

	n   int // bytes in buf
	buf [bufferSize]byte

	done bool
	sum  [sha256.Size]byte
}

// NewBody returns a hasher for c; anything but Relaxed is Simple. limit is the
// number of canonical bytes to hash (l=, RFC 6376 §3.5); negative means all.
func NewBody(c Canonicalization, limit int64) *Body {
	limit = max(limit, -1)
	left := limit
	if limit < 0 {
		left = math.MaxInt64
	}
	return &Body{canon: c, hash: sha256.New(), limit: limit, left: left}
}

// Write takes the next chunk of the body. After Sum it does nothing.
func (b *Body) Write(p []byte) (int, error) {
	switch {
	case b.done || b.left == 0:
	case b.canon == Relaxed:
		b.relaxed(p)
	default:
		b.simple(p)
	}
	return len(p), nil
}

// Sum ends the body and returns its hash; more calls return the same.
func (b *Body) Sum() [sha256.Size]byte {
	if b.done {
		return b.sum
	}
	if b.cr { // a lone CR after all, and a line without an end
		b.release()
		b.put(crlf[:1])
		b.text, b.cr = true, false
	}
	// Simple: "*CRLF" at the end becomes one CRLF, of an empty body too.
	// Relaxed: text gets its line end, and nothing stays nothing.
	if b.canon != Relaxed || b.text {
		b.put(crlf[:2])
	}
	b.flush()
	b.hash.Sum(b.sum[:0])
	b.done = true
	return b.sum
}

// Short reports, after Sum, whether the canonical body is shorter than the
// limit, which l= must not be (RFC 6376 §3.5).
func (b *Body) Short() bool { return b.limit >= 0 && b.left > 0 }

func (b *Body) simple(p []byte) {
	if len(p) == 0 {
		return
	}
	if b.cr {
		b.cr = false
		if p[0] == '\n' {
			b.crlfs++
			p = p[1:]
		} else {
			b.release()
			b.put(crlf[:1])
		}
	}
	if len(p) > 0 && p[len(p)-1] == '\r' {
		b.cr = true
		p = p[:len(p)-1]
	}
	b.run(p)
}

func (b *Body) relaxed(p []byte) {
	for len(p) > 0 {
		if b.cr {
			b.cr = false
			if p[0] == '\n' {
				b.lineEnd()
				p = p[1:]
				continue
			}
			b.release()
			b.put(crlf[:1])
			b.text = true
		}
		i := 0
		for i < len(p) && isWSP(p[i]) {
			i++
		}
		b.wsp = b.wsp || i > 0
		p = p[i:]
		switch {
		case len(p) == 0:
		case p[0] == '\r' && len(p) == 1:
			b.cr = true
			p = nil
		case p[0] == '\r' && p[1] == '\n':
			b.lineEnd()
			p = p[2:]
		default:
			e := nextEdit(p)
			r := p[:e]
			p = p[e:]
			if len(p) == 0 && r[len(r)-1] == '\r' {
				b.cr = true
				r = r[:len(r)-1]
			}
			b.run(r)
		}
	}
}

// lineEnd holds one more CRLF; white space before it is gone.
func (b *Body) lineEnd() {
	b.crlfs++
	b.wsp = false
}

// run takes text that is canonical already, apart from the CRLFs at its end,
// which are held.
func (b *Body) run(r []byte) {
	i := len(r)
	for i >= 2 && r[i-1] == '\n' && r[i-2] == '\r' {
		i -= 2
	}
	if i > 0 {
		b.release()
		b.put(r[:i])
		b.text = true
	}
	b.crlfs += int64(len(r)-i) / 2
}

// crlf is what held line ends are made of, many at a time.
var crlf = [...]byte{
	'\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n',
	'\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n',
}

// release puts what is held, because text follows.
func (b *Body) release() {
	if n := b.n; b.crlfs <= 1 && n <= bufferSize-3 && b.left >= 3 { // nearly always so
		if b.crlfs == 1 {
			b.buf[n], b.buf[n+1] = '\r', '\n'
			n += 2
		}
		if b.wsp {
			b.buf[n] = ' '
			n++
		}
		b.left -= int64(n - b.n)
		b.n, b.crlfs, b.wsp = n, 0, false
		return
	}
	for b.crlfs > 0 && b.left > 0 {
		n := min(b.crlfs, int64(len(crlf)/2))
		b.put(crlf[:2*n])
		b.crlfs -= n
	}
	b.crlfs = 0
	if b.wsp {
		b.put(space[:])
		b.wsp = false
	}
}

var space = [1]byte{' '}

// put hashes canonical text up to the limit.
func (b *Body) put(p []byte) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	b.left -= int64(len(p))
	if len(p) > bufferSize-b.n {
		b.flush()
	}
	if len(p) > bufferSize/2 {
		b.flush()
		b.hash.Write(p)
		return
	}
	b.n += copy(b.buf[b.n:], p)
}

func (b *Body) flush() {
	if b.n > 0 {
		b.hash.Write(b.buf[:b.n])
		b.n = 0
	}
}
