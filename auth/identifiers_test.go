package auth

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// TestIdentifiers: what passed and what is open may align, and nothing else; a
// fault of ours in DKIM leaves every author open.
func TestIdentifiers(t *testing.T) {
	r := &Results{Author: Author{Domains: []string{"a.example", "b.example"}}}
	r.DKIM = []dkim.Result{
		{Status: dkim.Pass, Domain: "d.example"}, {Status: dkim.TempError, Domain: "e.example"}, {Status: dkim.Fail, Domain: "f.example"}, {Status: dkim.PermError},
		{Status: dkim.TempError},
	}
	want := []dmarc.Identifier{
		{Method: "dkim", Domain: "d.example"}, {Method: "dkim", Domain: "e.example", Temp: true},
		{Method: "dkim", Domain: "a.example", Temp: true}, {Method: "dkim", Domain: "b.example", Temp: true},
	}
	for status, last := range map[spf.Status][]dmarc.Identifier{
		"": nil, spf.Pass: {{Method: "spf", Domain: "s.example"}}, spf.TempError: {{Method: "spf", Domain: "s.example", Temp: true}}, spf.Fail: nil, spf.None: nil,
	} {
		if r.SPF = nil; status != "" {
			r.SPF = &spf.Result{Status: status, Domain: "s.example"}
		}
		if got := identifiers(r); !slices.Equal(got, slices.Concat(want, last)) {
			t.Errorf("spf=%s: %+v", status, got)
		}
	}
}

// TestNobodyIsEvaluated: without an author domain nothing is asked, and it is
// said why.
func TestNobodyIsEvaluated(t *testing.T) {
	bad := errors.New("two From fields")
	for _, a := range []Author{{}, {Err: bad}, {Err: bad, Domains: []string{"a.example"}}} {
		got := (&Check{}).dmarc(context.Background(), &Results{Author: a})
		if got.Status != dmarc.None || a.Err != nil && got.Err != bad || a.Err == nil && got.Err.Error() != "no author domain" {
			t.Errorf("%+v: %+v", a, got)
		}
	}
}
