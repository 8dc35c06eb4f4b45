package transaction

import (
	"bytes"
	"encoding/binary"
)

// The MTAs' SMTP clients cut body lines of more bytes than this, without the
// CRLF: L=990 of Sendmail's mailers, smtp_line_length_limit of Postfix.
const (
	sendmailLine = 990
	postfixLine  = 998
)

func lineLimit(sendmail bool) int {
	if sendmail {
		return sendmailLine
	}
	return postfixLine
}

// lineMeter watches a body go by for what an MTA may change in it. Nothing is
// stored.
type lineMeter struct {
	longest  int // bytes of the longest line over sendmailLine, without its end; else 0
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
		// Most lines are short: a line end within reach shows that all up to it
		// are, without looking for each.
		if reach := sendmailLine - l.current; reach > 0 {
			if i := bytes.LastIndexByte(p[:min(len(p), reach+1)], '\n'); i >= 0 {
				l.current, l.cr, p = 0, false, p[i+1:]
				continue
			}
			if len(p) <= reach {
				l.current += len(p)
				break
			}
		}
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			l.current += len(p)
			break
		}
		l.line(l.current+n, n > 0 && p[n-1] == '\r' || n == 0 && l.cr)
		l.current, l.cr, p = 0, false, p[n+1:]
	}
	l.cr = last == '\r'
	l.line(l.current, true) // the last byte may be the CR of a line end
}

// line takes the length of a line, with its CR or without.
func (l *lineMeter) line(n int, cr bool) {
	if cr {
		n--
	}
	if n > sendmailLine {
		l.longest = max(l.longest, n)
	}
}

func hasHighBit(p []byte) bool {
	const high = 0x8080808080808080
	for len(p) >= 32 {
		if (binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:])|
			binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:]))&high != 0 {
			return true
		}
		p = p[32:]
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
