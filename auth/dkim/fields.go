package dkim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// shown counts the fields that may occur once only, of each name, as readers
// may see them: also those with invisible characters in the name, and those
// inside another.
func shown(h header.Fields) map[string]int {
	count := map[string]int{}
	see := func(name string) bool {
		if name = strings.ToLower(header.Visible(name)); occursOnce(name) {
			count[name]++
		}
		return false // only the name matters
	}
	for _, f := range h {
		see(f.Name)
		f.HiddenCalled(see)
	}
	return count
}

// duplicated reports a field that may occur once only (RFC 5322 §3.6, RFC 2045
// §3), is signed, and is shown more often than it is signed: someone may have
// added what the reader will see (RFC 6376 §8.15).
func duplicated(shown map[string]int, names []string) error {
	signed := map[string]int{}
	for _, n := range names {
		signed[n]++
	}
	for _, n := range names {
		if have := shown[n]; have > signed[n] {
			return fmt.Errorf("%w: %s %d times, signed %d", ErrDuplicates, dkimsig.Short(n), have, signed[n])
		}
	}
	return nil
}

func occursOnce(name string) bool {
	switch name {
	case "from", "sender", "reply-to", "to", "cc", "subject", "message-id":
		return true
	}
	return strings.HasPrefix(name, "mime-") || strings.HasPrefix(name, "content-")
}

// maxConverted bounds the U-labels of d= that are converted for choosing
// (RFC 8616 §4 takes time): real mail has one such signature, if any.
const maxConverted = 50

// choose returns the places of the DKIM-Signature fields to verify, top first:
// all, or when there are more than limit, those whose d= is an author domain,
// then its parents and children, then the topmost others. rest is the places of
// the others. Only d= is looked at, so that thousands of
// signatures cost little.
func choose(h header.Fields, authorDomains []string, limit int) (chosen, rest []int) {
	type candidate struct{ place, rank int }
	var all []candidate
	for i, f := range h {
		if f.Is(fieldName) {
			all = append(all, candidate{place: i})
		}
	}
	if len(all) > limit {
		converted := 0
		for i := range all {
			d, _ := tagvalue.Peek(h[all[i].place].Value, "d")
			all[i].rank = rankOther
			if strings.ContainsFunc(d, func(r rune) bool { return r >= 0x80 }) {
				if converted++; converted > maxConverted {
					continue
				}
			}
			all[i].rank = rank(d, authorDomains)
		}
		slices.SortStableFunc(all, func(a, b candidate) int { return a.rank - b.rank })
	}
	for i, c := range all {
		if i < limit {
			chosen = append(chosen, c.place)
		} else {
			rest = append(rest, c.place)
		}
	}
	slices.Sort(chosen)
	slices.Sort(rest)
	return chosen, rest
}

// Ranks of a signature, by its d=.
const rankSame, rankRelated, rankOther = 0, 1, 2

func rank(d string, authorDomains []string) int {
	d, err := resolve.CanonicalName(d)
	if err != nil || !strings.Contains(d, ".") { // every domain is below "com"
		return rankOther
	}
	best := rankOther
	for _, a := range authorDomains {
		switch {
		case d == a:
			return rankSame
		case isOrBelow(d, a), isOrBelow(a, d):
			best = rankRelated
		}
	}
	return best
}
