package dnsclient

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// aliases is a handler for c0.example -> c1.example -> ... -> cN.example TXT,
// with per links in each answer.
func aliases(t *testing.T, n, per int) handler {
	return func(req *dns.Msg, _ asked) []*dns.Msg {
		var i int
		if _, err := fmt.Sscanf(req.Question[0].Name, "c%d.example.", &i); err != nil {
			t.Error(err)
		}
		var out []string
		for range per {
			if i == n {
				out = append(out, fmt.Sprintf("C%d.Example. 90 IN TXT end", i))
				break
			}
			out = append(out, fmt.Sprintf("c%d.example. %d IN CNAME c%d.EXAMPLE.", i, 100-i, i+1))
			i++
		}
		slices.Reverse(out) // the order in an answer means nothing
		return []*dns.Msg{respond(t, req, out...)}
	}
}

func TestChains(t *testing.T) {
	tests := map[string]struct {
		links, per int
		want       string
		asked      int
		ttl        time.Duration
	}{
		"none":                   {0, 1, "ok", 1, 90 * time.Second},
		"one, in the answer":     {1, 2, "ok", 1, 90 * time.Second},
		"three, in the answer":   {3, 4, "ok", 1, 90 * time.Second},
		"one, to be asked on":    {1, 1, "ok", 2, 90 * time.Second},
		"ten, in the answer":     {10, 11, "ok", 1, 90 * time.Second},
		"ten, two an answer":     {10, 2, "ok", 6, 90 * time.Second},
		"eleven, in the answer":  {11, 12, "temporary", 1, 0},
		"eleven, to be asked on": {11, 1, "temporary", 11, 0},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			f := newFake(t, withTCP, aliases(t, tc.links, tc.per))
			a, err := newClient(t, Config{Now: newClock().Now}, f).LookupTXT(t.Context(), "c0.example")
			if kind(err) != tc.want {
				t.Fatal(err)
			}
			if a.TTL != tc.ttl {
				t.Errorf("ttl %v, want %v", a.TTL, tc.ttl)
			}
			if n := len(f.asked()); n != tc.asked {
				t.Errorf("asked %d times, want %d", n, tc.asked)
			}
		})
	}
}

func TestChainsThatEndBadly(t *testing.T) {
	tests := map[string]struct {
		records []string
		want    string
		text    string
	}{
		"to itself":           {[]string{"a.example. 60 IN CNAME a.example."}, "temporary", "cname loop"},
		"in a circle":         {[]string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example."}, "temporary", "cname loop"},
		"dot inside a label":  {[]string{`a.example. 60 IN CNAME b\.c.example.`}, "temporary", "dot inside a label"},
		"same answer forever": {[]string{"a.example. 60 IN CNAME b.example."}, "temporary", "does not fit"},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			_, err := newClient(t, Config{}, newFake(t, withTCP, answering(t, tc.records...))).LookupTXT(t.Context(), "a.example")
			if kind(err) != tc.want || !strings.Contains(fmt.Sprint(err), tc.text) {
				t.Errorf("got %v, want %s %q", err, tc.want, tc.text)
			}
		})
	}
}

func TestChainAcrossAnswersIsSecureOnlyAsAWhole(t *testing.T) {
	for _, tc := range []struct{ alias, target bool }{{true, true}, {true, false}, {false, true}} {
		f := newFake(t, withoutTCP, func(req *dns.Msg, a asked) []*dns.Msg {
			m := respond(t, req, "a.example. 60 IN CNAME b.example.")
			m.AuthenticatedData = tc.alias
			if a.key == "TXT b.example." {
				m = respond(t, req, "b.example. 60 IN TXT x")
				m.AuthenticatedData = tc.target
			}
			return []*dns.Msg{m}
		})
		a, err := newClient(t, Config{}, f).LookupTXT(t.Context(), "a.example")
		if want := tc.alias && tc.target; err != nil || a.Secure != want {
			t.Errorf("%+v: secure %v, %v, want %v", tc, a.Secure, err, want)
		}
	}
}

func TestShortestTTLOfTheChain(t *testing.T) {
	tests := map[string]struct {
		cname, txt uint32
		want       time.Duration
	}{
		"the alias's":        {30, 60, 30 * time.Second},
		"the record's":       {60, 20, 20 * time.Second},
		"zero is a second":   {60, 0, time.Second},
		"a day at most":      {1 << 20, 1 << 20, 24 * time.Hour},
		"highest bit is set": {1 << 31, 1<<32 - 1, 24 * time.Hour},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
				m := respond(t, req, "a.example. 1 IN CNAME b.example.", "b.example. 1 IN TXT x")
				m.Answer[0].Header().Ttl, m.Answer[1].Header().Ttl = tc.cname, tc.txt
				return []*dns.Msg{m}
			})
			a, err := newClient(t, Config{Now: newClock().Now}, f).LookupTXT(t.Context(), "a.example")
			if diff := cmp.Diff(tc.want, a.TTL); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}
