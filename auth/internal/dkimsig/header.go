package dkimsig

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/canon"
	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
)

// Index says where in a header section the fields of each name stand, top
// first; names are in lower case without white space before the colon.
type Index map[string][]int

// NewIndex reads a header section once.
func NewIndex(h header.Fields) Index {
	x := Index{}
	for i, f := range h {
		n := nameOf(f)
		x[n] = append(x[n], i)
	}
	return x
}

func nameOf(f header.Field) string { return strings.ToLower(strings.TrimRight(f.Name, " \t\r\n")) }

// HeaderHash is hash step 2 of RFC 6376 §3.7: the fields that names (lower
// case) choose, then the signature field itself with an empty b= and without
// its line end. own is the signature field's place in h, -1 when it is not
// there.
func HeaderHash(h header.Fields, x Index, names []string, c canon.Canonicalization, field header.Field, own int) [sha256.Size]byte {
	hash := sha256.New()
	used := map[string]int{}
	// §3.5 h=: never the field itself.
	ownName := nameOf(field)
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
