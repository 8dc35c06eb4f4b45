package auth

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// IsAuthResults reports whether a field of this name may be taken for an
// Authentication-Results field by anybody: in any case, with white space
// before the colon, or with invisible characters in it.
func IsAuthResults(name string) bool {
	return strings.EqualFold(header.Visible(name), "Authentication-Results")
}

// ClaimsID reports whether an Authentication-Results field with this value has
// to go because it may pass for ours (RFC 8601 §5): its authserv-id equals one
// of ids, or it is not clear what its authserv-id is, or it has a version other
// than 1, which §5 wants removed from mail of strangers.
//
// The test is lenient: white space, folds, comments, quoting, case, a trailing
// dot, U-labels, control characters and a substructure behind the id (§2.5)
// do not hide a claim. Fields that clearly name somebody else stay.
func ClaimsID(value string, ids []string) bool {
	// Some readers end the value at a NUL, others leave it out.
	if before, _, ok := strings.Cut(value, "\x00"); ok && ClaimsID(before, ids) {
		return true
	}
	p := idParser{s: dropControls(value)}
	if !p.skip() {
		return true
	}
	id, ok := p.id()
	if !ok || !p.skip() || !p.ended() {
		return true
	}
	return sameID(id, ids)
}

// dropControls removes what a reader may ignore; line ends and tabs become
// spaces.
func dropControls(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r' || r == '\n':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, s)
}

type idParser struct {
	s string
	i int
}

// skip goes over white space and comments. False: a comment is not closed.
func (p *idParser) skip() bool {
	depth := 0
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			p.i++
		case c != ' ' && depth == 0:
			return true
		}
	}
	return depth == 0
}

// id reads an authserv-id: a token or a quoted-string (RFC 8601 §2.2), or
// several of them without anything between.
func (p *idParser) id() (string, bool) {
	var b strings.Builder
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			if !p.quoted(&b) {
				return "", false
			}
			continue
		case c == ' ' || c == '(' || c == ';':
			return b.String(), b.Len() > 0
		case strings.IndexByte(`)<>,\[]?=`, c) >= 0:
			return "", false // no token: "=" says that there is no id at all
		default:
			b.WriteByte(c)
		}
		p.i++
	}
	return b.String(), b.Len() > 0
}

func (p *idParser) quoted(b *strings.Builder) bool {
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return true
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			b.WriteByte(p.s[p.i])
		default:
			b.WriteByte(c)
		}
	}
	return false
}

// ended reports whether what follows the id is as it should be: nothing, a
// semicolon, or version 1 before either (RFC 8601 §2.2, §2.6).
func (p *idParser) ended() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	if p.i > start && strings.TrimLeft(p.s[start:p.i], "0") != "1" {
		return false
	}
	return p.skip() && (p.i == len(p.s) || p.s[p.i] == ';')
}

// sameID compares an authserv-id with ours. An id in other letters that does
// not convert to A-labels is in doubt, too.
func sameID(id string, ids []string) bool {
	id, clear := plainID(id)
	if !clear {
		return true
	}
	for _, own := range ids {
		own, _ := plainID(own)
		if id == own {
			return true
		}
		// §2.5: "some implementations define a substructure to the identifier".
		if rest, ok := strings.CutPrefix(id, own); ok && own != "" && !nameByte(rest[0]) {
			return true
		}
	}
	return false
}

// plainID is the form in which ids are compared: A-labels and lower case,
// without dots and spaces at the ends. Whether it is clear is false for
// letters that have no such form, and for what may be an encoded word.
func plainID(id string) (string, bool) {
	id = strings.Trim(strings.ToLower(id), ". ")
	clear := id != "" && !strings.Contains(id, "=?")
	for i := 0; i < len(id); i++ {
		if id[i] < 0x80 {
			continue
		}
		name, err := canonicalName(id)
		if err != nil {
			return id, false
		}
		return strings.Trim(name, "."), clear
	}
	return id, clear
}

// nameByte: what a host name consists of.
func nameByte(c byte) bool { return letterOrDigit(c) || c == '-' || c == '_' || c == '.' }
