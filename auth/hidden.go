package auth

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// hidden returns the fields that a reader finds inside f who ends a line at
// every CR and LF: what stands behind a line end that folds nothing. RFC 5322
// §2.2 allows neither alone, MTAs let a bare CR through all the same, and
// software such as Python's email package takes it for a line end.
func hidden(f header.Field) []header.Field {
	rest := f.Name + ":" + f.Value
	if !strings.ContainsAny(rest, "\r\n") {
		return nil
	}
	var found []header.Field
	for first := true; rest != ""; first = false {
		line := rest
		if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		switch {
		case first || line == "":
		case line[0] != ' ' && line[0] != '\t':
			if name, value, ok := strings.Cut(line, ":"); ok {
				found = append(found, header.Field{Name: name, Value: value})
			}
		case len(found) > 0:
			found[len(found)-1].Value += line
		}
	}
	return found
}

// countHidden counts the fields inside f that may be taken for a field called name.
func countHidden(f header.Field, name string) int {
	n := 0
	for _, h := range hidden(f) {
		if strings.EqualFold(graphic(h.Name), name) {
			n++
		}
	}
	return n
}

// HidesResults reports whether some reader finds an Authentication-Results
// field with a claim to one of ids inside f, behind a line end that folds
// nothing (ClaimsID).
func HidesResults(f header.Field, ids []string) bool {
	for _, h := range hidden(f) {
		if IsAuthResults(h.Name) && ClaimsID(h.Value, ids) {
			return true
		}
	}
	return false
}
