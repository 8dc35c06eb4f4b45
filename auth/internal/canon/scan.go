package canon

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// A body is looked at eight bytes at a time: a word's byte has its top bit set
// in a mask when it is what is looked for.
const (
	low7   = 0x7f7f7f7f7f7f7f7f
	tops   = 0x8080808080808080
	spaces = 0x2020202020202020
	tabs   = 0x0909090909090909

	direct, window = 128, 256 // see nextEdit
)

// nextEdit returns the index of the first white space in p that relaxed
// canonicalisation may change: a tab, a space before white space or CR, or a
// space that ends p. Without one it is len(p). A single space before another
// control character is returned as well, which costs time only.
//
// Base64 has no white space but line ends: after 128 bytes without a find,
// windows are first searched for any with bytes.IndexByte, which is several
// times as fast as looking at pairs.
func nextEdit(p []byte) int {
	first := min(len(p), direct)
	i := scan(p, 0, first)
	if i < first {
		return i
	}
	for i < len(p) {
		end := min(len(p), i+window)
		w := p[i:end]
		if bytes.IndexByte(w, ' ') >= 0 || bytes.IndexByte(w, '\t') >= 0 {
			if i = scan(p, i, end); i < end {
				return i
			}
		}
		i = end
	}
	return i
}

// scan is nextEdit for p[i:end], looking one byte beyond end where p has one.
// It returns end without a find.
func scan(p []byte, i, end int) int {
	for ; i+8 <= end && i+9 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		y := binary.LittleEndian.Uint64(p[i+1:])
		// exact: the byte is a space, the byte is a tab
		sx, tx := x^spaces, x^tabs
		sp := ^((sx&low7 + low7) | sx | low7)
		tab := ^((tx&low7 + low7) | tx | low7)
		// the byte after it is below 0x21
		ctl := ^((y&low7 + 0x5f5f5f5f5f5f5f5f) | y) & tops
		if m := tab | sp&ctl; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < end; i++ {
		if p[i] == '\t' || p[i] == ' ' && (i+1 == len(p) || p[i+1] < 0x21) {
			return i
		}
	}
	return end
}
