package doctor

import (
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestDomainIsAnAlias: a CNAME at the domain hides whatever stands beside it.
func TestDomainIsAnAlias(t *testing.T) {
	z := resolve.MustZone("www.example.com CNAME web.example.net\nweb.example.net MX 10 mx.example.net\nmx.example.net A 192.0.2.9\n")
	compare(t, mx(t.Context(), z, Domain{Name: "www.example.com"}), "WARN mx www.example.com: is an alias (CNAME) of web.example.net")
	if f := mx(t.Context(), z, Domain{Name: "www.example.com"}); f[0].Want.String() != "records of its own in place of the CNAME" {
		t.Errorf("wants %q", f[0].Want)
	}
	// A resolver that cannot show aliases leaves that out.
	compare(t, mx(t.Context(), struct{ resolve.Resolver }{z}, Domain{Name: "www.example.com"}), "")
}

func TestSubjectsInKorean(t *testing.T) {
	for _, f := range append(Clock(true, true), NoMTA()) {
		if told := f.In("ko"); !hangul(told.Subject) {
			t.Errorf("%+v", told)
		}
	}
}
