package spf

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/test/spfsuite"
)

// runSuite runs every case of a file except those in excluded, a map from
// case to reason, and returns how many there were.
func runSuite(t *testing.T, file string, excluded map[string]string) (ran int) {
	for i, s := range spfsuite.Load(t, file) {
		for name, tc := range s.Tests {
			t.Run(strconv.Itoa(i)+"/"+name, func(t *testing.T) {
				if reason := excluded[name]; reason != "" {
					t.Skip(reason)
				}
				ran++
				z := &resolve.Zone{}
				if err := s.Records(z.Add); err != nil {
					t.Fatal(err)
				}
				c := Checker{Resolver: z, Receiver: "mx.receiver.example"}
				r := c.Check(t.Context(), netip.MustParseAddr(tc.Host), tc.Helo, tc.MailFrom)
				if !tc.Allows(string(r.Status)) {
					t.Errorf("status %s (%v), want %s", r.Status, r.Err, tc.Result)
				}
				// No verdict without a reason, and the reverse.
				if noVerdict := r.Status == None || r.Status == TempError || r.Status == PermError; noVerdict != (r.Err != nil) {
					t.Errorf("status %s with error %v", r.Status, r.Err)
				}
				if want, ok := tc.WantExplanation(name); ok && r.Explanation != want {
					t.Errorf("explanation %q, want %q", r.Explanation, want)
				}
			})
		}
	}
	return ran
}

// TestRFC7208Suite is openspf's suite, all of it.
func TestRFC7208Suite(t *testing.T) {
	if n := runSuite(t, "rfc7208-tests.yml", nil); n != spfsuite.Cases {
		t.Errorf("ran %d cases, want %d", n, spfsuite.Cases)
	}
}

// TestPyspfSuite is pyspf's own suite, as far as it is about RFC 7208.
func TestPyspfSuite(t *testing.T) {
	runSuite(t, "pyspf-tests.yml", map[string]string{
		"default-modifier":       "pyspf's lax mode obeys default=, which RFC 7208 §6 wants ignored as an unknown modifier",
		"default-modifier-harsh": "pyspf's harsh mode answers \"ambiguous\", which is no result of RFC 7208 §2.6",
	})
}
