package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
)

// Limits of a From field. What is beyond them is not read, and so nobody's.
const (
	// maxFrom is what MTAs take of a whole header section at most (Postfix's
	// header_size_limit is 100 KB, Sendmail's MaxHeadersLength 32 KB).
	maxFrom      = 128 << 10
	maxMailboxes = 100
	maxAddress   = 998 // bytes of one addr-spec: RFC 5322 §2.1.1's line
)

var errManyAuthors = fmt.Errorf("more than %d author domains", dmarc.MaxAuthors)

// ParseAuthor reads RFC5322.From as DMARC needs it (RFC 9989 §4.2, §5.3.1).
//
// Readers differ about malformed fields, and a forger wants us to check one
// domain while the user is shown another. So the field is read in each way that
// some reader does (docs/decisions/0014), and every domain that one of these
// readings has in an address counts as an author's. Err is set where no reading
// has one, where a reading has one that cannot be looked up, and where the field
// cannot be read within the limits. It takes time linear in the field's length.
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
	case len(value) > maxFrom:
		a.Err = fmt.Errorf("a From field longer than %d bytes", maxFrom)
	default:
		c := collector{names: map[string]string{}}
		a.Err = c.field(value)
		c.fill(&a)
	}
	if a.Err != nil {
		a.Domains, a.Shown, a.Addresses = nil, nil, nil
	}
	return a
}

// collector gathers what the readings of one field have for authors.
type collector struct {
	names     map[string]string // domains as written, with what they convert to
	written   []string          // domains of mailboxes, in order
	shown     []string          // of other addresses, in order
	mailboxes []string
	others    []string // addr-specs of those
	literal   bool     // an address has an address literal (RFC 5321 §4.1.3)
	local     string   // of the address whose domain is being recorded
	addresses []Address
	known     map[Address]bool // those
	perDomain map[string]int   // how many those are
	// Of the last reading and element, to be used again.
	tokens []token
	found  []address
}

func (c *collector) fill(a *Author) {
	a.Mailboxes = c.mailboxes
	if len(a.Mailboxes) == 0 {
		a.Mailboxes = c.others
	}
	a.Domains = append(append(a.Domains, c.written...), c.shown...)
	a.Shown, a.Addresses = c.shown, c.addresses
	switch {
	case a.Err != nil:
	case len(a.Domains) == 0 && c.literal:
		a.Err = noAuthor("domain literal in the From field")
	case len(a.Domains) == 0:
		a.Err = noAuthor("no address in the From field")
	case c.literal:
		a.Err = errors.New("domain literal beside an author domain")
	}
}

// field reads a value in every way.
func (c *collector) field(value string) error {
	text, err := unfold(value)
	if err != nil {
		return err
	}
	legacy := !utf8.ValidString(text)
	plain, shifted := text, false
	if strings.IndexByte(text, escape) >= 0 {
		plain, shifted = unshift(text, true), true
	}
	if err := c.dialects(reading{text: plain, first: true, lax: legacy}, legacy); err != nil {
		return err
	}
	// A reader that knows no comments sees an angle-addr in one.
	if strings.IndexByte(plain, '(') >= 0 {
		r := reading{text: plain, how: dialect{plain: true, pairs: legacy}, anglesOnly: true}
		if err := c.read(&r); err != nil {
			return err
		}
	}
	// One that does not know ISO-2022 takes halves of letters for specials.
	if shifted {
		if err := c.dialects(reading{text: text, lax: true}, false); err != nil {
			return err
		}
	}
	if !strings.Contains(plain, "=?") {
		return nil
	}
	broken := false
	for _, how := range []decoding{{}, {spaced: true}, {strict: true}} {
		if how.strict && !broken {
			break
		}
		d, err := decodeWords(plain, how)
		if err != nil {
			return err
		}
		broken = broken || d.broken
		for _, piece := range d.pieces {
			if strings.IndexByte(piece.text, '@') < 0 {
				continue
			}
			r := reading{text: piece.text, encoded: piece.ats, decoded: true, lax: legacy || how.spaced && d.shifted}
			if err := c.dialects(r, legacy); err != nil {
				return err
			}
		}
	}
	return nil
}

// dialects reads a text as RFC 5322 has it, as readers do for whom a backslash
// always quotes, as Python does, which looks for encoded words in quoted
// strings, and where it may hold letters of two bytes, as one that knows them.
func (c *collector) dialects(r reading, legacy bool) error {
	if err := c.read(&r); err != nil {
		return err
	}
	r.first = false
	if strings.IndexByte(r.text, '\\') >= 0 {
		r.how = dialect{escapes: true}
		if err := c.read(&r); err != nil {
			return err
		}
	}
	if strings.Contains(r.text, "=?") && !r.decoded {
		r.how = dialect{coded: true}
		if err := c.read(&r); err != nil {
			return err
		}
		// RFC 2047 §5 forbids an "@" in one, and for Dovecot it is such.
		bare := r
		bare.how, bare.lax = dialect{raw: true}, true
		if err := c.read(&bare); err != nil {
			return err
		}
	}
	if legacy {
		r.how, r.lax = dialect{pairs: true}, false
		return c.read(&r)
	}
	return nil
}

// unfold checks what may stand in a field at all, and removes the line ends of
// folds. Line ends that fold nothing and control characters are errors wherever
// they are (RFC 5322 §2.2): readers cut the field there, drop them, or show
// them. Those with which ISO-2022 changes its alphabet are none.
func unfold(s string) (string, error) {
	var b strings.Builder
	locking := false // SO and SI have been announced (RFC 1557)
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			if c == '\r' {
				if i++; i == len(s) || s[i] != '\n' {
					return "", errors.New("bare CR in the From field")
				}
			}
			if i++; i == len(s) || s[i] != ' ' && s[i] != '\t' {
				return "", errors.New("line end in the From field")
			}
			continue
		case c == escape && designation(s[i:]) > 0:
			n := designation(s[i:])
			locking = locking || s[i+2] == ')'
			b.WriteString(s[i : i+n])
			i += n
			continue
		case (c == shiftOut || c == shiftIn) && locking:
		case c < ' ' && c != '\t', c == 0x7f:
			return "", errors.New("control character in the From field")
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String(), nil
}
