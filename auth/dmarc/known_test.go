package dmarc

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// crowdedAt has no place for questions about one name.
type crowdedAt struct {
	resolve.Resolver
	name string
}

func (c crowdedAt) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	if name == c.name {
		return resolve.Answer[string]{}, &resolve.Error{Type: "TXT", Name: name, Err: resolve.ErrCrowded}
	}
	return c.Resolver.LookupTXT(ctx, name)
}

// A policy that is unknown because the client asks too much says so, although
// another name did not answer for reasons of its own.
func TestCrowdedPolicyIsNotAnUnknownOne(t *testing.T) {
	for crowded, want := range map[string]bool{
		"_dmarc.example.com": true, "_dmarc.lame.example.com": false, "_dmarc.other.example": false, "": false,
	} {
		z := zone(t, "example.com p=reject", "_dmarc.lame.example.com TXT !servfail")
		got := (&Evaluator{Resolver: crowdedAt{z, crowded}}).Evaluate(t.Context(), "lame.example.com", nil)
		unknown := got.Policy == "" && errors.Is(got.Err, resolve.ErrCrowded)
		if got.Status != TempError || unknown != want || !want && got.Policy != PolicyReject {
			t.Errorf("%q is crowded: %s (%v)", crowded, brief(got), got.Err)
		}
	}
}

// TestKnownPolicyQuestions: looking beyond a name that does not answer asks
// nothing twice and no more than a walk has names, and leaves no question for
// later where all of them fail.
func TestKnownPolicyQuestions(t *testing.T) {
	const author = "a.b.c.d.e.f.g.h.i.j.mail.example.com"
	steps := strings.Fields(author + " g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com example.com com")
	var dead []string
	for _, s := range steps {
		dead = append(dead, "_dmarc."+s+" TXT !timeout")
	}
	for name, tc := range map[string]struct {
		zone []string
		want string
		most int
	}{
		"all of them fail":             {dead, "temperror @", maxLabels},
		"the first fails":              {append(dead[:1:1], "example.com p=reject"), "temperror reject@example.com", maxLabels},
		"all but the last fail":        {append(dead[:7:7], "com p=reject; psd=y"), "temperror reject@com", maxLabels},
		"all but two fail":             {append(append(dead[:5:5], dead[7]), "mail.example.com p=quarantine", "example.com p=reject"), "temperror reject@example.com", maxLabels},
		"existence is asked once more": {append(dead[:1:1], "example.com p=reject; np=none"), "temperror none@example.com", AuthorQuestions},
	} {
		z := zone(t, tc.zone...)
		e := &Evaluator{Resolver: z}
		e.Prefetch(t.Context(), author)
		if n := len(z.Asked()); n > tc.most {
			t.Errorf("%s: %d questions ahead of time", name, n)
		}
		z = zone(t, tc.zone...)
		got := (&Evaluator{Resolver: z}).Evaluate(t.Context(), author, ids("spf:x.attacker.test dkim:attacker.test"))
		if brief(got) != tc.want {
			t.Errorf("%s: %s (%v), want %s", name, brief(got), got.Err, tc.want)
		}
		seen := map[string]bool{}
		for _, q := range z.Asked() {
			if seen[q] {
				t.Errorf("%s: asked twice: %s", name, q)
			}
			seen[q] = true
		}
		if len(seen) > tc.most {
			t.Errorf("%s: %d questions, at most %d wanted", name, len(seen), tc.most)
		}
	}
}
