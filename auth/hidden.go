package auth

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// countHidden counts the fields inside f that may be taken for a field called name.
func countHidden(f header.Field, name string) int {
	n := 0
	f.HiddenCalled(func(hidden string) bool {
		if strings.EqualFold(header.Visible(hidden), name) {
			n++
		}
		return false // only the name matters
	})
	return n
}

// HidesResults reports whether some reader finds an Authentication-Results
// field with a claim to one of ids inside f, behind a line end that folds
// nothing (ClaimsID).
func HidesResults(f header.Field, ids []string) bool {
	for _, h := range f.HiddenCalled(IsAuthResults) {
		if ClaimsID(h.Value, ids) {
			return true
		}
	}
	return false
}
