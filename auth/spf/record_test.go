package spf

import (
	"errors"
	"strings"
	"testing"
)

func TestIsSPF(t *testing.T) {
	tests := []struct {
		txt  string
		want bool
	}{
		{"v=spf1", true},
		{"V=SPF1 -all", true},
		{"v=spf1 ", true},
		{"v=spf10 -all", false},
		{"v=spf1\t-all", false},
		{"v=spf", false},
		{"", false},
		{" v=spf1 -all", false},
		{"v=spf2.0/pra -all", false},
	}
	for _, tt := range tests {
		if got := isSPF(tt.txt); got != tt.want {
			t.Errorf("isSPF(%q) = %v", tt.txt, got)
		}
	}
}

func TestValidRecords(t *testing.T) {
	for _, r := range []string{
		"",
		" ",
		" -all ",
		"  +a   ~MX  ?Ptr all",
		" a:example.com/24//64 mx/0//0 a//128 mx:example.com//64 a:example.com/32",
		" a:foo:bar/baz.example.com a:foo/24.example.com/24",
		" a:%{d}/24 a:%{d}//64 a:%{d/}/24",
		" ip4:192.0.2.1 ip4:0.0.0.0/0 ip4:192.0.2.77/24 IP6:2001:DB8::/32 ip6:::/0 ip6:::ffff:192.0.2.1/96 ip6:::1",
		" include:_spf.example.com exists:%{i}._spf.%{d} redirect=_spf.example.com exp=%{d}",
		" include:.com include:a.b-c include:a.xn--zckzah include:example.com.",
		" exists:%{l1r-}.%{o} exists:a%% exists:a%_ exists:%-",
		" unknown=anything/goes:here+%{t} Un.kno-wn_2= a=b all=x redirect2=x",
		" v=spf1",
		" exists:%{d2R} exists:%{D127}",
		" exists:!\"#$&'()*+,-./:;<=>?@[]^_`{|}~.example.com",
	} {
		if _, err := parseRecord("v=spf1"+r, maxTerms); err != nil {
			t.Errorf("%q: %v", r, err)
		}
	}
}

// TestSyntaxErrors asserts whole texts: people repair records with them.
func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ record, want string }{
		{"moo", `spf: "moo": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{"ipv6:2001:db8::1", `spf: "ipv6:2001:db8::1": syntax error: unknown mechanism; write ip6, RFC 7208 §4.6.1`},
		{"ipv4:192.0.2.1", `spf: "ipv4:192.0.2.1": syntax error: unknown mechanism; write ip4, RFC 7208 §4.6.1`},
		{"redirect:example.com", `spf: "redirect:example.com": syntax error: unknown mechanism; write redirect=, RFC 7208 §4.6.1`},
		{"-", `spf: "-": syntax error: the mechanism's name is missing, RFC 7208 §4.6.1`},
		{"+-all", `spf: "+-all": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{"=all", `spf: "=all": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{"-redirect=example.com", `spf: "-redirect=example.com": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{"a\tmx", `spf: "a\tmx": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{"-all.", `spf: "-all.": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{"all:x", `spf: "all:x": syntax error: all takes no argument, RFC 7208 §5.1`},
		{"include", `spf: "include": syntax error: include needs a domain, RFC 7208 §5.2`},
		{"include:", `spf: "include:": syntax error: the domain is missing, RFC 7208 §7.1`},
		{"include:com", `spf: "include:com": syntax error: "com" is not a fully qualified domain name, RFC 7208 §7.1`},
		{"include:a.example/24", `spf: "include:a.example/24": syntax error: "example/24" cannot be a top-level label, RFC 7208 §7.1`},
		{"exists", `spf: "exists": syntax error: exists needs a domain, RFC 7208 §5.7`},
		{"a:192.0.2.1", `spf: "a:192.0.2.1": syntax error: an address is not a domain; write ip4:192.0.2.1, RFC 7208 §7.1`},
		{"mx:2001:db8::1", `spf: "mx:2001:db8::1": syntax error: an address is not a domain; write ip6:2001:db8::1, RFC 7208 §7.1`},
		{"a:abc.123", `spf: "a:abc.123": syntax error: "123" cannot be a top-level label, RFC 7208 §7.1`},
		{"a:abc.-com", `spf: "a:abc.-com": syntax error: "-com" cannot be a top-level label, RFC 7208 §7.1`},
		{"a:abc.com-", `spf: "a:abc.com-": syntax error: "com-" cannot be a top-level label, RFC 7208 §7.1`},
		{"a:abc.c_m", `spf: "a:abc.c_m": syntax error: "c_m" cannot be a top-level label, RFC 7208 §7.1`},
		{"a:abc.com..", `spf: "a:abc.com..": syntax error: "" cannot be a top-level label, RFC 7208 §7.1`},
		{"a:%{d}com", `spf: "a:%{d}com": syntax error: a macro is followed by "com" instead of a dot and a top-level label, RFC 7208 §7.1`},
		{"a:%{d}.", `spf: "a:%{d}.": syntax error: a macro is followed by "." instead of a dot and a top-level label, RFC 7208 §7.1`},
		{"a/33", `spf: "a/33": syntax error: prefix length "33" is not a number from 0 to 32, RFC 7208 §5.6`},
		{"a/032", `spf: "a/032": syntax error: prefix length "032" is not a number from 0 to 32, RFC 7208 §5.6`},
		{"a//129", `spf: "a//129": syntax error: prefix length "129" is not a number from 0 to 128, RFC 7208 §5.6`},
		{"a/24/64", `spf: "a/24/64": syntax error: prefix length "64" is not a number from 0 to 32, RFC 7208 §5.6`},
		{"a/24/32", `spf: "a/24/32": syntax error: a does not take "/24", RFC 7208 §5.3`},
		{"mx/", `spf: "mx/": syntax error: mx does not take "/", RFC 7208 §5.4`},
		{"a:example.com//", `spf: "a:example.com//": syntax error: "com//" cannot be a top-level label, RFC 7208 §7.1`},
		{"ptr/24", `spf: "ptr/24": syntax error: ptr does not take "/24", RFC 7208 §5.5`},
		{"ip4", `spf: "ip4": syntax error: ip4 needs an address, RFC 7208 §5.6`},
		{"ip4:192.0.2", `spf: "ip4:192.0.2": syntax error: "192.0.2" is not an IPv4 address, RFC 7208 §5.6`},
		{"ip4:192.0.02.1", `spf: "ip4:192.0.02.1": syntax error: "192.0.02.1" is not an IPv4 address, RFC 7208 §5.6`},
		{"ip4:192.0.2.1:25", `spf: "ip4:192.0.2.1:25": syntax error: "192.0.2.1:25" is not an IPv4 address, RFC 7208 §5.6`},
		{"ip4:2001:db8::1", `spf: "ip4:2001:db8::1": syntax error: "2001:db8::1" is not an IPv4 address; write ip6:2001:db8::1, RFC 7208 §5.6`},
		{"ip4:192.0.2.1//32", `spf: "ip4:192.0.2.1//32": syntax error: prefix length "/32" is not a number from 0 to 32, RFC 7208 §5.6`},
		{"ip4:192.0.2.1/", `spf: "ip4:192.0.2.1/": syntax error: prefix length "" is not a number from 0 to 32, RFC 7208 §5.6`},
		{"ip4:192.0.2.1/+8", `spf: "ip4:192.0.2.1/+8": syntax error: prefix length "+8" is not a number from 0 to 32, RFC 7208 §5.6`},
		{"ip6:192.0.2.1", `spf: "ip6:192.0.2.1": syntax error: "192.0.2.1" is not an IPv6 address; write ip4:192.0.2.1, RFC 7208 §5.6`},
		{"ip6:fe80::1%eth0", `spf: "ip6:fe80::1%eth0": syntax error: "fe80::1%eth0" is not an IPv6 address, RFC 7208 §5.6`},
		{"exp=x.example exp=y.example", `spf: "exp=y.example": syntax error: exp= stands twice, RFC 7208 §6`},
		{"redirect=", `spf: "redirect=": syntax error: the domain is missing, RFC 7208 §7.1`},
		{"foo=%abc", `spf: "foo=%abc": syntax error: "%a"; write %% for a percent sign, RFC 7208 §7.3`},
		{"a:x%", `spf: "a:x%": syntax error: "%" at the end; write %% for a percent sign, RFC 7208 §7.3`},
		{"a:%{d", `spf: "a:%{d": syntax error: macro "%{d" is not closed, RFC 7208 §7.1`},
		{"a:%{}", `spf: "a:%{}": syntax error: macro "%{}": no letter, RFC 7208 §7.1`},
		{"a:%{x}", `spf: "a:%{x}": syntax error: macro "%{x}": unknown letter, RFC 7208 §7.1`},
		{"a:%{T}", `spf: "a:%{T}": syntax error: macro "%{T}": this letter is for explanations only (§7.2), RFC 7208 §7.1`},
		{"a:%{d0}", `spf: "a:%{d0}": syntax error: macro "%{d0}": the number of parts must not be zero (§7.3), RFC 7208 §7.1`},
		{"a:%{dr2}", `spf: "a:%{dr2}": syntax error: macro "%{dr2}": not a delimiter, RFC 7208 §7.1`},
		{"a:ex\x80mple.com", `spf: "a:ex\x80mple.com": syntax error: byte 0x80, RFC 7208 §7.1`},
		{"ip4:192.0.2.1 -all oops:" + strings.Repeat("x", 70000),
			`spf: "oops:` + strings.Repeat("x", 247) + `...": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
	}
	for _, tt := range tests {
		t.Run(clip(tt.record), func(t *testing.T) {
			_, err := parseRecord("v=spf1 "+tt.record, maxTerms)
			if err == nil {
				t.Fatal("no error")
			}
			if !errors.Is(err, ErrSyntax) || err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

// FuzzParseRecord: what parses is visible ASCII and has no lost terms; what
// does not names a term of the record.
func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{"a/24//64 -all", "ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all", "include:%{d2}.x.example exp=%{s}", "a:%{l1r-+}.b redirect=%%.c x=%-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRecord("v=spf1 "+s, maxTerms)
		if err != nil {
			if err.Term == "" || !errors.Is(err, ErrSyntax) || len(err.Error()) > 4000 {
				t.Errorf("error %q", err)
			}
			return
		}
		terms := 0
		for _, term := range strings.Fields(s) {
			if _, _, ok := cutModifier(term); !ok {
				terms++
			}
		}
		if terms != len(r.directives) {
			t.Errorf("%d directives of %d", len(r.directives), terms)
		}
		for _, c := range []byte(s) {
			if c < ' ' || c > '~' {
				t.Errorf("byte %#x", c)
			}
		}
	})
}
