package dmarc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// ids reads "dkim:example.com spf:example.net dkim?:slow.example": identifiers
// that passed, and with "?" those whose check ended in temperror.
func ids(s string) []Identifier {
	var out []Identifier
	for _, f := range strings.Fields(s) {
		m, d, _ := strings.Cut(f, ":")
		out = append(out, Identifier{strings.TrimSuffix(m, "?"), d, strings.HasSuffix(m, "?")})
	}
	return out
}

// brief prints a result as "status policy record-domain aligned...".
func brief(r Result) string {
	s := fmt.Sprint(r.Status, " ", r.Policy, "@", r.RecordDomain)
	for _, id := range r.Aligned {
		s += " " + id.Method + ":" + id.Domain
	}
	return s
}

// evaluateCase is an author domain, identifiers and a DNS, and what comes of
// them: brief's text and a part of the reason.
type evaluateCase struct {
	author, ids, want string
	zone              []string
	err               string
}

var simple = []string{"example.com p=reject"}

var evaluateCases = map[string]evaluateCase{
	// Appendix B.1.
	"B.1.1 example 1 strict SPF":     {"example.com", "spf:example.com", "pass reject@example.com spf:example.com", simple, ""},
	"B.1.1 example 2 relaxed SPF":    {"example.com", "spf:child.example.com", "pass reject@example.com spf:child.example.com", simple, ""},
	"B.1.1 example 3 no alignment":   {"child.example.com", "spf:example.net", "fail reject@example.com", simple, "not aligned: spf example.net"},
	"B.1.2 example 1 strict DKIM":    {"example.com", "dkim:example.com", "pass reject@example.com dkim:example.com", simple, ""},
	"B.1.2 example 2 relaxed DKIM":   {"child.example.com", "dkim:example.com", "pass reject@example.com dkim:example.com", simple, ""},
	"B.1.2 example 3 no alignment":   {"child.example.com", "dkim:example.net", "fail reject@example.com", simple, "not aligned: dkim example.net"},
	"B.2.5 subdomain under test":     {"test.example.com", "", "fail none@test.example.com", []string{"test.example.com p=quarantine; t=y"}, "no identifier"},
	"B.2.5 subdomain in earnest":     {"test.example.com", "", "fail reject@test.example.com", []string{"test.example.com p=reject"}, ""},
	"B.3.1 SMTP session":             {"example.com", "spf:mail.example.com dkim:example.com", "pass reject@example.com spf:mail.example.com dkim:example.com", []string{"example.com p=reject; aspf=r"}, ""},
	"B.4.1 simple":                   {"example.com", "spf:example.com dkim:signing.example.com", "pass none@example.com spf:example.com dkim:signing.example.com", []string{"example.com p=none", "signing.example.com p=none"}, ""},
	"B.4.2 deep":                     {"a.b.c.d.e.f.g.h.i.j.k.example.com", "spf:example.com dkim:signing.example.com", "pass none@example.com spf:example.com dkim:signing.example.com", []string{"example.com p=none", "signing.example.com p=reject"}, ""},
	"B.4.3 PSD":                      {"giant.bank.example", "spf:mail.giant.bank.example dkim:mail.mega.bank.example", "pass none@giant.bank.example spf:mail.giant.bank.example", []string{"bank.example psd=y", "giant.bank.example p=none"}, ""},
	"B.4.3 DKIM alone is not enough": {"giant.bank.example", "dkim:mail.mega.bank.example", "fail none@giant.bank.example", []string{"bank.example psd=y", "giant.bank.example p=none"}, "not aligned"},

	// What differs from RFC 7489.
	"1.9 record only at the subdomain":  {"mail.example.com", "dkim:example.com", "fail reject@mail.example.com", []string{"mail.example.com p=reject"}, "not aligned"},
	"1.9 record half-way":               {"a.b.example.com", "", "fail quarantine@b.example.com", []string{"b.example.com p=reject; sp=quarantine", "a.b.example.com A 192.0.2.1"}, ""},
	"1.9 record of a public suffix":     {"victim.co.uk", "dkim:other.co.uk", "pass none@co.uk dkim:other.co.uk", []string{"co.uk p=none"}, ""},
	"1.9 public suffix with psd=y":      {"victim.co.uk", "dkim:other.co.uk", "fail none@co.uk", []string{"co.uk p=none; psd=y"}, ""},
	"1.9 psd=n in an organization":      {"a.mail.example.com", "dkim:example.com", "fail reject@mail.example.com", []string{"mail.example.com p=reject; psd=n", "example.com p=none"}, ""},
	"1.9 psd=n other way round":         {"example.com", "dkim:a.mail.example.com", "fail none@example.com", []string{"mail.example.com p=reject; psd=n", "example.com p=none"}, ""},
	"1.9 several records, parent's one": {"a.example.com", "", "fail quarantine@example.com", []string{"a.example.com p=none", "a.example.com p=reject", "example.com p=quarantine"}, ""},
	"1.9 several records, no parent":    {"example.com", "dkim:example.com", "none @", []string{"example.com p=none", "example.com p=reject"}, "no policy record"},
	"1.9 no p but rua":                  {"example.com", "", "fail none@example.com", []string{"example.com sp=reject; rua=mailto:a@b.example"}, ""},
	"1.9 no p and no rua":               {"example.com", "dkim:example.com", "permerror @example.com", []string{"example.com sp=reject"}, "no p="},
	"1.9 np for a missing name":         {"gone.example.com", "", "fail reject@example.com", []string{"example.com p=none; sp=none; np=reject"}, ""},
	"1.9 np is by NXDOMAIN only":        {"txt.example.com", "", "fail none@example.com", []string{"example.com p=reject; sp=none; np=reject", `txt.example.com TXT "exists"`}, ""},
	"1.9 t=y":                           {"example.com", "", "fail quarantine@example.com", []string{"example.com p=reject; t=y"}, ""},
	"1.9 pct is ignored":                {"example.com", "", "fail reject@example.com", []string{"example.com p=reject; pct=0"}, ""},
	"1.9 size is ignored":               {"example.com", "", "fail none@example.com", []string{"example.com rua=mailto:a@b.example!10m"}, ""},

	// Which policy applies (§4.7, §4.10.1).
	"own record: p, not sp":             {"a.example.com", "", "fail reject@a.example.com", []string{"a.example.com p=reject; sp=none; np=none", "example.com p=none"}, ""},
	"sp for an existing name":           {"a.example.com", "", "fail quarantine@example.com", []string{"example.com p=reject; sp=quarantine; np=none", "a.example.com A 192.0.2.1"}, ""},
	"np without sp, existing name: p":   {"a.example.com", "", "fail reject@example.com", []string{"example.com p=reject; np=none", "a.example.com A 192.0.2.1"}, ""},
	"np with t=y":                       {"gone.example.com", "", "fail quarantine@example.com", []string{"example.com p=none; np=reject; t=y"}, ""},
	"existence unknown: exists":         {"a.example.com", "", "fail none@example.com", []string{"example.com p=none; np=reject", "a.example.com A !servfail"}, ""},
	"sp invalid at own record with rua": {"example.com", "", "fail none@example.com", []string{"example.com p=reject; sp=x; rua=mailto:a@b.example"}, ""},
	"sp invalid without rua":            {"example.com", "", "permerror @example.com", []string{"example.com p=reject; sp=x"}, "invalid sp="},
	"tag twice, even with rua":          {"example.com", "dkim:example.com", "permerror @example.com", []string{"example.com p=none; p=reject; rua=mailto:a@b.example"}, "p= twice"},
	"PSD's record, no other":            {"a.b.example", "", "fail reject@example", []string{"example p=none; sp=reject; psd=y", "a.b.example A 192.0.2.1"}, ""},
	"PSD's record skips one between":    {"a.b.c.example", "", "fail none@example", []string{"b.c.example p=reject", "example p=none; psd=y"}, ""},
	"PSD's record yields to the org's":  {"b.example", "", "fail none@b.example", []string{"b.example p=none", "example p=reject; psd=y"}, ""},
	"PSD as the author":                 {"example", "", "fail quarantine@example", []string{"example p=quarantine; sp=none; psd=y"}, ""},
	"p=none fails all the same":         {"example.com", "spf:x.example", "fail none@example.com", []string{"example.com p=none"}, "not aligned"},

	// Alignment (§4.4).
	"strict DKIM":                     {"example.com", "dkim:a.example.com", "fail reject@example.com", []string{"example.com p=reject; adkim=s"}, ""},
	"strict DKIM leaves SPF alone":    {"example.com", "spf:a.example.com dkim:a.example.com", "pass reject@example.com spf:a.example.com", []string{"example.com p=reject; adkim=s"}, ""},
	"strict SPF":                      {"example.com", "spf:a.example.com", "fail reject@example.com", []string{"example.com p=reject; aspf=s"}, ""},
	"mode of the record that applies": {"a.example.com", "dkim:example.com", "fail reject@example.com", []string{"example.com p=reject; adkim=s"}, ""},
	"case and trailing dot":           {"EXAMPLE.com.", "dkim:Example.COM.", "pass reject@example.com dkim:example.com", simple, ""},
	"U-label and A-label":             {"bücher.example", "dkim:xn--bcher-kva.example", "pass reject@xn--bcher-kva.example dkim:xn--bcher-kva.example", []string{"xn--bcher-kva.example p=reject"}, ""},
	"siblings":                        {"a.example.com", "dkim:b.example.com", "pass reject@example.com dkim:b.example.com", simple, ""},
	"suffix that is no parent":        {"example.com", "dkim:badexample.com", "fail reject@example.com", simple, ""},
	"no identifiers":                  {"example.com", "", "fail reject@example.com", simple, "no identifier authenticated"},
	"an identifier that is no name":   {"example.com", "dkim:..", "fail reject@example.com", simple, "no identifier"},
	"many others are named shortly":   {"example.com", "dkim:a.x dkim:b.x dkim:c.x dkim:d.x dkim:e.x dkim:a.x", "fail reject@example.com", simple, "not aligned: dkim a.x, dkim b.x, dkim c.x and 2 more"},

	// When there is nothing to evaluate.
	"no author domain":           {"", "dkim:example.com", "none @", simple, "no author domain"},
	"author domain is no name":   {"a b", "", "none @", simple, "no author domain"},
	"no record anywhere":         {"example.org", "dkim:example.org", "none @", simple, "no policy record"},
	"a name too long for _dmarc": {strings.Repeat("a.", 123) + "example", "", "none @", nil, "no policy record"},

	// When the DNS fails (§4.10.1, §5.3.6).
	"author record unknown":   {"a.example.com", "dkim:a.example.com", "temperror @", []string{"example.com p=reject", "_dmarc.a.example.com TXT !timeout"}, "no answer in time"},
	"org record unknown":      {"a.example.com", "dkim:a.example.com", "temperror @", []string{"_dmarc.example.com TXT !servfail"}, "SERVFAIL"},
	"top of the walk unknown": {"a.example.com", "", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.com TXT !servfail"}, ""},
	// A lame delegation below the victim, chosen by a forger.
	"lame author, parent's policy":          {"lame.example.com", "", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.lame.example.com TXT !servfail"}, "_dmarc.lame.example.com"},
	"lame author, sp":                       {"lame.example.com", "", "temperror none@example.com", []string{"example.com p=reject; sp=none", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame author, t=y":                      {"lame.example.com", "", "temperror quarantine@example.com", []string{"example.com p=reject; t=y", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame author, psd=n between":            {"lame.a.example.com", "", "temperror none@a.example.com", []string{"example.com p=reject", "a.example.com p=none; psd=n", "_dmarc.lame.a.example.com TXT !servfail"}, ""},
	"lame author, plain record between":     {"lame.a.example.com", "", "temperror reject@example.com", []string{"example.com p=reject", "a.example.com p=none", "_dmarc.lame.a.example.com TXT !servfail"}, ""},
	"lame author, PSD's record":             {"lame.b.example", "", "temperror reject@b.example", []string{"example p=none", "b.example p=reject; psd=y", "_dmarc.lame.b.example TXT !servfail"}, ""},
	"lame author, unusable record":          {"lame.example.com", "", "temperror @", []string{"example.com sp=reject", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame author, others pass":              {"lame.example.com", "spf:example.net dkim:other.com", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame author, undecided as well":        {"lame.example.com", "spf?:lame.example.com", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame author, passes as far as known":   {"lame.example.com", "dkim:example.com", "temperror @", []string{"example.com p=reject", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame author, strict does not pass":     {"lame.example.com", "dkim:example.com", "temperror reject@example.com", []string{"example.com p=reject; adkim=s", "_dmarc.lame.example.com TXT !servfail"}, ""},
	"lame between author and record":        {"a.lame.example.com", "", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.lame.example.com TXT !timeout"}, "_dmarc.lame.example.com"},
	"walk failed above psd=n":               {"a.example.com", "", "fail reject@example.com", []string{"example.com p=reject; psd=n", "_dmarc.com TXT !servfail"}, ""},
	"walk unneeded, equal names":            {"a.example.com", "spf:a.example.com", "pass reject@a.example.com spf:a.example.com", []string{"a.example.com p=reject", "_dmarc.example.com TXT !servfail"}, ""},
	"walk unneeded, no identifiers":         {"a.example.com", "", "fail reject@a.example.com", []string{"a.example.com p=reject", "_dmarc.example.com TXT !servfail"}, ""},
	"walk unneeded, strict":                 {"a.example.com", "dkim:b.example.com", "fail reject@a.example.com", []string{"a.example.com p=reject; adkim=s", "_dmarc.example.com TXT !servfail"}, ""},
	"walk unneeded, other top-level domain": {"a.example.com", "dkim:example.net", "fail reject@a.example.com", []string{"a.example.com p=reject", "_dmarc.example.com TXT !servfail"}, ""},
	"walk needed, author's fails":           {"a.example.com", "dkim:b.example.com", "temperror reject@a.example.com", []string{"a.example.com p=reject", "_dmarc.example.com TXT !servfail"}, "SERVFAIL"},
	"walk needed, identifier's fails":       {"example.com", "dkim:b.example.com", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.b.example.com TXT !servfail"}, "_dmarc.b.example.com"},
	"identifier of others fails":            {"example.com", "dkim:b.example.net", "fail reject@example.com", []string{"example.com p=reject", "_dmarc.b.example.net TXT !servfail"}, ""},
	"another identifier aligned":            {"example.com", "dkim:b.example.com spf:c.example.com", "pass reject@example.com spf:c.example.com", []string{"example.com p=reject", "_dmarc.b.example.com TXT !servfail"}, ""},
	"DKIM temperror, would align":           {"example.com", "dkim?:example.com spf:example.net", "temperror reject@example.com", simple, "dkim of example.com could not be decided"},
	"DKIM temperror, would not align":       {"example.com", "dkim?:example.net", "fail reject@example.com", simple, ""},
	"SPF temperror, relaxed":                {"example.com", "spf?:bounce.example.com", "temperror reject@example.com", simple, "spf of bounce.example.com"},
	"SPF temperror, strict":                 {"example.com", "spf?:bounce.example.com", "fail reject@example.com", []string{"example.com p=reject; aspf=s"}, ""},
	"SPF temperror beside a pass":           {"example.com", "spf?:example.com dkim:example.com", "pass reject@example.com dkim:example.com", simple, ""},
	"SPF temperror, its walk fails":         {"example.com", "spf?:b.example.com", "temperror reject@example.com", []string{"example.com p=reject", "_dmarc.b.example.com TXT !servfail"}, "_dmarc.b.example.com"},
	"temperror under an unusable record":    {"example.com", "spf?:example.com", "permerror @example.com", []string{"example.com"}, ""},
	"temperror without a record":            {"example.com", "spf?:example.com", "none @", nil, ""},
}

func TestEvaluate(t *testing.T) {
	for name, tc := range evaluateCases {
		t.Run(name, func(t *testing.T) {
			e := &Evaluator{Resolver: zone(t, tc.zone...)}
			list := ids(tc.ids)
			got := e.Evaluate(t.Context(), tc.author, list)
			if brief(got) != tc.want || !strings.Contains(errText(got.Err), tc.err) {
				t.Errorf("got  %s (%v)\nwant %s (%s)", brief(got), got.Err, tc.want, tc.err)
			}
			if (got.Err == nil) != (got.Status == Pass) {
				t.Errorf("%s with error %v", got.Status, got.Err)
			}
			if got.Status == TempError && !resolve.Temporary(got.Err) {
				t.Errorf("temperror for %v", got.Err)
			}
			// The verdict does not depend on the order of the identifiers.
			slices.Reverse(list)
			again := e.Evaluate(t.Context(), tc.author, list)
			if again.Status != got.Status || again.Policy != got.Policy || len(again.Aligned) != len(got.Aligned) {
				t.Errorf("reversed: %s", brief(again))
			}
		})
	}
}

// TestFailureAtEachStep takes one question after the other away from an
// evaluation that passes by alignment of two walks.
func TestFailureAtEachStep(t *testing.T) {
	lines := []string{"example.com p=reject; np=none"}
	for name, want := range map[string]Status{
		"_dmarc.a.example.com": TempError, // might be the policy record
		"_dmarc.example.com":   TempError, // is the policy record
		"_dmarc.com":           TempError, // might be the organizational domain
		"_dmarc.b.example.com": TempError, // might have psd=n
		"a.example.com":        Pass,      // existence: the benefit of the doubt
		"b.example.com":        Pass,      // never asked
	} {
		for _, how := range []string{"!timeout", "!servfail"} {
			t.Run(name+" "+how, func(t *testing.T) {
				z := zone(t, append(lines, name+" * "+how)...)
				got := (&Evaluator{Resolver: z}).Evaluate(t.Context(), "a.example.com", ids("dkim:b.example.com"))
				if got.Status != want {
					t.Errorf("%s (%v)", brief(got), got.Err)
				}
			})
		}
	}
	t.Run("the message's budget", func(t *testing.T) {
		got := (&Evaluator{Resolver: resolve.NewBudget(zone(t, lines...), 2)}).Evaluate(t.Context(), "a.example.com", ids("dkim:b.example.com"))
		if got.Status != TempError || !errors.Is(got.Err, resolve.ErrBudget) {
			t.Errorf("%s (%v)", brief(got), got.Err)
		}
	})
}

// TestEvaluateQuestions: what is not needed is not asked for.
func TestEvaluateQuestions(t *testing.T) {
	for name, tc := range map[string]struct {
		author, ids, want string
		zone              []string
	}{
		"equal names":               {"mail.example.com", "dkim:mail.example.com", "mail.example.com", []string{"mail.example.com p=none"}},
		"no identifiers":            {"mail.example.com", "", "mail.example.com", []string{"mail.example.com p=none"}},
		"strict":                    {"mail.example.com", "dkim:example.com", "mail.example.com", []string{"mail.example.com p=none; adkim=s"}},
		"walks share questions":     {"a.example.com", "dkim:b.example.com spf:b.example.com", "a.example.com example.com com b.example.com", []string{"example.com p=none"}},
		"foreign domains unwalked":  {"example.com", "dkim:x.evil.example spf:y.example.net", "example.com com", []string{"example.com p=none"}},
		"no record, no identifiers": {"a.example.com", "dkim:b.example.com", "a.example.com example.com com", nil},
		"np as sp: no existence":    {"a.example.com", "", "a.example.com example.com com", []string{"example.com p=none; np=none"}},
		"np differs: existence":     {"a.example.com", "", "a.example.com example.com com|A a.example.com", []string{"example.com p=none; np=reject"}},
	} {
		t.Run(name, func(t *testing.T) {
			z := zone(t, tc.zone...)
			(&Evaluator{Resolver: z}).Evaluate(t.Context(), tc.author, ids(tc.ids))
			walked, rest, _ := strings.Cut(tc.want, "|")
			want := strings.Fields(walked)
			if rest != "" {
				want = append(want, rest)
			}
			if d := cmp.Diff(want, asked(z)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPrefetch(t *testing.T) {
	z := zone(t, "example.com p=none; np=reject")
	b := resolve.NewBudget(z, 100)
	e := &Evaluator{Resolver: b}
	e.Prefetch(t.Context(), "A.example.com")
	e.Prefetch(t.Context(), "no name")
	before := asked(z)
	if d := cmp.Diff([]string{"a.example.com", "example.com", "com", "A a.example.com"}, before); d != "" {
		t.Error(d)
	}
	if got := e.Evaluate(t.Context(), "a.example.com", ids("dkim:example.com")); got.Status != Pass {
		t.Errorf("%s (%v)", brief(got), got.Err)
	}
	if len(asked(z)) != len(before) {
		t.Errorf("asked again: %v", asked(z))
	}
}

func TestIdentifierLimit(t *testing.T) {
	z := zone(t, "example.com p=reject", "d.example.com psd=n")
	var list []Identifier
	for i := range 30 {
		list = append(list, Identifier{"dkim", fmt.Sprintf("x%d.d.example.com", i), i%2 == 1})
	}
	got := (&Evaluator{Resolver: z}).Evaluate(t.Context(), "example.com", list)
	if got.Status != Fail || got.Err != errTooMany {
		t.Errorf("%s (%v)", brief(got), got.Err)
	}
	// The author's walk of two names, ten identifiers, and d.example.com once.
	if n := len(asked(z)); n != 2+10+1 {
		t.Errorf("%d questions", n)
	}
	list = append(list, Identifier{"dkim", "example.com", false})
	if got := (&Evaluator{Resolver: z, MaxIdentifiers: 1}).Evaluate(t.Context(), "example.com", list); got.Status != Pass {
		t.Errorf("%s (%v)", brief(got), got.Err)
	}
}

// TestSpentQuestions: a message that spends its questions on the walks of its
// own identifiers has failed. The limit is ours and no failure of the DNS, which
// would leave the verdict open (RFC 9989 §5.3.6).
func TestSpentQuestions(t *testing.T) {
	for questions, left := range []string{"no policy", "no walk for the author", "no walk for the identifier"} {
		for _, id := range []string{"dkim:a.example.com", "spf?:a.example.com"} {
			z := resolve.NewBudget(zone(t, "example.com p=reject"), questions)
			got := (&Evaluator{Resolver: z}).Evaluate(t.Context(), "example.com", ids(id))
			if questions == 0 {
				// What the policy would be, no identifier of the message decides.
				if got.Status != TempError {
					t.Errorf("%s, %s: %s (%v)", left, id, brief(got), got.Err)
				}
				continue
			}
			if got.Status != Fail || got.Policy != PolicyReject || errors.Is(got.Err, resolve.ErrBudget) {
				t.Errorf("%s, %s: %s (%v), want a failure", left, id, brief(got), got.Err)
			}
		}
	}
}

// TestEvaluateAll: several author domains (RFC 9989 §11.5).
func TestEvaluateAll(t *testing.T) {
	lines := []string{
		"none.example p=none", "quar.example p=quarantine", "reject.example p=reject", "broken.example p=x",
		"_dmarc.slow.example TXT !timeout", "_dmarc.lame.reject.example TXT !timeout",
	}
	for name, tc := range map[string]struct {
		authors, ids, domain, want string
		err                        string
	}{
		"none at all":                   {"", "", "", "none @", "no author domain"},
		"one":                           {"quar.example", "", "quar.example", "fail quarantine@quar.example", ""},
		"the strictest that fails":      {"none.example reject.example quar.example", "", "reject.example", "fail reject@reject.example", ""},
		"one passes, one fails":         {"quar.example reject.example", "dkim:reject.example", "quar.example", "fail quarantine@quar.example", ""},
		"all pass":                      {"quar.example reject.example", "dkim:reject.example spf:quar.example", "quar.example", "pass quarantine@quar.example spf:quar.example", ""},
		"one passes, one has no record": {"evil.test reject.example", "dkim:reject.example", "evil.test", "none @", "no policy record"},
		"an open reject before a sure quarantine": {"lame.reject.example quar.example", "", "lame.reject.example", "temperror reject@reject.example", ""},
		"a sure reject before an open one":        {"lame.reject.example reject.example", "", "reject.example", "fail reject@reject.example", ""},
		"a known reject before an unknown":        {"slow.example lame.reject.example", "", "lame.reject.example", "temperror reject@reject.example", ""},
		"temperror hides a reject":                {"none.example slow.example", "", "slow.example", "temperror @", ""},
		"a sure quarantine counts":                {"slow.example quar.example", "", "quar.example", "fail quarantine@quar.example", ""},
		"permerror before none":                   {"evil.test broken.example", "", "broken.example", "permerror @broken.example", ""},
		"the same domain twice is one":            {"quar.example QUAR.example.", "dkim:quar.example", "quar.example", "pass quarantine@quar.example dkim:quar.example", ""},
		"a sure quarantine behind an open reject": {"quar.example lame.reject.example", "", "lame.reject.example", "temperror reject@reject.example", ""},
		"a failure under none before permerror":   {"broken.example none.example", "", "none.example", "fail none@none.example", ""},
		"one domain in six forms is one":          {"quar.example QUAR.example. quar.Example Quar.example QUAR.EXAMPLE QUAR.Example quar.example", "dkim:quar.example", "quar.example", "pass quarantine@quar.example dkim:quar.example", ""},
		"identifiers in any form":                 {"reject.example quar.example", "dkim:REJECT.example. spf:Quar.Example", "reject.example", "pass reject@reject.example dkim:reject.example", ""},
		"five may pass":                           {"reject.example b.reject.example c.reject.example d.reject.example e.reject.example", "dkim:reject.example", "reject.example", "pass reject@reject.example dkim:reject.example", ""},
		"five are evaluated":                      {"a.test b.test c.test d.test reject.example", "", "reject.example", "fail reject@reject.example", ""},
		"six are a failure":                       {"a.test b.test c.test d.test e.test f.test", "", "a.test", "fail quarantine@", "6 author domains, limit 5"},
		"six that would pass, too":                {"reject.example b.reject.example c.reject.example d.reject.example e.reject.example f.reject.example", "dkim:reject.example", "reject.example", "fail quarantine@reject.example", "limit 5"},
		"six with a reject among five":            {"a.test b.test c.test d.test reject.example f.test", "", "reject.example", "fail reject@reject.example", "limit 5"},
		"six, the reject is not reached":          {"a.test b.test c.test d.test none.example reject.example", "", "none.example", "fail quarantine@none.example", "limit 5"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Evaluator{Resolver: zone(t, lines...)}
			got := e.EvaluateAll(t.Context(), strings.Fields(tc.authors), ids(tc.ids))
			if brief(got) != tc.want || got.AuthorDomain != tc.domain || !strings.Contains(errText(got.Err), tc.err) {
				t.Errorf("got  %s %s (%v)\nwant %s %s (%s)", got.AuthorDomain, brief(got), got.Err, tc.domain, tc.want, tc.err)
			}
		})
	}
}
