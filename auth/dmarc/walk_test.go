package dmarc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// zone makes a Zone of lines "name tags": a policy record each, `v=DMARC1`
// put in front of the tags. A line with a type is taken as it is.
func zone(t testing.TB, lines ...string) *resolve.Zone {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		name, tags, _ := strings.Cut(l, " ")
		switch typ, _, _ := strings.Cut(tags, " "); typ {
		case "A", "TXT", "MX", "*":
			fmt.Fprintln(&b, l)
		default:
			fmt.Fprintf(&b, "_dmarc.%s TXT %q\n", name, strings.TrimSuffix("v=DMARC1; "+tags, "; "))
		}
	}
	z, err := resolve.ParseZone(b.String())
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// asked returns the names of the policy records that were asked for.
func asked(z *resolve.Zone) []string {
	var out []string
	for _, q := range z.Asked() {
		if n, ok := strings.CutPrefix(q, "TXT _dmarc."); ok {
			out = append(out, n)
		} else {
			out = append(out, q)
		}
	}
	return out
}

// TestWalkQuestions: which names a walk asks for, in order (RFC 9989 §4.10).
func TestWalkQuestions(t *testing.T) {
	for name, tc := range map[string]struct {
		start string
		zone  []string
		want  string
	}{
		"the RFC's thirteen labels": {"a.b.c.d.e.f.g.h.i.j.mail.example.com", nil,
			"a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com example.com com"},
		"B.4.2": {"a.b.c.d.e.f.g.h.i.j.k.example.com", []string{"example.com p=none"},
			"a.b.c.d.e.f.g.h.i.j.k.example.com g.h.i.j.k.example.com h.i.j.k.example.com i.j.k.example.com j.k.example.com k.example.com example.com com"},
		"nine labels jump to seven": {"1.2.3.4.5.6.7.8.9", nil, "1.2.3.4.5.6.7.8.9 3.4.5.6.7.8.9 4.5.6.7.8.9 5.6.7.8.9 6.7.8.9 7.8.9 8.9 9"},
		"eight labels do not":       {"2.3.4.5.6.7.8.9", nil, "2.3.4.5.6.7.8.9 3.4.5.6.7.8.9 4.5.6.7.8.9 5.6.7.8.9 6.7.8.9 7.8.9 8.9 9"},
		"seven labels":              {"3.4.5.6.7.8.9", nil, "3.4.5.6.7.8.9 4.5.6.7.8.9 5.6.7.8.9 6.7.8.9 7.8.9 8.9 9"},
		"a plain record goes on":    {"mail.example.com", []string{"mail.example.com p=none", "example.com p=none"}, "mail.example.com example.com com"},
		"psd=n stops":               {"a.mail.example.com", []string{"mail.example.com p=none; psd=n"}, "a.mail.example.com mail.example.com"},
		"psd=y stops":               {"a.example.com", []string{"example.com p=none; psd=y"}, "a.example.com example.com"},
		"psd=y of two stops not":    {"example.com", []string{"example.com p=none; psd=y", "example.com psd=y"}, "example.com com"},
		"an error stops":            {"a.example.com", []string{"_dmarc.example.com TXT !servfail"}, "a.example.com example.com"},
		"one label":                 {"com", nil, "com"},
	} {
		t.Run(name, func(t *testing.T) {
			z := zone(t, tc.zone...)
			v := (&Evaluator{Resolver: z}).begin()
			v.walk(t.Context(), tc.start)
			v.walk(t.Context(), tc.start)
			if d := cmp.Diff(strings.Fields(tc.want), asked(z)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOrgDomain: RFC 9989 §4.10.2.
func TestOrgDomain(t *testing.T) {
	for name, tc := range map[string]struct {
		start, want string
		zone        []string
	}{
		"4.10.2 first example":  {"a.mail.example.com", "example.com", []string{"mail.example.com p=none", "example.com p=none"}},
		"4.10.2 second example": {"a.mail.example.com", "mail.example.com", []string{"mail.example.com p=none; psd=n", "example.com p=none"}},
		"4.10.2 last example":   {"a.mail.example.com", "example.com", []string{"com p=reject; psd=y"}},
		"B.4.1 author":          {"example.com", "example.com", []string{"example.com p=none", "signing.example.com p=none"}},
		"B.4.1 signer":          {"signing.example.com", "example.com", []string{"example.com p=none", "signing.example.com p=none"}},
		"B.4.2 author":          {"a.b.c.d.e.f.g.h.i.j.k.example.com", "example.com", []string{"example.com p=none"}},
		"B.4.3 giant":           {"giant.bank.example", "giant.bank.example", []string{"bank.example psd=y", "giant.bank.example p=none"}},
		"B.4.3 mail.giant":      {"mail.giant.bank.example", "giant.bank.example", []string{"bank.example psd=y", "giant.bank.example p=none"}},
		"B.4.3 mail.mega":       {"mail.mega.bank.example", "mega.bank.example", []string{"bank.example psd=y", "giant.bank.example p=none"}},
		"nothing found":         {"a.example.com", "a.example.com", nil},
		"psd=y at the start":    {"bank.example", "bank.example", []string{"bank.example p=none; psd=y"}},
		"psd=n at the start":    {"a.example.com", "a.example.com", []string{"a.example.com psd=n", "example.com p=none"}},
		"psd=y alone is enough": {"a.b.gov.example", "b.gov.example", []string{"gov.example psd=y"}},
		"psd=y below the jump": {"a.b.c.d.e.f.g.h.i.example", "c.d.e.f.g.h.i.example",
			[]string{"d.e.f.g.h.i.example psd=y"}},
		"a plain record at the top-level domain": {"a.example.com", "com", []string{"com p=none", "example.com p=none"}},
		"a record between full name and jump":    {"a.b.c.d.e.f.g.h.i.example", "a.b.c.d.e.f.g.h.i.example", []string{"b.c.d.e.f.g.h.i.example p=none"}},
		"several records are none":               {"a.example.com", "a.example.com", []string{"example.com p=none", "example.com p=none"}},
		"other TXT records do not count":         {"a.example.com", "example.com", []string{"example.com p=none", `_dmarc.example.com TXT "hello"`, `_dmarc.example.com TXT "v=DMARC2; p=none"`}},
		"a useless record still counts":          {"a.example.com", "example.com", []string{"example.com p=broken"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := (&Evaluator{Resolver: zone(t, tc.zone...)}).begin().walk(t.Context(), tc.start)
			if w.err != nil {
				t.Fatal(w.err)
			}
			if got := w.orgDomain(); got != tc.want {
				t.Errorf("org(%s) = %s, want %s", tc.start, got, tc.want)
			}
		})
	}
}

// TestOrgDomainOfResult: what is told of a message is the author's, and nothing
// where the walk was not needed or not finished.
func TestOrgDomainOfResult(t *testing.T) {
	for author, want := range map[string]string{
		"a.example.com":      "example.com", // a walk to its end found the policy
		"mail.example.com":   "",            // its own record was enough
		"a.mail.example.com": "",            // with psd=n below it, but nobody answers in between
	} {
		z := zone(t, "example.com p=none", "mail.example.com p=none; psd=n", "_dmarc.a.mail.example.com TXT !servfail")
		if got := (&Evaluator{Resolver: z}).Evaluate(t.Context(), author, nil); got.OrgDomain != want {
			t.Errorf("%s: %q (%v), want %q", author, got.OrgDomain, got.Err, want)
		}
	}
}

func FuzzWalk(f *testing.F) {
	f.Add("a.b.c.d.e.f.g.h.i.example", "c.d.e", byte(3))
	f.Add("com", "", byte(0))
	f.Add("..", ".", byte(9))
	f.Fuzz(func(t *testing.T, start, suffix string, kind byte) {
		if len(start) > 300 || len(suffix) > 300 || start == "" {
			return
		}
		z := &resolve.Zone{}
		if err := z.Add("_dmarc."+suffix, "TXT", "v=DMARC1; p=none; psd="+string("ynu"[kind%3])); err != nil {
			return
		}
		w := (&Evaluator{Resolver: z}).begin().walk(t.Context(), start)
		if n := len(z.Asked()); n > 8 {
			t.Errorf("%d questions", n)
		}
		if org := w.orgDomain(); !within(start, org) {
			t.Errorf("org(%q) = %q", start, org)
		}
	})
}
