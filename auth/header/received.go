package header

import (
	"net/netip"
	"strings"
)

// Received is what one Received field says about who handed the message over
// (RFC 5321 §4.4). The zero value is a field without a from clause: a program
// on the host that wrote it made the message, or had it already.
type Received struct {
	// FromClient: there is a from clause, or one may be hidden in what cannot
	// be read.
	FromClient bool
	// Client is the client's address as the host that wrote the field saw it,
	// unmapped and without zone. Invalid: the field does not say, cannot be read,
	// or says two things.
	Client netip.Addr
	// Helo is the client's own word for itself, as far as the field has it apart
	// from what the host found out; "" where there is none.
	Helo string
	// With is the protocol in upper case, without a version: "ESMTPS", "LMTP",
	// "HTTP". It is empty for a field that cannot be read.
	With string
}

// unreadable is what nobody can make sense of, and so may come from anybody.
var unreadable = Received{FromClient: true}

// maxNesting bounds comments in comments. Sendmail's "(may be forged)" is the
// deepest that MTAs write, at two.
const maxNesting = 8

// ParseReceived reads a Received field in one pass.
//
// The client chooses its HELO word, its PTR name, its ident answer and the
// names in its certificate, and not every MTA takes the specials out of them.
// So an address counts only where MTAs write what they saw themselves: at the
// head of a comment of the from clause, or in place of its name. A field in
// which that gives two answers, and one that breaks the grammar anywhere, is
// one from a client whose address is not known.
func ParseReceived(value string) Received {
	p := receivedParser{s: value}
	if !p.parse() {
		return unreadable
	}
	if p.local || !p.fromClient {
		return Received{With: p.with}
	}
	client, ok := p.client()
	if !ok {
		return unreadable
	}
	return Received{FromClient: true, Client: client, Helo: p.helo(), With: p.with}
}

// Clauses of a Received field (RFC 5321 §4.4 Stamp).
const (
	clauseFrom = 1 << iota
	clauseBy
	clauseWith
	clauseOther // via, id, for
	clauseDate
)

type receivedParser struct {
	s string
	i int

	seen       int  // the clauses that are there
	lead       bool // a comment stands before them
	fromClient bool // there is a from clause
	local      bool // ... of a program: "(from root@localhost)"
	with       string

	// The from clause.
	word     string     // behind "from"
	bare     netip.Addr // an address literal behind that
	comments int
	about    comment    // the first of them
	address  netip.Addr // in those that say what the host saw
	twofold  bool       // ... and that differ
}

// parse goes over the whole field. False: it breaks the grammar.
func (p *receivedParser) parse() bool {
	clause := 0
	first := false // the clause's value comes next, whatever it reads like
	for {
		tok, kind := p.next()
		switch {
		case kind == broken:
			return false
		case kind == end:
			return p.seen&^clauseDate != 0 || p.lead
		case kind == semicolon:
			clause, first = clauseDate, false
			if !p.begin(clause) {
				return false
			}
		case kind == remark:
			first = false
			if clause == 0 {
				p.leading(tok)
			} else if clause == clauseFrom {
				p.remark(readComment(tok))
			}
		case first || clause != 0 && clauseOf(tok) == 0:
			p.value(clause, tok, first)
			first = false
		default: // a keyword; or not, where one has to be
			if clause == clauseDate && clauseOf(tok) == clauseOther {
				continue
			}
			if clause == clauseDate || !p.begin(clauseOf(tok)) {
				return false
			}
			clause, first = clauseOf(tok), true
		}
	}
}

// begin reports whether a clause may begin here: each of those that matter
// comes once, and from before the others. Two of one kind are the mark of text
// that pretends to be the end of the field.
func (p *receivedParser) begin(clause int) bool {
	switch {
	case clause == 0,
		clause != clauseOther && p.seen&clause != 0,
		clause == clauseFrom && (p.seen != 0 || p.fromClient):
		return false
	}
	p.seen |= clause
	p.fromClient = p.fromClient || clause == clauseFrom
	return true
}

func clauseOf(s string) int {
	switch strings.ToLower(s) {
	case "from":
		return clauseFrom
	case "by":
		return clauseBy
	case "with":
		return clauseWith
	case "via", "id", "for":
		return clauseOther
	}
	return 0
}

// value takes a word of a clause.
func (p *receivedParser) value(clause int, s string, first bool) {
	switch {
	case clause == clauseWith && first:
		s, _, _ = strings.Cut(s, "/") // Roundcube before 0.5: HTTP/1.1
		p.with = strings.ToUpper(s)
	case clause == clauseFrom && first:
		p.word = s
	case clause == clauseFrom:
		if ip, ok := bracketed(s); ok { // fetchmail: from name [192.0.2.1] by
			p.twofold = p.twofold || p.bare.IsValid() && p.bare != ip
			p.bare = ip
		}
	}
}

// leading takes a comment before all clauses. Sendmail's may hold the from
// clause: "(from root@localhost) by", "(from host [192.0.2.1]) by".
func (p *receivedParser) leading(text string) {
	c := readComment(text)
	again := p.fromClient
	p.lead, p.local = true, false
	if strings.EqualFold(c.head[0], "from") {
		_, host, at := cutLast(c.head[1], '@')
		p.local = !again && at && host == "localhost" && c.head[2] == ""
		c.head = [maxHead]string{c.head[1], c.head[2]}
		c.find()
	} else if !c.address.IsValid() {
		return
	}
	p.fromClient = true
	p.remark(c)
}

// remark takes a comment of the from clause.
func (p *receivedParser) remark(c comment) {
	if p.comments++; p.comments == 1 {
		p.about = c
		if c.ofItself {
			return // client looks at it last
		}
	}
	p.twofold = p.twofold || c.twofold
	if c.address.IsValid() {
		p.saw(c.address)
	}
}

// saw notes an address that the host says it saw.
func (p *receivedParser) saw(ip netip.Addr) {
	if p.address.IsValid() && p.address != ip {
		p.twofold = true
	}
	p.address = ip
}

// client is the address that the from clause vouches for, invalid where it has
// none. False: it is not clear which.
func (p *receivedParser) client() (netip.Addr, bool) {
	name, literal := address(p.word)
	said := p.about.address
	switch {
	case p.twofold:
		return netip.Addr{}, false
	case p.bare.IsValid():
		for _, other := range []netip.Addr{name, p.address, said} {
			if other.IsValid() && other != p.bare {
				return netip.Addr{}, false
			}
		}
		return p.bare, true
	case p.comments > 0 && !p.about.ofItself:
		// Postfix, Sendmail, Exchange: the word is the client's.
		return p.address, true
	}
	// Exim, CommuniGate, qmail: the first comment is the client's, if any.
	switch {
	case p.address.IsValid():
		return p.address, !literal || name == p.address
	case said.IsValid() && literal:
		return name, name == said
	case said.IsValid():
		// A PTR name may be "helo", too.
		return said, !said.IsLoopback() && !p.about.twofold
	case literal && !name.IsLoopback():
		return name, true
	}
	return netip.Addr{}, true // nobody is believed to be this host on his word
}

// helo is the client's word for itself: "(helo=x)", "(HELO x)", or the one
// behind "from".
func (p *receivedParser) helo() string {
	if selfNamed(p.about.head[0]) {
		return p.about.head[1]
	}
	for _, w := range p.about.head {
		if key, v, ok := strings.Cut(w, "="); ok && strings.EqualFold(key, "helo") {
			return v
		}
	}
	return p.word
}
