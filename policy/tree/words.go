package tree

import (
	"fmt"
	"strings"
)

const maxSuggest = 64 // longer words are no slips of the finger

// Nearest returns the candidate that s is most likely a misspelling of, ""
// when none is close: at most one slip in three letters (insertion, deletion,
// substitution or swap of neighbours), case ignored.
func Nearest(s string, candidates []string) string {
	if len(s) > maxSuggest {
		return ""
	}
	best, limit := "", max(1, min(3, len(s)/3))
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), strings.ToLower(c)); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// distance is the optimal string alignment distance in bytes.
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

// DidYouMean is the hint for an unknown word: the likely one, else all.
func DidYouMean(word string, allowed []string) string {
	if n := Nearest(word, allowed); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return "allowed: " + strings.Join(allowed, ", ")
}

// Quote shows a word of the file in a message, bounded.
func Quote(s string) string {
	if len(s) > maxSuggest {
		s = s[:maxSuggest] + "..."
	}
	return fmt.Sprintf("%q", s)
}
