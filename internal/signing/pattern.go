package signing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Pattern is an entry of `from`: an address or a set of them.
//
//	kim@x.example         this address
//	@x.example            every address of exactly this domain
//	@*.x.example          every address of the domains below it
//	{user}                the user's name, where it is an address
//	{user}@x.example      a user whose name has no domain
//	@{user.domain}        every address of the domain in the user's name
//	info@{user.domain}    one of them
//	*                     every address of all domains
type Pattern struct {
	text       string
	local      string // in its one form; "": any
	domain     string // A-labels, lower case
	below      bool   // the domains below domain
	user       bool   // the local part is the user's name; without domain the whole address is
	userDomain bool
	any        bool
}

// Any reports whether p is every address that there is.
func (p Pattern) Any() bool { return p.any }

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// MarshalText is the pattern as it was written.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// wrong is an error whose second line is a hint.
func wrong(hint, format string, args ...any) error {
	return errors.New(fmt.Sprintf(format, args...) + "\n" + hint)
}

const (
	userWord   = "{user}"
	domainWord = "{user.domain}"
	maxPattern = 64 + 1 + 255 // RFC 5321 §4.5.3.1
)

// ParsePattern reads an entry of `from`. The error's second line is a hint.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s}
	switch {
	case s == "":
		return p, wrong(`an address, or "@x.example" for a whole domain`, "an empty address")
	case len(s) > maxPattern:
		return p, wrong("an address has at most 320 bytes", "an address of %d bytes", len(s))
	case s == userWord:
		p.user = true
		return p, nil
	case s == domainWord:
		return p, wrong(`write "@{user.domain}" for every address of that domain`, "%q is no address", s)
	case s == "*":
		p.any = true
		return p, nil
	case strings.ContainsAny(s, "<>"):
		return p, wrong("write the address alone, without angle brackets", "%q is no address", s)
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		if d, err := resolve.CanonicalName(strings.TrimPrefix(strings.TrimPrefix(s, "*"), ".")); err == nil && strings.Contains(d, ".") {
			return p, wrong(fmt.Sprintf(`for every address of the domain, write "@%s"`, d), "%q is no address", s)
		}
		return p, wrong(`write kim@x.example, "@x.example", "{user}" or "@{user.domain}"`, "%q is no address", s)
	}
	local, domain := s[:at], s[at+1:]
	switch {
	case local == userWord:
		p.user = true
	case local == "*":
		return p, wrong(fmt.Sprintf(`for every address of the domain, write "@%s"`, domain), "%q is no address", s)
	case strings.ContainsAny(local, "{}"):
		return p, unknownWord(s)
	case strings.Contains(local, "*"):
		return p, wrong(`no part of a local part can be left open: name each address, or the domain as "@x.example"`, "%q is no address", s)
	case !plainLocal(local):
		return p, wrong("write it as it stands in From, such as kim@x.example", "%q has a local part that no address has", s)
	default:
		p.local = foldLocal(local)
	}
	return p.withDomain(domain)
}

// withDomain is p with what stands behind the "@".
func (p Pattern) withDomain(domain string) (Pattern, error) {
	switch {
	case domain == domainWord:
		if p.user {
			return p, wrong(`"{user}" is the whole address of a user whose name has a domain`, "%q asks for a user with and without domain", p.text)
		}
		p.userDomain = true
		return p, nil
	case strings.ContainsAny(domain, "{}"):
		return p, unknownWord(p.text)
	case domain == "*":
		return p, wrong(`write "*" for every address of all domains`, "%q is no domain", domain)
	case strings.HasPrefix(domain, "."):
		return p, wrong(fmt.Sprintf(`write "@*%s" for the domains below it, "@%s" for itself`, domain, domain[1:]), "%q is no domain", domain)
	}
	if rest, ok := strings.CutPrefix(domain, "*."); ok {
		if p.user || p.local != "" {
			return p, wrong(fmt.Sprintf(`write "@*.%s" for every address of the domains below it`, rest), "%q is one address in many domains", p.text)
		}
		p.below, domain = true, rest
	}
	d, err := resolve.CanonicalName(domain)
	switch {
	case err != nil:
		return p, wrong("what stands behind the @ is a name such as x.example", "%q is no domain", domain)
	case p.below && !strings.Contains(d, "."):
		return p, wrong("name the domains themselves", "%q is everybody's", "@*."+d)
	}
	p.domain = d
	return p, nil
}

func unknownWord(s string) error {
	return wrong("known are {user} and {user.domain}, alone or as a whole side of the @", "%q has braces around something else", s)
}

// UnmarshalText is ParsePattern.
func (p *Pattern) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePattern(string(b))
	return err
}

// plainLocal: what stands before the "@" of a pattern can be compared with what
// stands there in a field: no white space, comment or list, but in quotes
// (RFC 5322 §3.4.1).
func plainLocal(s string) bool {
	if len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return !strings.ContainsFunc(s, control) && !strings.Contains(s[1:len(s)-1], `"`)
	}
	return !strings.ContainsFunc(s, control) && !strings.ContainsAny(s, ` ()<>@,;:\"[]`)
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// foldLocal is a local part in the form in which we compare: without quotes, and
// A to Z as a to z. RFC 5321 §2.4 leaves its meaning to its own host; no host
// known gives "Kim" and "kim" to two people. Other alphabets are compared as
// bytes: Unicode takes the Kelvin sign for a k.
func foldLocal(s string) string {
	if strings.IndexByte(s, '"') >= 0 {
		var b strings.Builder
		quoted := false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '"':
				quoted = !quoted
				continue
			case c == '\\' && quoted && i+1 < len(s):
				i++
			}
			b.WriteByte(s[i])
		}
		s = b.String()
	}
	return fold(s)
}

func fold(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
