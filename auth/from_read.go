package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// reading is one way to read a From field.
type reading struct {
	text       string
	how        dialect
	first      bool  // as RFC 5322 has it: its mailboxes are the field's
	anglesOnly bool  // only what is in angle brackets counts
	decoded    bool  // encoded words were decoded before
	encoded    []int // then where in text each "@" is that was encoded
	// lax: bytes may be halves of letters, so what cannot be a domain is none.
	// Another reading knows the letters.
	lax bool
}

// read finds the addresses of a reading: every "@" outside of quoted strings
// and comments, whatever else is wrong with the field.
func (c *collector) read(r *reading) error {
	ts, err := lex(c.tokens[:0], r.text, r.how)
	if err != nil {
		return err
	}
	c.tokens = ts
	start, inside, domain := 0, false, false
	for i, t := range ts {
		if t.kind == ':' && domain {
			continue // Mail::Address
		}
		domain = t.kind == '@'
		switch t.kind {
		case '<':
			inside = true
		case '>':
			inside = false
		case ',', ';', ':':
			// RFC 5322 §4.4 has empty elements. ":" ends the name of a group and ";"
			// the group; outside of one some software takes it for a comma.
			if !inside {
				if err := c.element(r, ts[start:i]); err != nil {
					return err
				}
				start = i + 1
			}
		}
	}
	if err := c.element(r, ts[start:]); err != nil {
		return err
	}
	if r.how.plain {
		return nil
	}
	return c.joined(ts)
}

// joined records what Mail::Address makes of several pairs of angle brackets.
func (c *collector) joined(ts []token) error {
	start, open := 0, 0
	for i := 0; i <= len(ts); i++ {
		if i < len(ts) && ts[i].kind == '<' {
			open++
		}
		if i < len(ts) && ts[i].kind != ',' && ts[i].kind != ';' {
			continue
		}
		if open > 1 {
			for _, name := range joinedAngles(ts[start:i]) {
				if err := c.domain(name, false, true); err != nil {
					return err
				}
			}
		}
		start, open = i+1, 0
	}
	return nil
}

// element records the addresses of an element.
func (c *collector) element(r *reading, ts []token) error {
	e := newElement(c.found[:0], ts, r.how)
	c.found = e.found
	main, named := e.mailbox(), e.named()
	for i, a := range e.found {
		if r.anglesOnly && !a.inside {
			continue
		}
		// Encoded, an address beside an angle-addr is a mere name (RFC 2047 §6.2),
		// and help desks write such. It must be clear, though, that it is beside one.
		if r.decoded && !a.inside && named {
			if _, encoded := slices.BinarySearch(r.encoded, ts[a.at].pos); encoded {
				continue
			}
		}
		if err := c.address(r, a, r.first && i == main); err != nil {
			return err
		}
		// Where nothing else is clear, a quoted local part may be all that is shown.
		if at := strings.LastIndexByte(a.local, '@'); at >= 0 && (i != main || len(e.found) > 1) {
			if err := c.domain(strings.Trim(a.local[at+1:], `"`), false, r.lax); err != nil {
				return err
			}
		}
	}
	return nil
}

var errInvisible = errors.New("invisible characters in an address")

// address records an address.
func (c *collector) address(r *reading, a address, main bool) error {
	if len(a.names) == 0 {
		return nil
	}
	// RFC 5321 §4.1.3: an address, and no domain.
	if literal(a.names[0]) {
		c.literal = true
		return nil
	}
	if !main && !slices.ContainsFunc(a.names, nameLike) {
		return nil
	}
	if hasInvisible(joiners.Replace(a.local)) {
		return errInvisible
	}
	if len(a.local)+len(a.names[0]) > maxAddress {
		return fmt.Errorf("address longer than %d bytes", maxAddress)
	}
	c.local = a.local
	if !main {
		c.local = strings.TrimLeft(a.local, "'[") // 'kim@a.example' <kim@a.example>, as authorDomain does
	}
	defer func() { c.local = "" }()
	for i, name := range a.names {
		// Text behind an address need be no name.
		lax := r.lax || i > 0 && nameLike(a.names[0])
		if err := c.domain(name, main, lax); err != nil {
			return err
		}
	}
	if a.local == "" || !r.first {
		return nil
	}
	list := &c.others
	if main {
		list = &c.mailboxes
	}
	if len(*list) < maxMailboxes {
		*list = append(*list, a.local+"@"+a.names[0])
	}
	return nil
}

// joiners are what some scripts need between letters.
var joiners = strings.NewReplacer("\u200c", "", "\u200d", "")

func literal(s string) bool {
	s, found := strings.CutPrefix(s, "[")
	if !found || strings.HasPrefix(s, "IPv6") { // the lexer cuts at a colon
		return found
	}
	s, _, _ = strings.Cut(s, "]")
	_, err := netip.ParseAddr(s)
	return err == nil
}

var (
	errName = errors.New("invalid domain in the From field")
	errFake = errors.New("invalid domain in the From field: an A-label that stands for no other letters")
)

// domain records the domain of an address, raw as written. With lax, what is no
// name is none, but for a name that it begins with.
func (c *collector) domain(raw string, main, lax bool) error {
	d, known := c.names[raw]
	if !known {
		var err error
		d, err = authorDomain(raw)
		switch {
		case err == errName && lax && !strings.Contains(raw, letter): // errFake is legible to all
			i := strings.IndexFunc(raw, func(r rune) bool {
				return r == utf8.RuneError || !inName(r) && !strings.ContainsRune(fullStops, r)
			})
			if i > 0 && nameLike(raw[:i]) {
				return c.domain(raw[:i], false, true)
			}
			return nil
		case err != nil:
			return err
		}
		c.names[raw] = d
	}
	// One label is nobody's to forge: no domain that receives mail from outside
	// has it, and readers take "Music @ Night" for an address.
	if d == "" || !main && !strings.Contains(d, ".") {
		return nil
	}
	c.note(d)
	if slices.Contains(c.written, d) {
		return nil
	}
	i := slices.Index(c.shown, d)
	switch {
	case main && i >= 0:
		c.shown = slices.Delete(c.shown, i, i+1)
		c.written = append(c.written, d)
	case main:
		c.written = append(c.written, d)
	case i < 0:
		c.shown = append(c.shown, d)
	}
	if len(c.written)+len(c.shown) > dmarc.MaxAuthors {
		return errManyAuthors
	}
	return nil
}

// authorDomain is the name that a reader shows where raw stands for a domain,
// "" for none. Punctuation at its ends is the display name's, as in
// 'kim@a.example' <kim@a.example>.
func authorDomain(raw string) (string, error) {
	if hasInvisible(raw) {
		return "", errInvisible
	}
	s := strings.TrimFunc(raw, func(r rune) bool { return !inName(r) })
	if s == "" {
		return "", nil
	}
	before, _, _ := strings.Cut(raw, s)
	if strings.Trim(before, fullStops) != "" && strings.ContainsAny(before, fullStops) {
		return "", errName // a label of punctuation
	}
	d, err := canonicalName(s)
	switch {
	case err != nil && !nameLike(s):
		return "", nil
	case err != nil:
		return "", errName
	case resolve.FakeALabel(d):
		return "", errFake
	}
	return d, nil
}

func inName(r rune) bool {
	return r == utf8.RuneError || r == '-' || r == '_' || unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// hasInvisible reports format characters and white space of other alphabets,
// which a reader does not show (RFC 6532 §3.2 allows them). The space of a quoted
// string is visible, and bytes that are no UTF-8 are.
func hasInvisible(s string) bool {
	for _, r := range s {
		if r >= 0x80 && (!unicode.IsGraphic(r) || unicode.IsSpace(r)) {
			return true
		}
	}
	return false
}
