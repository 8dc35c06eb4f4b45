package auth

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// address is an "@" with what is around it.
type address struct {
	at     int    // its token
	inside bool   // in angle brackets
	local  string // as written, comments removed
	// names are what readers take for its domain. The first one has no white
	// space and no comments round its dots (RFC 5322 §4.4).
	names []string
	plain bool // there is but one, in atoms, and no encoded word in the address
}

// element is what stands between two commas: a mailbox, or something like it.
type element struct {
	found        []address
	open, closed int  // angle brackets
	tidy         bool // one pair of them or none, beyond doubt
}

// newElement puts the addresses of ts into found.
func newElement(found []address, ts []token, how dialect) element {
	e := element{found: found, tidy: true}
	listed := false // a comma or semicolon stands in angle brackets
	for i, t := range ts {
		e.tidy = e.tidy && !t.doubt
		switch t.kind {
		case '<':
			e.open++
			listed = false
		case '>':
			e.closed++
		case ',', ';':
			listed = true
		case '@':
			a := address{at: i, inside: e.open > e.closed}
			local := localBefore(ts[:i])
			a.local = joined(local)
			var coded bool
			a.names, coded = domainsBehind(ts[i+1:], how.plain, listed || e.open <= e.closed)
			coded = coded || slices.ContainsFunc(local, func(t token) bool { return t.kind == tokCoded })
			a.plain = len(a.names) == 1 && !coded && i+1 < len(ts) && ts[i+1].kind == tokWord
			e.found = append(e.found, a)
		}
	}
	e.tidy = e.tidy && e.open == e.closed && e.open <= 1
	return e
}

// named: it has an angle-addr.
func (e element) named() bool {
	return e.tidy && e.open == 1 && slices.ContainsFunc(e.found, func(a address) bool { return a.inside && a.plain })
}

// mailbox is the index of the address that the element is there for, -1 where
// that is not clear.
func (e element) mailbox() int {
	main := -1
	for i, a := range e.found {
		if a.inside != (e.open == 1) || a.local == "" && a.inside { // "@" of a route (RFC 5322 §4.4)
			continue
		}
		if main >= 0 || a.local == "" || !a.plain {
			return -1
		}
		main = i
	}
	if !e.tidy {
		return -1
	}
	return main
}

// localBefore is the local part at the end of ts (RFC 5322 §3.4.1, §4.4).
func localBefore(ts []token) []token {
	i := len(ts)
	for ; i > 0 && isText(ts[i-1]); i-- {
		if i < len(ts) && ts[i].gap && !touches(ts[i-1], ts[i]) {
			break
		}
	}
	return ts[i:]
}

// domainsBehind reads the domain at the start of ts in several ways: with the
// white space round its dots removed, its first word, what stands before a
// quoted string or an encoded word (which are none, RFC 5322 §3.4.1 and RFC 2047
// §5, and shown as part of it by some), and all words, as Python's getaddresses
// and Mail::Address take them.
func domainsBehind(ts []token, plain, listed bool) (names []string, coded bool) {
	for len(ts) > 0 && (ts[0].kind == ':' || ts[0].kind == ';') { // Mail::Address
		ts = ts[1:]
	}
	end := slices.IndexFunc(ts, func(t token) bool { return !isText(t) })
	if end < 0 {
		end = len(ts)
	}
	if end == 0 {
		return nil, false
	}
	add := func(ts []token, little bool) {
		if s := domainText(ts, little); s != "" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	n, atoms := 1, 0
	for n < end && (!ts[n].gap || touches(ts[n-1], ts[n])) {
		n++
	}
	for atoms < n && ts[atoms].kind == tokWord {
		atoms++
	}
	add(ts[:n], false)
	if slices.ContainsFunc(ts[:n], func(t token) bool { return t.kind == tokCoded }) {
		coded = true
		add(ts[:n], true)
	}
	if nameLike(ts[0].text) {
		add(ts[:1], false)
	}
	if atoms > 0 {
		add(ts[:atoms], false)
	}
	if (end == len(ts) || ts[end].kind != '<') && !plain {
		add(ts[:end], false)
	}
	add(acrossAngles(ts, n, end, listed), false)
	return names, coded
}

// acrossAngles is the domain at the start of ts that goes on behind an angle bracket
// in it, nil for none: Mail::Address drops those that do not fit, and forgets the
// open one at a comma. n tokens are the domain so far, end is where text ends.
func acrossAngles(ts []token, n, end int, listed bool) []token {
	if n < end {
		return nil
	}
	domain, last, open := slices.Clone(ts[:n]), n, false
	for i := end; i < len(ts); i++ {
		switch t := ts[i]; {
		case t.kind == '<' && !t.gap:
			open, last = true, len(domain)
		case t.kind == '>' && (open || listed):
			open, last = false, len(domain)
		case t.kind == '@':
			if last < len(domain) && last > 0 && touches(domain[last-1], domain[last]) {
				return domain
			}
			return domain[:last] // what stands before it is another local part
		case t.kind == tokWord && (!t.gap || touches(domain[len(domain)-1], t)):
			domain = append(domain, t)
		default:
			return domain
		}
	}
	return domain
}

// quotedName leaves of a quoted string what may be a name.
var quotedName = strings.NewReplacer(`"`, "", `\`, "", " ", "", "\t", "")

// domainText is what words look like put together.
func domainText(ts []token, little bool) string {
	if len(ts) == 1 && ts[0].kind == tokWord {
		return ts[0].text
	}
	var b strings.Builder
	for _, t := range ts {
		switch t.kind {
		case tokQuoted:
			b.WriteString(quotedName.Replace(t.text))
		case tokCoded:
			d, err := decodeWords(t.text, decoding{spaced: little})
			if err != nil {
				b.WriteString(letter)
			}
			for _, p := range d.pieces {
				b.WriteString(strings.Trim(p.text, " "))
			}
		default:
			b.WriteString(t.text)
		}
	}
	return b.String()
}

func isText(t token) bool { return t.kind == tokWord || t.kind == tokQuoted || t.kind == tokCoded }

// touches: a full stop is between a and b.
func touches(a, b token) bool {
	last, _ := utf8.DecodeLastRuneInString(a.text)
	first, _ := utf8.DecodeRuneInString(b.text)
	return strings.ContainsRune(fullStops, last) || strings.ContainsRune(fullStops, first)
}

// fullStops separate labels for a reader who knows IDNA (RFC 3490 §3.1).
const fullStops = ".\u3002\uff0e\uff61"

// nameLike reports whether a text has more than one label.
func nameLike(s string) bool { return strings.ContainsAny(strings.Trim(s, fullStops), fullStops) }

func joined(ts []token) string {
	if len(ts) == 1 {
		return ts[0].text
	}
	var b strings.Builder
	for _, t := range ts {
		b.WriteString(t.text)
	}
	return b.String()
}

// joinedAngles are the domains of what several angle brackets between two commas
// hold put together, as Mail::Address does, with and without what is doubtful.
func joinedAngles(ts []token) (names []string) {
	var b strings.Builder
	depth, doubt := 0, false
	for _, t := range ts {
		if t.doubt && !doubt {
			doubt = true
			names = append(names, b.String())
		}
		switch {
		case t.kind == '<':
			depth++
		case t.kind == '>':
			depth = max(depth-1, 0)
		case t.kind == '@' && depth > 0:
			b.Reset()
		case depth > 0:
			b.WriteString(domainText([]token{t}, false))
		}
	}
	return append(names, b.String())
}
