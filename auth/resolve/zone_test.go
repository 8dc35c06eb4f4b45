package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleZone = `
# a comment
good.example       TXT  "v=spf1 ip4:192.0.2.1 " "-all"   # two strings, one record
good.example       TXT  second
GOOD.example.      MX   20 b.good.example.
good.example       MX   10 a.good.example
mail.good.example  A    192.0.2.1
mail.good.example  A    192.0.2.2
mail.good.example  AAAA 2001:db8::1
192.0.2.1          PTR  mail.good.example.
2001:db8::1        PTR  mail.good.example
www.good.example   CNAME mail.good.example
far.good.example   CNAME www.good.example.
bad.good.example   CNAME gone.example
loop.example       CNAME pool.example
pool.example       CNAME loop.example
null.example       MX   0 .
slow.example       TXT  !timeout
slow.example       A    192.0.2.9
broken.example     *    !servfail
to.broken.example  CNAME broken.example
gone.example       TXT  !nxdomain
*.wild.example     TXT  "anything below"
below.host.wild.example A 192.0.2.3
quoted.example     TXT  "a \" # b; \\ \xff"
only.below.test.example A 192.0.2.4
`

// show asks one question and shows the answer, or the kind of failure.
func show(r Resolver, question string) string {
	ctx := context.Background()
	typ, name, _ := strings.Cut(question, " ")
	var got any
	var err error
	switch typ {
	case "TXT":
		var a Answer[string]
		a, err = r.LookupTXT(ctx, name)
		got = a.Records
	case "A":
		var a Answer[netip.Addr]
		a, err = r.LookupA(ctx, name)
		got = a.Records
	case "AAAA":
		var a Answer[netip.Addr]
		a, err = r.LookupAAAA(ctx, name)
		got = a.Records
	case "MX":
		var a Answer[MX]
		a, err = r.LookupMX(ctx, name)
		got = a.Records
	case "PTR":
		var a Answer[string]
		a, err = r.LookupPTR(ctx, netip.MustParseAddr(name))
		got = a.Records
	}
	switch {
	case err == nil:
		return fmt.Sprintf("%q", got)
	case errors.Is(err, ErrBudget):
		return "BUDGET"
	case Temporary(err):
		return "TEMP"
	case errors.Is(err, ErrNXDomain):
		return "NXDOMAIN"
	case errors.Is(err, ErrNoData):
		return "NODATA"
	}
	return err.Error()
}

func TestZone(t *testing.T) {
	for question, want := range map[string]string{
		"TXT good.example":               `["v=spf1 ip4:192.0.2.1 -all" "second"]`,
		"TXT GOOD.Example":               `["v=spf1 ip4:192.0.2.1 -all" "second"]`,
		"TXT good.example.":              `["v=spf1 ip4:192.0.2.1 -all" "second"]`,
		"A good.example":                 "NODATA",
		"A example":                      "NODATA", // exists: there is a name below it
		"A test.example":                 "NODATA", // RFC 8020: an empty non-terminal is no NXDOMAIN
		"A below.test.example":           "NODATA",
		"A nothing.example":              "NXDOMAIN",
		"A x.mail.good.example":          "NXDOMAIN",
		"MX good.example":                `[{'\n' "a.good.example"} {'\x14' "b.good.example"}]`, // in order of preference
		"MX null.example":                `[{'\x00' ""}]`,                                       // RFC 7505
		"A mail.good.example":            `["192.0.2.1" "192.0.2.2"]`,
		"AAAA mail.good.example":         `["2001:db8::1"]`,
		"A www.good.example":             `["192.0.2.1" "192.0.2.2"]`,
		"AAAA far.good.example":          `["2001:db8::1"]`,
		"TXT far.good.example":           "NODATA",
		"A bad.good.example":             "NXDOMAIN",
		"A loop.example":                 "TEMP",
		"PTR 192.0.2.1":                  `["mail.good.example"]`,
		"PTR ::ffff:192.0.2.1":           `["mail.good.example"]`,
		"PTR 2001:db8::1":                `["mail.good.example"]`,
		"PTR 192.0.2.99":                 "NXDOMAIN",
		"TXT slow.example":               "TEMP",
		"A slow.example":                 `["192.0.2.9"]`,
		"TXT broken.example":             "TEMP",
		"MX broken.example":              "TEMP",
		"A to.broken.example":            "TEMP", // the failure is behind the alias
		"TXT gone.example":               "NXDOMAIN",
		"TXT a.wild.example":             `["anything below"]`,
		"TXT b.a.wild.example":           `["anything below"]`,
		"A a.wild.example":               "NODATA",
		"TXT wild.example":               "NODATA",
		"TXT host.wild.example":          "NODATA",   // RFC 4592 §2.2: it exists, as there is a name below it
		"TXT x.host.wild.example":        "NXDOMAIN", // and shuts the wildcard out
		"TXT quoted.example":             `["a \" # b; \\ \xff"]`,
		"TXT a..example":                 "NXDOMAIN",
		"TXT " + strings.Repeat("a", 64): "NXDOMAIN",
	} {
		if got := show(MustZone(sampleZone), question); got != want {
			t.Errorf("%s: %s, want %s", question, got, want)
		}
	}
}

// The contract of Resolver: exactly one of three kinds of failure.
func TestErrorKinds(t *testing.T) {
	for _, tt := range []struct {
		err                 error
		nx, noData, temp, v bool
	}{
		{nil, false, false, false, false},
		{&Error{"TXT", "x", ErrNXDomain}, true, false, false, true},
		{&Error{"TXT", "x", ErrNoData}, false, true, false, true},
		{&Error{"TXT", "x", ErrTemporary}, false, false, true, false},
		{ErrBudget, false, false, true, false},
		{context.DeadlineExceeded, false, false, true, false},
		{errors.New("a bug"), false, false, true, false},
	} {
		if errors.Is(tt.err, ErrNXDomain) != tt.nx || errors.Is(tt.err, ErrNoData) != tt.noData || Temporary(tt.err) != tt.temp || Void(tt.err) != tt.v {
			t.Errorf("%v is of another kind", tt.err)
		}
	}
	if !errors.Is(ErrBudget, ErrTemporary) {
		t.Error("the budget's end is not temporary")
	}
	if got, want := (&Error{"TXT", "x.example", ErrNoData}).Error(), "TXT x.example: no record of this type (NODATA)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestZoneAnswer(t *testing.T) {
	z := MustZone(sampleZone)
	z.Secure = true
	a, err := z.LookupTXT(context.Background(), "good.example")
	if err != nil || !a.Secure || a.TTL != zoneTTL {
		t.Fatalf("%+v, %v", a, err)
	}
	a.Records[0] = "changed"
	if got := show(z, "TXT good.example"); strings.Contains(got, "changed") {
		t.Error("the caller can change the zone's records")
	}
	z.LookupTXT(context.Background(), "a..b")
	if diff := cmp.Diff([]string{"TXT good.example", "TXT good.example"}, z.Asked()); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := z.LookupA(ctx, "mail.good.example"); !Temporary(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := show(&Zone{}, "TXT good.example"); got != "NXDOMAIN" {
		t.Errorf("the zero Zone: %s", got)
	}
}

func TestZoneAlias(t *testing.T) {
	z := MustZone(sampleZone + "records.example CNAME other.example\nrecords.example TXT first\nroot.example CNAME .\n*.many.example CNAME Other.Example.\n")
	for question, want := range map[string]string{
		"A www.good.example":    "mail.good.example",
		"A WWW.good.example.":   "mail.good.example",
		"A far.good.example":    "www.good.example", // one step, without the dot
		"TXT bad.good.example":  "gone.example",
		"A loop.example":        "pool.example",
		"A x.many.example":      "Other.Example",
		"A root.example":        "",
		"A records.example":     "other.example",
		"TXT records.example":   "none", // as the look-ups have it
		"A mail.good.example":   "none",
		"TXT mail.good.example": "none",
		"A nothing.example":     "none",
		"TXT broken.example":    "none",
		"TXT to.broken.example": "broken.example",
		"TXT slow.example":      "none",
	} {
		typ, name, _ := strings.Cut(question, " ")
		got, ok := z.Alias(name, typ)
		if !ok && got == "" {
			got = "none"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", question, got, want)
		}
	}
	if asked := z.Asked(); len(asked) != 0 {
		t.Errorf("counted as questions: %q", asked)
	}
}

// TestZoneLookupCNAME: what stands at the name itself, followed nowhere.
func TestZoneLookupCNAME(t *testing.T) {
	z := MustZone("a.example CNAME b.example\nb.example CNAME c.example.\nc.example A 192.0.2.1\nbad.example CNAME !servfail\n*.w.example CNAME c.example\n")
	for name, want := range map[string]string{"a.example": "b.example", "B.example.": "c.example", "x.w.example": "c.example"} {
		if a, err := z.LookupCNAME(t.Context(), name); err != nil || len(a.Records) != 1 || a.Records[0] != want || a.TTL != zoneTTL {
			t.Errorf("%s: %+v %v", name, a, err)
		}
	}
	for name, want := range map[string]error{"c.example": ErrNoData, "d.example": ErrNXDomain, "bad.example": ErrTemporary} {
		if _, err := z.LookupCNAME(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestZoneMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"\nx.example TXT":                              "zone line 2: want NAME TYPE DATA",
		`x.example TXT "open`:                          "zone line 1: quoted string at column 15 is not closed",
		"x.example SRV 1":                              `zone line 1: unknown type "SRV"`,
		"x.example SRV !timeout":                       `zone line 1: unknown type "SRV"`,
		"x.example TXT !crash":                         `zone line 1: unknown failure "!crash"`,
		"x.example * text":                             "zone line 1: type * is for failures only",
		"x.example A 2001:db8::1":                      `zone line 1: "2001:db8::1" is no A address`,
		"x.example AAAA 192.0.2.1":                     `zone line 1: "192.0.2.1" is no AAAA address`,
		"x.example AAAA fe80::1%eth0":                  `zone line 1: "fe80::1%eth0" is no AAAA address`,
		"x.example MX mail.x.example":                  "zone line 1: MX wants PREFERENCE HOST",
		"x.example MX 65536 mail.x.example":            `zone line 1: MX preference "65536"`,
		"x..example TXT a":                             `zone line 1: name "x..example": empty label`,
		strings.Repeat("a", 64) + ".x TXT a":           `zone line 1: name "` + strings.Repeat("a", 64) + `.x": label longer than 63 bytes`,
		"a A 192.0.2.1\r\n\r\n# c\r\nb A nonsense\r\n": `zone line 4: "nonsense" is no A address`,
	} {
		z, err := ParseZone(text)
		if z != nil || err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("MustZone took a broken zone")
		}
	}()
	MustZone("x")
}

// FuzzParseZone: whatever is parsed can be asked anything, and the answers obey
// the contract of Resolver.
func FuzzParseZone(f *testing.F) {
	f.Add(sampleZone, "a.wild.example")
	f.Add("* TXT a\nb CNAME *.b", "x.b")
	f.Add("a CNAME a", "a")
	f.Add(`a TXT "\x`, "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		z, err := ParseZone(text)
		if err != nil {
			if z != nil || !strings.HasPrefix(err.Error(), "zone line ") {
				t.Fatalf("%v, %v", z, err)
			}
			return
		}
		ctx := context.Background()
		check := func(n int, err error) {
			t.Helper()
			kinds := 0
			for _, is := range []bool{errors.Is(err, ErrNXDomain), errors.Is(err, ErrNoData), Temporary(err)} {
				if is {
					kinds++
				}
			}
			if err == nil && n == 0 || err != nil && (n > 0 || kinds != 1) {
				t.Errorf("%d records, %v", n, err)
			}
		}
		txt, err := z.LookupTXT(ctx, name)
		check(len(txt.Records), err)
		a, err := z.LookupA(ctx, name)
		check(len(a.Records), err)
		aaaa, err := z.LookupAAAA(ctx, name)
		check(len(aaaa.Records), err)
		mx, err := z.LookupMX(ctx, name)
		check(len(mx.Records), err)
		if !slices.IsSortedFunc(mx.Records, func(x, y MX) int { return int(x.Preference) - int(y.Preference) }) {
			t.Error("MX records are not in order")
		}
		ip, _ := netip.ParseAddr(name)
		ptr, err := z.LookupPTR(ctx, ip)
		check(len(ptr.Records), err)
	})
}

func TestReverseName(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1":          "1.2.0.192.in-addr.arpa",
		"::ffff:192.0.2.1":   "1.2.0.192.in-addr.arpa",
		"2001:db8::567:89ab": "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", // RFC 3596 §2.5's form
		"fe80::1%eth0":       "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa",
	} {
		if got := ReverseName(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}
