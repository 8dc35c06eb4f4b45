package signing

import (
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// maxUser bounds a user's name. SASL mechanisms take 255 bytes of it, or 1,024
// (RFC 4616 §2); a longer one is nobody's.
const maxUser = 1024

// user is a principal's name, taken apart.
type user struct {
	name          string // in the form in which names are compared; "" for nobody
	local, domain string // where the name is an address beyond doubt
}

// parseUser takes a name apart. One with control characters is nobody's.
func parseUser(s string) user {
	if s == "" || len(s) > maxUser || strings.ContainsFunc(s, control) {
		return user{}
	}
	u := user{name: fold(s)}
	local, domain, ok := strings.Cut(s, "@")
	// A quoted one may be another account than the same without quotes.
	if !ok || local == "" || !plainLocal(local) || strings.ContainsAny(s, `"`) {
		return u
	}
	if d, err := resolve.CanonicalName(domain); err == nil {
		u.local, u.domain = fold(local), d
		u.name = u.local + "@" + d
	}
	return u
}

// bare is the local part that the name of a user without domain stands for, ""
// for none.
func (u user) bare() string {
	if u.domain != "" || !plainLocal(u.name) {
		return ""
	}
	return u.name
}

// UserKey is the form in which a user's name is asked for elsewhere, "" where it
// is none that anybody has.
func UserKey(s string) string {
	if parseUser(s).name == "" {
		return ""
	}
	return fold(s)
}

type userKind uint8

const (
	userNone userKind = iota
	userExact
	userEvery  // *
	userDomain // *@x.example
)

// UserPattern is a user of a rule: a name, "*" for every user, or "*@x.example"
// for those of a domain.
type UserPattern struct {
	text string
	kind userKind
	name string // in its one form, or the domain
}

// String is the pattern as it was written.
func (p UserPattern) String() string { return p.text }

// Many reports whether p may be more than one user.
func (p UserPattern) Many() bool { return p.kind == userEvery || p.kind == userDomain }

// MarshalText is the pattern as it was written.
func (p UserPattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText is ParseUserPattern.
func (p *UserPattern) UnmarshalText(b []byte) (err error) {
	*p, err = ParseUserPattern(string(b))
	return err
}

// ParseUserPattern reads a user of a rule. The error's second line is a hint.
func ParseUserPattern(s string) (UserPattern, error) {
	p := UserPattern{text: s}
	domain, ofDomain := strings.CutPrefix(s, "*@")
	switch {
	case s == "":
		return p, wrong(`a name, "*" for everybody who logs in, or "*@x.example"`, "an empty user")
	case s == "*":
		p.kind = userEvery
	case ofDomain:
		d, err := resolve.CanonicalName(domain)
		if err != nil {
			return p, wrong("what stands behind the @ is a name such as x.example", "%q is no domain", domain)
		}
		p.kind, p.name = userDomain, d
	case strings.Contains(s, "*"):
		return p, wrong(`write "*" for every user, or "*@x.example" for those of a domain`, "%q is no user", s)
	case strings.HasPrefix(s, "@"):
		return p, wrong(fmt.Sprintf(`write "*%s" for the users of a domain`, s), "%q is no user", s)
	case strings.ContainsAny(s, "{}"):
		return p, wrong("{user} stands in from, for the one who logged in", "%q is no user", s)
	default:
		u := parseUser(s)
		if u.name == "" {
			return p, wrong("write the name as it is logged in with, of at most 1024 bytes", "%q is no user", s)
		}
		p.kind, p.name = userExact, u.name
	}
	return p, nil
}
