package signing

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

type pair struct{ local, domain string }

// set is what a principal may use. Each question costs as much as its domain has
// labels, however many entries there are.
type set struct {
	exact     map[pair]bool
	domains   map[string]bool
	below     map[string]bool
	whole     bool            // the user's name
	bare      map[string]bool // domains in which a name without domain is a local part
	anyOfUser bool            // every address of the domain in the user's name
	ofUser    map[string]bool // local parts there
	any       bool
}

func newSet() *set {
	return &set{exact: map[pair]bool{}, domains: map[string]bool{}, below: map[string]bool{}, bare: map[string]bool{}, ofUser: map[string]bool{}}
}

func (s *set) add(p Pattern) {
	switch {
	case p.any:
		s.any = true
	case p.user && p.domain == "":
		s.whole = true
	case p.user:
		s.bare[p.domain] = true
	case p.userDomain && p.local == "":
		s.anyOfUser = true
	case p.userDomain:
		s.ofUser[p.local] = true
	case p.below:
		s.below[p.domain] = true
	case p.local == "":
		s.domains[p.domain] = true
	default:
		s.exact[pair{p.local, p.domain}] = true
	}
}

// has reports whether u may use the address. Without local part, it is any of the
// domain.
func (s *set) has(u user, local, domain string) bool {
	switch {
	case domain == "":
		return false
	case s.any, s.domains[domain], s.anyOfUser && u.domain == domain:
		return true
	}
	if len(s.below) > 0 {
		for rest := domain; ; {
			_, up, ok := strings.Cut(rest, ".")
			if !ok {
				break
			}
			if rest = up; s.below[rest] {
				return true
			}
		}
	}
	if local == "" {
		return false
	}
	return s.exact[pair{local, domain}] ||
		s.whole && u.domain == domain && u.local == local ||
		u.domain == domain && s.ofUser[local] ||
		s.bare[domain] && u.bare() == local
}

// MaxAddresses bounds what a user may be given beside the rules: nobody has more
// aliases, and a query that joins wrongly gives everybody all.
const MaxAddresses = 1000

// Addresses are those that a user has beside the rules.
type Addresses struct {
	set
	n int
}

// Len is how many they are.
func (a *Addresses) Len() int {
	if a == nil {
		return 0
	}
	return a.n
}

// ReadAddresses reads the rows of a database: kim@x.example, or @x.example for
// every address of the domain. No word or star means anything there: who can
// write such a row could have any domain. bad are the rows that are neither, at
// most ten; more than MaxAddresses rows are left out.
func ReadAddresses(rows []string) (a *Addresses, bad []string) {
	a = &Addresses{set: set{exact: map[pair]bool{}, domains: map[string]bool{}}}
	for _, row := range rows {
		at := strings.LastIndexByte(row, '@')
		d, err := "", error(nil)
		if at >= 0 && len(row) <= maxPattern {
			d, err = resolve.CanonicalName(row[at+1:])
		}
		if d == "" || err != nil || !plainLocal(row[:at]) {
			if len(bad) < 10 {
				bad = append(bad, row)
			}
			continue
		}
		if a.n == MaxAddresses {
			break
		}
		a.n++
		if local := foldLocal(row[:at]); local != "" {
			a.exact[pair{local, d}] = true
		} else {
			a.domains[d] = true
		}
	}
	return a, bad
}
