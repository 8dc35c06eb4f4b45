package spf

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// strongBad is the check of RFC 7208 §7.4's examples.
func strongBad(ip string) *evaluation {
	return &evaluation{
		resolver: resolve.MustZone(`
192.0.2.3          PTR  mx.example.org
2001:db8::cb01     PTR  mx.example.org
mx.example.org     A    192.0.2.3
mx.example.org     AAAA 2001:db8::cb01`),
		ip: netip.MustParseAddr(ip), local: "strong-bad", domain: "email.example.com",
		helo: "mx.example.org", now: func() time.Time { return time.Unix(1234567890, 5) },
		limits: Limits{}.orDefaults(),
	}
}

func TestExpansion(t *testing.T) {
	const v4, v6 = "192.0.2.3", "2001:db8::cb01"
	const nibbles = "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1"
	tests := []struct{ name, ip, in, want string }{
		// RFC 7208 §7.4, first table.
		{"s", v4, "%{s}", "strong-bad@email.example.com"},
		{"o", v4, "%{o}", "email.example.com"},
		{"d", v4, "%{d}", "email.example.com"},
		{"d4", v4, "%{d4}", "email.example.com"},
		{"d3", v4, "%{d3}", "email.example.com"},
		{"d2", v4, "%{d2}", "example.com"},
		{"d1", v4, "%{d1}", "com"},
		{"dr", v4, "%{dr}", "com.example.email"},
		{"d2r", v4, "%{d2r}", "example.email"},
		{"l", v4, "%{l}", "strong-bad"},
		{"l-", v4, "%{l-}", "strong.bad"},
		{"lr", v4, "%{lr}", "strong-bad"},
		{"lr-", v4, "%{lr-}", "bad.strong"},
		{"l1r-", v4, "%{l1r-}", "strong"},
		// Second table.
		{"reversed address", v4, "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"reversed local-part", v4, "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"both", v4, "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{"both the other way", v4, "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"foreign zone", v4, "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{"IPv6", v6, "%{ir}.%{v}._spf.%{d2}", "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
		// §7.1, §7.2, §7.3.
		{"i of IPv6", v6, "%{i}", nibbles},
		{"c", v4, "%{c}", "192.0.2.3"},
		{"c of IPv6", v6, "%{c}", "2001:db8::cb01"},
		{"p", v4, "%{p}", "mx.example.org"},
		{"p of IPv6", v6, "%{p}", "mx.example.org"},
		{"p without names", "192.0.2.9", "%{p}", "unknown"},
		{"h", v4, "%{h}", "mx.example.org"},
		{"r without a receiver", v4, "%{r}", "unknown"},
		{"t in seconds", v4, "%{t}", "1234567890"},
		{"escapes", v4, "%%%_%-", "% %20"},
		{"upper case is URL-escaped", v4, "%{S}", "strong-bad%40email.example.com"},
		{"upper case with transformers", v4, "%{SR-}", "bad%40email.example.com.strong"},
		{"127 parts", v4, "%{d127}", "email.example.com"},
		{"any number of parts", v4, "%{d99999999999999999999999}", "email.example.com"},
		{"several delimiters, some twice", v4, "%{s3.--.=}", "bad@email.example.com"},
		{"delimiters without effect rejoin with dots", v4, "%{l,+}", "strong-bad"},
		{"empty parts count", v4, "%{i2}", "2.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := strongBad(tt.ip)
			m, err := parseMacroString(tt.in, expLetters, true)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := e.expandText(t.Context(), m, "email.example.com")
			if !ok || got != tt.want {
				t.Errorf("%s = %q %v, want %q", tt.in, got, ok, tt.want)
			}
		})
	}
}

// TestValidatedName: %{p} is <domain> itself, else a name below it, else any
// validated name (§7.3).
func TestValidatedName(t *testing.T) {
	for names, want := range map[string]string{
		"":                                   "unknown",
		"x.other y.other":                    "x.other",
		"x.other d.example":                  "d.example",
		"a.d.example d.example":              "d.example",
		"x.other a.d.example b.d.example":    "a.d.example",
		"a.d.example x.other":                "a.d.example",
		"badd.example x.other":               "badd.example",
		"gone.example x.other":               "x.other",
		"gone.example y.other x.other":       "y.other",
		"gone.d.example x.other b.d.example": "b.d.example",
	} {
		z := &resolve.Zone{}
		for n := range strings.FieldsSeq(names) {
			err := z.Add("192.0.2.1", "PTR", n)
			if !strings.HasPrefix(n, "gone.") {
				err = errors.Join(err, z.Add(n, "A", "192.0.2.1"))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		e := &evaluation{resolver: z, ip: netip.MustParseAddr("192.0.2.1"), limits: Limits{}.orDefaults()}
		if got := e.validatedName(t.Context(), "d.example"); got != want {
			t.Errorf("%s: %s, want %s", names, got, want)
		}
	}
}

// TestMacroLiterals: macro-literal = %x21-24 / %x26-7E, and SP in an
// explain-string only (§7.1, §6.2).
func TestMacroLiterals(t *testing.T) {
	for _, tt := range []struct {
		in              string
		record, explain bool
	}{
		{"!$&~", true, true}, {"a b", false, true}, {"a\tb", false, false}, {"\x1f", false, false}, {"\x7f", false, false}, {"é", false, false},
	} {
		if _, err := parseMacroString(tt.in, letters, false); (err == nil) != tt.record {
			t.Errorf("%q in a record: %v", tt.in, err)
		}
		if _, err := parseMacroString(tt.in, expLetters, true); (err == nil) != tt.explain {
			t.Errorf("%q in an explanation: %v", tt.in, err)
		}
	}
}

func TestTransformKeepsEmptyParts(t *testing.T) {
	tests := []struct {
		in, v, want string
	}{
		{"%{l2.}", "a..b.", "b."},
		{"%{l3.}", "a..b.", ".b."},
		{"%{lr.}", ".a", "a."},
		{"%{l-.}", "a-.b", "a..b"},
	}
	for _, tt := range tests {
		t.Run(tt.in+" "+tt.v, func(t *testing.T) {
			m, err := parseMacroString(tt.in, letters, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := transform(tt.v, &m[0]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTargetName(t *testing.T) {
	long := strings.Repeat("a123456789.", 22) + "tail.example.com" // 258 bytes
	tests := []struct {
		name, spec, local, helo, want string
		err                           error
	}{
		{name: "lower case, no trailing dot", spec: "WWW.Example.COM.", want: "www.example.com"},
		{name: "253 bytes stay", spec: long[5:], want: long[5:]},
		{name: "254 bytes lose the left label", spec: long[4:], want: long[11:]},
		{name: "258 bytes lose the left label", spec: long, want: long[11:]},
		{name: "the trailing dot does not count", spec: long[5:] + ".", want: long[5:]},
		{name: "hundreds of macros", spec: strings.Repeat("%{d}.", 240) + "x.example",
			want: "com." + strings.Repeat("email.example.com.", 13) + "x.example"},
		{name: "a macro before 253 bytes and a dot", spec: "%{h}" + long[5:] + ".", helo: "x", want: long[11:]},
		{name: "one endless label", spec: strings.Repeat("a", 300) + "%%", err: ErrTarget},
		{name: "empty label", spec: "a..example.com", err: ErrTarget},
		{name: "label of 64 bytes", spec: strings.Repeat("a", 64) + ".example.com", err: ErrTarget},
		{name: "spaces and quotes can be asked for", spec: "%{h}.example.com", helo: `a "b~`, want: `a "b~.example.com`},
		{name: "control characters cannot", spec: "%{h}.example.com", helo: "a\x00b", err: ErrTarget},
		{name: "nor other bytes", spec: "%{h}.example.com", helo: "\xff", err: ErrTarget},
		{name: "non-ASCII local-part in l", spec: "%{l}.example.com", local: "jürgen", err: errLocalPart},
		{name: "non-ASCII local-part in s", spec: "%{s1}.example.com", local: "jürgen", err: errLocalPart},
		{name: "non-ASCII local-part escaped", spec: "%{L}.example.com", local: "jürgen", err: errLocalPart},
		{name: "non-ASCII local-part unused", spec: "%{o}", local: "jürgen", want: "email.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := strongBad("192.0.2.3")
			if tt.local != "" {
				e.local = tt.local
			}
			if tt.helo != "" {
				e.helo = tt.helo
			}
			m, err := parseDomainSpec(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.targetName(t.Context(), m, "email.example.com")
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestExplanationTextIsBounded(t *testing.T) {
	e := strongBad("192.0.2.3")
	for name, tc := range map[string]struct {
		text string
		want int // bytes, -1 for no text
	}{
		"many macros":                        {strings.Repeat("%{s} ", 240), 400},
		"400 bytes":                          {strings.Repeat("x", 400), 400},
		"401 bytes":                          {strings.Repeat("x", 401), 400},
		"space and tilde are printable":      {" ~", 2},
		"a byte that is not, in the 400":     {strings.Repeat("x", 399) + "\x7f", -1},
		"a byte that is not, behind the cut": {strings.Repeat("x", 400) + "\x7f", 400},
		"a control character":                {"a\x1f", -1},
		"a letter that is not ASCII":         {"é", -1},
	} {
		// As one piece, and as a macro's value in front of it.
		e.helo = tc.text
		for _, m := range []macroString{{{literal: tc.text}}, {{letter: 'h'}}} {
			if strings.Contains(tc.text, "%") {
				var err error
				if m, err = parseMacroString(tc.text, expLetters, true); err != nil {
					t.Fatal(err)
				}
			}
			got, ok := e.expandText(t.Context(), m, "x.example")
			if ok != (tc.want >= 0) || len(got) != max(tc.want, 0) {
				t.Errorf("%s: %d bytes, %v, want %d", name, len(got), ok, tc.want)
			}
		}
	}
}

func TestExplanationEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, ok := strongBad("192.0.2.3").expandText(ctx, macroString{{literal: "x"}}, "x.example"); ok || got != "" {
		t.Errorf("%q, %v", got, ok)
	}
}

// FuzzTargetName: expanding from the right gives what §7.3 says: expand
// everything, then remove labels from the left.
func FuzzTargetName(f *testing.F) {
	f.Add("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "strong-bad", "mx.example.org")
	f.Add(strings.Repeat("%{d}.", 30)+"example.com.", "a", "b")
	f.Add("%{l-+,/_=}%%%_%-%{h}", "a..b-c", "")
	f.Fuzz(func(t *testing.T, spec, local, helo string) {
		m, err := parseDomainSpec(spec)
		if err != nil {
			return
		}
		e := strongBad("192.0.2.3")
		e.local, e.helo = local, helo
		got, err := e.targetName(t.Context(), m, "email.example.com")
		if err != nil {
			return
		}
		var s strings.Builder
		for i := range m {
			s.WriteString(e.expandToken(t.Context(), &m[i], "email.example.com"))
		}
		want := strings.TrimSuffix(s.String(), ".")
		for len(want) > 253 {
			_, want, _ = strings.Cut(want, ".")
		}
		if want = strings.ToLower(want); got != want {
			t.Errorf("%q: got %q, want %q", spec, got, want)
		}
	})
}
