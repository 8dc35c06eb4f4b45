package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestWorkIsBounded: what no real record has is a permerror and not done; what
// is as large as it may be is done.
func TestWorkIsBounded(t *testing.T) {
	nothing := strings.Repeat("-", 1000) // of which %{l1r-} is nothing
	tests := []struct {
		name, record string
		want         Status
		text         string
	}{
		{"9,000 macros that expand to nothing", "exists:" + strings.Repeat("%{l1r-}", 9000) + ".d.example -all", PermError,
			": records ask for too much work: more than 500 macros and literals in one term, RFC 7208 §11.1"},
		{"499 macros that expand to nothing", "exists:" + strings.Repeat("%{l1r-}", 499) + "x.d.example -all", Pass, ""},
		{"macros of an unknown modifier", "x=" + strings.Repeat("%%", 501) + " -all", PermError, "too much work"},
		{"macros of redirect", "redirect=" + strings.Repeat("%{l1r-}", 501), PermError, "too much work"},
		{"5,000 terms", strings.Repeat("x= ", 4999) + "all", Pass, ""},
		{"5,001 terms", strings.Repeat("x= ", 5000) + "all", PermError, `spf: d.example: "all": records ask for too much work: more than 5000 terms, RFC 7208 §11.1`},
		{"terms of included records", strings.Repeat("include:half.example ", 2) + "all", PermError, "spf: half.example: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := &resolve.Zone{}
			for name, txt := range map[string]string{
				"d.example": "v=spf1 " + tt.record, "half.example": "v=spf1 " + strings.Repeat("?ip6::: ", 2600),
			} {
				if err := z.Add(name, "TXT", txt); err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Add("x.d.example", "A", "127.0.0.2"); err != nil {
				t.Fatal(err)
			}
			c := Checker{Resolver: z}
			r := c.Check(context.Background(), netip.MustParseAddr("192.0.2.1"), "h", nothing+"@d.example")
			if r.Status != tt.want || (tt.want == PermError) != errors.Is(r.Err, ErrTooMuch) ||
				tt.text != "" && !strings.Contains(fmt.Sprint(r.Err), tt.text) {
				t.Errorf("%s %.300v, want %s %s", r.Status, r.Err, tt.want, tt.text)
			}
		})
	}
}

// TestExplanationWorkIsBounded: the text of exp= has macros as well.
func TestExplanationWorkIsBounded(t *testing.T) {
	for n, want := range map[int]string{499: "no", 500: ""} {
		z := resolve.MustZone(`d.example TXT "v=spf1 exp=e.example -all"`)
		if err := z.Add("e.example", "TXT", strings.Repeat("%{l1r-}", n)+"no"); err != nil {
			t.Fatal(err)
		}
		c := Checker{Resolver: z}
		r := c.Check(context.Background(), netip.MustParseAddr("192.0.2.1"), "h", "-@d.example")
		if r.Status != Fail || r.Explanation != want {
			t.Errorf("%d macros: %s %q", n, r.Status, r.Explanation)
		}
	}
}

// ending is a resolver that knows nothing of contexts, and cancels the check
// with the answer to the question for name.
type ending struct {
	*resolve.Zone
	name   string
	cancel context.CancelFunc
}

func (r ending) asked(name string) {
	if name == r.name {
		r.cancel()
	}
}

func (r ending) LookupTXT(_ context.Context, name string) (resolve.Answer[string], error) {
	defer r.asked(name)
	return r.Zone.LookupTXT(context.Background(), name)
}

func (r ending) LookupMX(_ context.Context, name string) (resolve.Answer[resolve.MX], error) {
	defer r.asked("MX " + name)
	return r.Zone.LookupMX(context.Background(), name)
}

func (r ending) LookupA(_ context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return r.Zone.LookupA(context.Background(), name)
}

func (r ending) LookupPTR(_ context.Context, ip netip.Addr) (resolve.Answer[string], error) {
	defer r.asked("PTR " + ip.String())
	return r.Zone.LookupPTR(context.Background(), ip)
}

// TestEndOfContext: every step of a check looks at its context, not only the
// questions.
func TestEndOfContext(t *testing.T) {
	const zone = `
d.example TXT "v=spf1 ip4:192.0.2.1 -all"
m.example TXT "v=spf1 mx"
m.example MX 1 h.example
h.example A 192.0.2.1
i.example TXT "v=spf1 include:d.example -all"
e.example TXT "v=spf1 exp=x.example -all"
x.example TXT "no"
p.example TXT "v=spf1 exists:%{h}.%{p}"
q.example TXT "v=spf1 redirect=%{h}.%{p}"
h.unknown TXT "v=spf1 +all"
h.unknown A 127.0.0.2
`
	for _, tt := range []struct {
		domain, ends string
		want         Status
	}{
		{"d.example", "", Pass}, {"d.example", "d.example", TempError},
		{"m.example", "", Pass}, {"m.example", "MX m.example", TempError},
		{"i.example", "", Pass}, {"i.example", "d.example", TempError},
		{"p.example", "", Pass}, {"p.example", "PTR 192.0.2.1", TempError},
		{"q.example", "", Pass}, {"q.example", "PTR 192.0.2.1", TempError},
		{"e.example", "", Fail}, {"e.example", "x.example", Fail},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		c := Checker{Resolver: ending{resolve.MustZone(zone), tt.ends, cancel}}
		r := c.Check(ctx, netip.MustParseAddr("192.0.2.1"), "h", "a@"+tt.domain)
		if r.Status != tt.want || tt.want == TempError && !errors.Is(r.Err, context.Canceled) {
			t.Errorf("%s, ended by %q: %s %v, want %s", tt.domain, tt.ends, r.Status, r.Err, tt.want)
		}
		if explained := r.Explanation != ""; explained != (tt.domain == "e.example" && tt.ends == "") {
			t.Errorf("%s, ended by %q: explanation %q", tt.domain, tt.ends, r.Explanation)
		}
		cancel()
	}
}
