// Package sendmailform writes address fields as Sendmail will send them, so that what
// is signed is what leaves: Sendmail rewrites them after the milters. It is a leaf.
package sendmailform

import (
	"slices"
	"strings"
)

// Form returns the value of an address field in a form that Sendmail
// does not change any more but for white space: value itself where it is one.
// It reports false where it does not understand the value. Idempotent; linear
// in the value's length.
func Form(value, host string) (string, bool) {
	flat := strings.NewReplacer("\r\n", "", "\n", "", "\r", "").Replace(value)
	for i := range len(flat) {
		if c := flat[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", false
		}
	}
	p := addressList{s: flat, host: host}
	for p.i < len(p.s) {
		if !p.element() {
			return "", false
		}
	}
	out := p.String()
	switch {
	case relaxed(out) == relaxed(flat):
		return value, true
	case len(p.out) == 0:
		return "", false
	}
	return " " + p.folded(), true
}

// relaxed is the value as relaxed canonicalisation sees it (RFC 6376 §3.4.2),
// unfolded already.
func relaxed(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for i := range len(s) {
		if s[i] == ' ' || s[i] == '\t' {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// addressList reads an address-list (RFC 5322 §3.4, with what real mail has
// instead), one element at a time.
type addressList struct {
	s, host string
	i       int
	out     []string // elements; a group's name is glued to its first one
	prefix  string   // the name of a group that has just begun, with its colon
	group   bool     // in a group
	// semicolon: the element before was ended by one outside of a group, which
	// some mailers take for a comma.
	semicolon bool
}

func (p *addressList) String() string { return strings.Join(p.out, ", ") }

// folded breaks lines after commas, as Sendmail does.
func (p *addressList) folded() string {
	var b strings.Builder
	line := len("Disposition-Notification-To: ")
	for i, e := range p.out {
		if i > 0 {
			if line+len(e) > 76 {
				b.WriteString(",\r\n\t")
				line = 8
			} else {
				b.WriteString(", ")
				line += 2
			}
		}
		b.WriteString(e)
		line += len(e)
	}
	return b.String()
}

// Kinds of piece.
const (
	word    = 'w' // no white space, quotes, comments, commas, semicolons, colons, angle brackets
	space   = ' '
	quoted  = '"'
	comment = '('
	angle   = '<'
)

// piece is a part of an element, verbatim.
type piece struct {
	kind byte
	text string
}

// element reads up to the next comma, semicolon or end, or a group's colon.
func (p *addressList) element() bool {
	var e []piece
	for p.i < len(p.s) {
		if len(e) > maxElement+2 { // white space at both ends does not count
			return false
		}
		start := p.i
		kind := byte(word)
		switch c := p.s[p.i]; c {
		case ',', ';':
			p.i++
			return p.end(e, c)
		case ':':
			p.i++
			return p.begin(e)
		case ' ', '\t':
			kind = space
			for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t') {
				p.i++
			}
		case '"', '(', '<':
			kind = c
			if p.i = closing(p.s, p.i); p.i < 0 {
				return false
			}
		case '>':
			return false
		default:
			p.word()
		}
		e = append(e, piece{kind, p.s[start:p.i]})
	}
	return p.end(e, ',')
}

// maxLiteral bounds a domain literal; the longest address has 45 characters.
const maxLiteral = 64

// word goes over a run of other characters. A domain literal may have a colon.
func (p *addressList) word() {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case strings.IndexByte(" \t\"(<>,;:", c) >= 0:
			return
		case c == '@' && strings.HasPrefix(p.s[p.i:], "@["):
			near := p.s[p.i:min(p.i+maxLiteral, len(p.s))]
			if n := strings.IndexAny(near, "] \t\"(<>,;"); n > 0 && near[n] == ']' {
				p.i += n
			}
		}
		p.i++
	}
}

// maxNesting of comments; nobody nests more than two.
const maxNesting = 20

// closing returns the place after the quoted string, comment or angle-addr
// that begins at i, or -1.
func closing(s string, i int) int {
	open, depth := s[i], 1
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && open != '<':
			i++
		case open == '(' && c == '(':
			if depth++; depth > maxNesting {
				return -1
			}
		case open == '<' && c == '"':
			if i = closing(s, i) - 1; i < 0 {
				return -1
			}
		case open == '<' && (c == '<' || c == '(' || c == ')'):
			return -1
		case open == '"' && c == '"', open == '(' && c == ')', open == '<' && c == '>':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// begin takes e for the name of a group.
func (p *addressList) begin(e []piece) bool {
	name := trim(e)
	if p.group || p.prefix != "" || p.semicolon || len(name) == 0 {
		return false
	}
	var b strings.Builder
	for _, x := range name {
		if x.kind == comment || x.kind == angle || x.kind == word && strings.ContainsAny(x.text, mustQuote) {
			return false
		}
		b.WriteString(x.text)
	}
	b.WriteByte(':')
	if strings.HasPrefix(p.s[p.i:], " ") || strings.HasPrefix(p.s[p.i:], "\t") {
		b.WriteByte(' ')
	}
	p.prefix, p.group = b.String(), true
	return true
}

// end takes e for a mailbox, ended by c.
func (p *addressList) end(e []piece, c byte) bool {
	e = trim(e)
	tail := ""
	closes := c == ';' && p.group
	if closes {
		tail, p.group = ";", false
	}
	if len(e) == 0 {
		switch {
		case p.prefix != "":
			if !closes { // "g:,a@x;" and "g:" to the end
				return false
			}
			p.out = append(p.out, p.prefix+tail)
			p.prefix = ""
		case closes: // "g: a@x, ;"
			p.out[len(p.out)-1] += tail
		}
		return true // empty elements go (RFC 5322 §4.4)
	}
	text, ok := p.mailbox(e)
	// Semicolons for commas only where no other reading is possible.
	odd := c == ';' && !closes
	if (odd || p.semicolon) && !slices.ContainsFunc(e, func(x piece) bool { return x.kind != comment && strings.Contains(x.text, "@") }) {
		return false
	}
	p.semicolon = odd
	p.out = append(p.out, p.prefix+text+tail)
	p.prefix = ""
	return ok
}

func trim(e []piece) []piece {
	if len(e) > 0 && e[0].kind == space {
		e = e[1:]
	}
	if len(e) > 0 && e[len(e)-1].kind == space {
		e = e[:len(e)-1]
	}
	return e
}
