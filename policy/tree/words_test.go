package tree

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"domains", "headers", "spf", "quarantine"}
	for in, want := range map[string]string{
		"domians": "domains", "Domains": "domains", "domain": "domains", "spff": "spf", "psf": "spf",
		"quarentene": "quarantine", "zzz": "", "": "", strings.Repeat("domains", 20): "",
	} {
		if got := Nearest(in, words); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
