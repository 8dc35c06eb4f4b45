package dmarc

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestFailureAtEachQuestion takes away, one at a time, each question that an
// example of RFC 9989 or a row of the table of differences to RFC 7489 asks.
// Nothing may come of it but temperror, or the verdict that the other questions
// are enough for (§4.10.1, §5.3.6): never another verdict or another policy.
func TestFailureAtEachQuestion(t *testing.T) {
	open, same := 0, 0
	for name, tc := range evaluateCases {
		if !strings.HasPrefix(name, "B.") && !strings.HasPrefix(name, "1.9 ") {
			continue
		}
		z := zone(t, tc.zone...)
		whole := (&Evaluator{Resolver: z}).Evaluate(t.Context(), tc.author, ids(tc.ids))
		for _, q := range z.Asked() {
			typ, qname, _ := strings.Cut(q, " ")
			for _, how := range []string{"!timeout", "!servfail"} {
				broken := zone(t, append([]string{qname + " " + typ + " " + how}, tc.zone...)...)
				got := (&Evaluator{Resolver: broken}).Evaluate(t.Context(), tc.author, ids(tc.ids))
				switch {
				case got.Status == TempError && resolve.Temporary(got.Err):
					open++
				case typ == "A" && got.Status == whole.Status:
					// Existence unknown: the policy of a name that exists.
					if want := whole.Record.policyFor(true, true); got.Policy != want {
						t.Errorf("%s without %s: policy %s, want %s", name, q, got.Policy, want)
					}
					same++
				case got.Status == whole.Status && got.Policy == whole.Policy && got.RecordDomain == whole.RecordDomain:
					same++
				default:
					t.Errorf("%s without %s: %s (%v), with it %s", name, q, brief(got), got.Err, brief(whole))
				}
			}
		}
	}
	if open < 100 || same < 10 {
		t.Errorf("%d open, %d the same: too few to mean anything", open, same)
	}
}

// TestFailureAtEachStepOfAWalk: the eight questions of RFC 9989 §4.10's own
// example, with the record at the end of the walk, and where none is needed.
func TestFailureAtEachStepOfAWalk(t *testing.T) {
	const author = "a.b.c.d.e.f.g.h.i.j.mail.example.com"
	steps := strings.Fields(author + " g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com example.com com")
	for _, tc := range []struct {
		record string
		ids    string
		needed int // so many of the steps must be answered
	}{
		{"com p=reject; psd=y", "dkim:example.com", 8},
		{"example.com p=reject; psd=n", "dkim:example.com", 7},
		{"mail.example.com p=reject; psd=n", "", 6},
		{author + " p=reject", "", 1},
		{author + " p=reject", "dkim:" + author, 1},
		{author + " p=reject; psd=n", "dkim:b.c.d.e.f.g.h.i.j.mail.example.com", 1},
		{author + " p=reject", "dkim:mail.example.com", 8}, // another organizational domain may be found above
	} {
		for i, step := range steps {
			for _, how := range []string{"!timeout", "!servfail"} {
				z := zone(t, tc.record, "_dmarc."+step+" TXT "+how)
				got := (&Evaluator{Resolver: z}).Evaluate(t.Context(), author, ids(tc.ids))
				if temp := got.Status == TempError; temp != (i < tc.needed) {
					t.Errorf("%s, %q, step %d %s: %s (%v)", tc.record, tc.ids, i+1, how, brief(got), got.Err)
				}
			}
		}
	}
}
