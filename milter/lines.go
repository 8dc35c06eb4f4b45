package milter

import (
	"bytes"
	"encoding/binary"
)

// lineLimit is how long a body line may be, without its CRLF, before the MTA's
// SMTP client cuts it: L=990 of Sendmail's mailers, smtp_line_length_limit of
// Postfix.
func lineLimit(sendmail bool) int {
	if sendmail {
		return 990
	}
	return 998
}

// lineMeter watches a body go by for what an MTA may change in it. Nothing is
// stored.
type lineMeter struct {
	longest  int // bytes of the longest line, without its end
	eightBit bool

	current int  // bytes of the line so far
	cr      bool // the last piece ended with CR
}

func (l *lineMeter) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if !l.eightBit {
		l.eightBit = hasHighBit(p)
	}
	last := p[len(p)-1]
	for {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			l.current += len(p)
			break
		}
		line := l.current + n
		if n > 0 && p[n-1] == '\r' || n == 0 && l.cr {
			line--
		}
		l.longest = max(l.longest, line)
		l.current, l.cr, p = 0, false, p[n+1:]
	}
	// The last byte may be the CR of a line end.
	l.cr = last == '\r'
	l.longest = max(l.longest, l.current-1)
}

func hasHighBit(p []byte) bool {
	const high = 0x8080808080808080
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&high != 0 {
			return true
		}
		p = p[8:]
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
