package header

import (
	"net/netip"
	"strings"
)

type tokenKind int

const (
	end tokenKind = iota
	broken
	word
	remark // a comment, without its parentheses
	semicolon
)

// next returns the next token. White space and the line ends of folds separate
// tokens and are none.
func (p *receivedParser) next() (string, tokenKind) {
	for p.i < len(p.s) && isBlank(p.s[p.i]) {
		p.i++
	}
	if p.i == len(p.s) {
		return "", end
	}
	switch p.s[p.i] {
	case ';':
		p.i++
		return "", semicolon
	case ')':
		return "", broken
	case '(':
		return p.comment()
	}
	start := p.i
	for p.i < len(p.s) && !isBlank(p.s[p.i]) && strings.IndexByte("();", p.s[p.i]) < 0 {
		if p.s[p.i] == '"' && !p.quoted() {
			return "", broken
		}
		p.i++
	}
	return p.s[start:p.i], word
}

// quoted goes to the end of a quoted string (RFC 5322 §3.2.4).
func (p *receivedParser) quoted() bool {
	for p.i++; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '"':
			return true
		}
	}
	return false
}

// comment reads a comment with those inside it (RFC 5322 §3.2.2).
func (p *receivedParser) comment() (string, tokenKind) {
	start := p.i + 1
	for depth := 0; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '(':
			if depth++; depth > maxNesting {
				return "", broken
			}
		case ')':
			if depth--; depth == 0 {
				p.i++
				return p.s[start : p.i-1], remark
			}
		}
	}
	return "", broken
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// maxHead is how many words of a comment are looked at: a name, an address,
// and one more to see that there is no second address.
const maxHead = 3

// comment is the head of a comment of the from clause.
type comment struct {
	head [maxHead]string // its first words, those of comments inside left out
	// ofItself: it looks like what the client says, "(helo=x)" or "(HELO x)".
	ofItself bool
	address  netip.Addr
	twofold  bool // two addresses that differ
}

func readComment(s string) comment {
	var c comment
	n, depth := 0, 0
	for i := 0; i < len(s) && n < maxHead; i++ {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case s[i] == '\\':
			i++
		case depth == 0 && !isBlank(s[i]):
			start := i
			for i < len(s) && !isBlank(s[i]) && s[i] != '(' {
				i++
			}
			c.head[n] = s[start:i]
			n++
			i--
		}
	}
	c.ofItself = strings.Contains(c.head[0], "=") || selfNamed(c.head[0])
	c.find()
	return c
}

// find looks for the address at the head: "(name [192.0.2.1] ...)",
// "([192.0.2.1] ...)", "(user@192.0.2.1)". A name may look like an address.
func (c *comment) find() {
	ip, ok := bracketed(c.head[1])
	if ok {
		for _, w := range []string{c.head[0], c.head[2]} {
			other, ok := bracketed(w)
			c.twofold = c.twofold || ok && other != ip
		}
	} else {
		_, host, at := cutLast(c.head[0], '@')
		if !at {
			host = c.head[0]
		}
		ip, _ = address(host)
	}
	c.address = ip
}

// selfNamed reports whether a comment that begins with w is what the client
// says of itself (qmail, CommuniGate: "(HELO x)", Zimbra: "(LHLO x)").
func selfNamed(w string) bool {
	switch strings.ToLower(strings.TrimRight(w, ":")) {
	case "helo", "ehlo", "lhlo":
		return true
	}
	return false
}

// address reads an address in any form that MTAs write: 192.0.2.1,
// [192.0.2.1], [IPv6:2001:db8::1], each with a port or without.
func address(s string) (netip.Addr, bool) {
	if ip, ok := bracketed(s); ok {
		return ip, true
	}
	if ip, ok := plainAddress(s); ok {
		return ip, true
	}
	ap, err := netip.ParseAddrPort(s)
	return plain(ap.Addr()), err == nil
}

// bracketed reads an address literal, [192.0.2.1], perhaps with a port behind.
func bracketed(s string) (netip.Addr, bool) {
	inside, port, ok := cutLast(s, ']')
	if !ok || len(inside) == 0 || inside[0] != '[' || port != "" && port[0] != ':' {
		return netip.Addr{}, false
	}
	return plainAddress(inside[1:])
}

func plainAddress(s string) (netip.Addr, bool) {
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	ip, err := netip.ParseAddr(s)
	return plain(ip), err == nil
}

func plain(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// cutLast is strings.Cut at the last c.
func cutLast(s string, c byte) (before, after string, ok bool) {
	if i := strings.LastIndexByte(s, c); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
