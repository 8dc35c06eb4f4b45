package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Limits of what ParseAuthor keeps of a From field. The whole field is parsed
// all the same; more than a handful of author domains is a failure to DMARC
// (RFC 9989 §11.5).
const (
	maxMailboxes     = 100
	maxAuthorDomains = 100
	maxAddress       = 998 // bytes of one addr-spec: RFC 5322 §2.1.1's line
)

// ParseAuthor reads RFC5322.From as DMARC needs it (RFC 9989 §4.2, §5.3.1).
//
// Readers differ about malformed fields, and a forger wants us to check one
// domain while the user is shown another. So the parser takes what real mail
// has (comments, encoded words, groups, routes, bare commas and dots in display
// names) and every address that any of these readings shows counts as an
// author; where two readings lead to different domains there is no Author
// Domain, and Err says why.
func ParseAuthor(h header.Fields) Author {
	var a Author
	var value string
	odd := false
	for _, f := range h {
		if !strings.EqualFold(header.Visible(f.Name), "From") {
			a.Fields += countHidden(f, "From")
			continue
		}
		a.Fields++
		value = f.Value
		// RFC 5322 §4.5: white space before the colon is obsolete syntax and
		// read by all. Anything else in the name is read by some only.
		odd = odd || !f.Is("From")
	}
	switch {
	case a.Fields == 0:
		a.Err = errors.New("no From field")
	case a.Fields > 1:
		a.Err = fmt.Errorf("%d From fields", a.Fields)
	case odd:
		a.Err = errors.New("malformed name of the From field")
	default:
		p := mailboxParser{lex: lexer{s: value}, author: &a, raw: map[string]string{}, seen: map[string]bool{}}
		a.Err = p.parse()
		if errors.Is(a.Err, errLiteral) && onlyLiteral(value, value[p.lex.i:]) {
			a.Err = noAuthor(errLiteral.Error())
		}
	}
	switch {
	case a.Err != nil || len(a.Domains) > 0:
	case hidesAddress(value):
		a.Err = errEncoded
	default:
		a.Err = noAuthor("no address in the From field")
	}
	if a.Err != nil {
		a.Domains = nil
	}
	return a
}

// onlyLiteral reports whether value has no address but the one whose domain
// literal rest begins with: the parser went no further.
func onlyLiteral(value, rest string) bool {
	_, after, closed := strings.Cut(rest, "]")
	return closed && strings.Trim(after, "> \t\r\n") == "" && strings.Count(value, "@") == 1 && !hidesAddress(value)
}

// mailboxParser reads a mailbox-list, or the address-list with groups that
// RFC 6854 §2.1 allows, one element at a time.
type mailboxParser struct {
	lex    lexer
	author *Author
	raw    map[string]string // domains as written, with what they convert to
	seen   map[string]bool   // domains as kept
	text   []token           // the element's tokens outside angle brackets
	angle  string            // the domain in its angle brackets, "" for none
	angles bool
	behind int // where in text the tokens behind the angle brackets begin
}

func (p *mailboxParser) parse() error {
	for {
		t, err := p.lex.next()
		if err != nil {
			return err
		}
		switch t.kind {
		case tokEnd, ',', ';':
			// RFC 5322 §4.4 has empty elements. ";" ends a group, and outside of one
			// some mail software takes it for a comma.
			if err := p.element(); err != nil {
				return err
			}
			if t.kind == tokEnd {
				return nil
			}
		case ':':
			// A group's name, or a display name with a bare colon: either way the
			// addresses come after it.
			if p.angles || hasAt(p.text) {
				return errors.New("address before a colon")
			}
			if err := p.wordsOnly(); err != nil {
				return err
			}
			p.reset()
		case '<':
			if p.angles {
				return errors.New("two angle brackets in one mailbox")
			}
			if err := p.angleAddr(); err != nil {
				return err
			}
		case '>':
			return errors.New("> without <")
		default:
			p.text = append(p.text, t)
		}
	}
}

func (p *mailboxParser) reset() {
	p.text, p.angle, p.angles, p.behind = p.text[:0], "", false, 0
}

// angleAddr reads the rest of an angle-addr (RFC 5322 §3.4, §4.4).
func (p *mailboxParser) angleAddr() error {
	p.angles, p.behind = true, len(p.text)
	var in []token
	for {
		t, err := p.lex.next()
		if err != nil {
			return err
		}
		switch t.kind {
		case tokEnd:
			return errors.New("< is not closed")
		case '<', ';':
			return fmt.Errorf("%c in angle brackets", t.kind)
		case '>':
			if in, err = p.cutRoute(in); err != nil {
				return err
			}
			if !hasAt(in) {
				return nil // <root>, <>: no domain
			}
			p.angle, err = p.address(in)
			return err
		}
		in = append(in, t)
	}
}

// cutRoute removes an obs-route, "@a,@b:" (RFC 5322 §4.4: to be ignored), and
// keeps its domains, because some readers take the first one for the author's.
func (p *mailboxParser) cutRoute(in []token) ([]token, error) {
	if len(in) == 0 || in[0].kind != '@' {
		for _, t := range in {
			if t.kind == ',' || t.kind == ':' {
				return nil, fmt.Errorf("%c in an address", t.kind)
			}
		}
		return in, nil
	}
	for i := 0; i+2 < len(in) && in[i].kind == '@' && in[i+1].kind == tokWord; {
		d, err := canonicalName(in[i+1].text)
		if err != nil {
			return nil, errors.New("invalid domain in a route")
		}
		p.shown(d)
		if i += 2; in[i].kind == ':' {
			return in[i+1:], nil
		}
		for i < len(in) && in[i].kind == ',' {
			i++
		}
	}
	return nil, errors.New("malformed route or no local part in an address")
}

// element ends a mailbox: its text, with at most one angle-addr.
func (p *mailboxParser) element() error {
	defer p.reset()
	switch {
	case p.angles:
		return p.displayName()
	case hasAt(p.text):
		_, err := p.address(p.text)
		return err
	}
	return p.wordsOnly()
}

// wordsOnly looks through words without an address, such as a part of
// `Example, Inc. <a@b>`. A reader that decodes before it parses may see an
// address in them.
func (p *mailboxParser) wordsOnly() error {
	for _, t := range p.text {
		if t.kind == tokWord && hidesAddress(t.text) {
			return errEncoded
		}
	}
	return nil
}

var errEncoded = errors.New("address in an encoded word")

// displayName looks for a second address in an unquoted display name.
// `a@b.example <a@b.example>` is common and harmless. Encoded, RFC 2047 has it as
// a mere name, and help desks write `"Kim <kim@a.example>" <desk@b.example>`: the
// address counts as an author's too, where some readers take it for one.
func (p *mailboxParser) displayName() error {
	for i, t := range p.text {
		if t.kind != '@' || i+1 == len(p.text) {
			continue
		}
		word := p.text[i+1]
		name := strings.Trim(word.text, `"`)
		if word.kind == '@' || strings.ContainsAny(strings.TrimSuffix(name, "."), fullStops) {
			if d, err := canonicalName(name); err != nil || d != p.angle {
				return errors.New("second address in a display name")
			}
		}
	}
	for _, d := range decodedAuthors(p.text[:p.behind], p.text[p.behind:]) {
		d, err := canonicalName(d)
		if err != nil {
			return errEncoded
		}
		if d != p.angle {
			p.shown(d)
		}
	}
	return nil
}

func (p *mailboxParser) shown(d string) {
	if len(p.author.Shown) < maxAuthorDomains {
		p.author.Shown = append(p.author.Shown, d)
	}
}

// fullStops separate labels for a reader who knows IDNA (RFC 3490 §3.1).
const fullStops = ".\u3002\uff0e\uff61"

// address takes tokens for an addr-spec (RFC 5322 §3.4.1) and records it. It
// returns the domain in canonical form.
func (p *mailboxParser) address(ts []token) (string, error) {
	at := -1
	for i, t := range ts {
		switch {
		case t.kind == '@' && at >= 0:
			return "", errors.New("two @ in an address")
		case t.kind == '@':
			at = i
		}
		// White space is harmless next to the @ only. RFC 5322 §4.4 allows it and
		// comments round dots too, and there readers differ.
		if i > 0 && (t.gap == gapComment || t.gap == gapSpace && at != i && at != i-1) {
			return "", errors.New("white space or comment in an address")
		}
	}
	switch {
	case at == 0:
		return "", errors.New("address without a local part")
	case at == len(ts)-1:
		return "", errors.New("address without a domain")
	case at != len(ts)-2 || ts[at+1].kind != tokWord:
		return "", errors.New("malformed domain of an address")
	}
	var b strings.Builder
	for _, t := range ts {
		b.WriteString(t.text)
		if b.Len() > maxAddress {
			return "", errors.New("address longer than a line")
		}
		if t.kind == tokQuoted && strings.Contains(t.text, "@") {
			return "", errors.New("@ in a quoted local part")
		}
		// RFC 2047 §5: an encoded word is no part of an addr-spec.
		if strings.Contains(t.text, "=?") {
			return "", errors.New("encoded word in an address")
		}
	}
	spec := b.String()
	if !plainText(spec) {
		return "", errors.New("invalid UTF-8 or invisible characters in an address")
	}
	if len(p.author.Mailboxes) < maxMailboxes {
		p.author.Mailboxes = append(p.author.Mailboxes, spec)
	}
	return p.domain(ts[at+1].text)
}

// domain records the domain of an address and returns its canonical form.
func (p *mailboxParser) domain(raw string) (string, error) {
	if d, ok := p.raw[raw]; ok {
		return d, nil
	}
	d, err := canonicalName(raw)
	if err != nil || resolve.FakeALabel(d) {
		return "", errors.New("invalid domain in the From field")
	}
	p.raw[raw] = d
	if !p.seen[d] && len(p.author.Domains) < maxAuthorDomains {
		p.seen[d] = true
		p.author.Domains = append(p.author.Domains, d)
	}
	return d, nil
}

func hasAt(ts []token) bool {
	for _, t := range ts {
		if t.kind == '@' {
			return true
		}
	}
	return false
}

// plainText: UTF-8 (RFC 6532 §3.2) without controls, format characters and
// white space of other alphabets, which a reader does not show. ASCII controls
// never come so far, and the space of a quoted string is visible.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != ' ' && r >= 0x80 && (!unicode.IsGraphic(r) || unicode.IsSpace(r)) {
			return false
		}
	}
	return true
}
