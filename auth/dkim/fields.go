package dkim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/canon"
	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// fieldIndex says where in a header section the fields of each name stand, top
// first; names are in lower case without white space before the colon.
type fieldIndex map[string][]int

func indexFields(h header.Fields) fieldIndex {
	x := fieldIndex{}
	for i, f := range h {
		n := strings.ToLower(strings.TrimRight(f.Name, " \t\r\n"))
		x[n] = append(x[n], i)
	}
	return x
}

const ownName = "dkim-signature"

// headerHash is hash step 2 of RFC 6376 §3.7: the fields that names (lower
// case) choose, then the signature field itself with an empty b= and without
// its line end. own is the signature field's place in h, -1 when it is not
// there.
func headerHash(h header.Fields, x fieldIndex, names []string, c canon.Canonicalization, field header.Field, own int) [sha256.Size]byte {
	hash := sha256.New()
	used := map[string]int{}
	// §3.5 h=: never the field itself.
	others := slices.DeleteFunc(slices.Clone(x[ownName]), func(i int) bool { return i == own })
	var buf []byte
	for _, n := range names {
		places := x[n]
		if n == ownName {
			places = others
		}
		// §5.4.2: from the bottom up; a field that is not there counts for nothing.
		if i := len(places) - 1 - used[n]; i >= 0 {
			buf = canon.AppendField(buf[:0], c, h[places[i]])
			hash.Write(buf)
			used[n]++
		}
	}
	field.Value = tagvalue.WithoutValue(field.Value, "b")
	buf = canon.AppendField(buf[:0], c, field)
	hash.Write(buf[:len(buf)-len("\r\n")])
	return [sha256.Size]byte(hash.Sum(nil))
}

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
		if have := shown[n]; have > 1 && have > signed[n] {
			return fmt.Errorf("%w: %s %d times, signed %d", ErrDuplicates, short(n), have, signed[n])
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
// then its parents and children, then the topmost others (DESIGN §10). rest is
// the places of the others. Only d= is looked at, so that thousands of
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
