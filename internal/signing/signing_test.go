package signing

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
)

// rules reads "WHO: PATTERN PATTERN", one a line; WHO is local, a network, or a
// user.
func rules(t testing.TB, text string) *Senders {
	t.Helper()
	var all []Rule
	for line := range strings.Lines(text) {
		who, from, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		var r Rule
		var err error
		if net, e := netip.ParsePrefix(who); e == nil {
			r.Client = net
		} else if r.Local = who == "local"; !r.Local {
			if r.User, err = ParseUserPattern(who); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range strings.Fields(from) {
			p, err := ParsePattern(s)
			if err != nil {
				t.Fatal(err)
			}
			r.From = append(r.From, p)
		}
		all = append(all, r)
	}
	return Compile(all)
}

func address(s string) auth.Address {
	at := strings.LastIndexByte(s, '@')
	return auth.Address{Local: s[:at], Domain: s[at+1:]}
}

const office = `
*: {user} postmaster@{user.domain}
*@x.example: info@x.example
kim@x.example: sales@z.example @y.example
boss: @x.example @*.x.example {user}@y.example
*@rich.example: @{user.domain}
*@w.example: {user}@v.example
192.168.5.0/24: @x.example
2001:db8::/32: printer@y.example
local: root@host.example @x.example
local: www@y.example
10.0.0.0/8: *
news: *
`

func TestDenied(t *testing.T) {
	s := rules(t, office)
	ip := func(a string) Principal { return Principal{Client: netip.MustParseAddr(a)} }
	for _, c := range []struct {
		who         Principal
		may, mayNot string
	}{
		{Principal{User: "kim@x.example"},
			"kim@x.example KIM@x.example \"kim\"@x.example \"k\\im\"@x.example info@x.example postmaster@x.example sales@z.example any@y.example @y.example",
			"lee@x.example @x.example kim+tag@x.example kim@z.example @z.example any@a.y.example kim@a.x.example \"\"@x.example postmaster@y.examples im@x.example \u212aim@x.example"},
		{Principal{User: "Lee@X.Example."}, "lee@x.example LEE@x.example info@x.example", "kim@x.example sales@z.example any@y.example"},
		{Principal{User: "lee@bücher.example"}, "lee@xn--bcher-kva.example postmaster@xn--bcher-kva.example", "lee@x.example"},
		{Principal{User: "boss"}, "any@x.example @x.example any@a.b.x.example boss@y.example BOSS@y.example", "boss@z.example @y.example any@yx.example any@example"},
		{Principal{User: "BOSS"}, "any@x.example boss@y.example", "any@y.example"},
		{Principal{User: "a@rich.example"}, "any@rich.example @rich.example", "any@x.example any@a.rich.example any@example"},
		{Principal{User: "a@w.example"}, "a@w.example", "@v.example a@v.example @w.example"},
		// The host of a web mailer is not its users.
		{Principal{User: "eve@z.example", Local: true, Client: netip.MustParseAddr("192.168.5.1")}, "eve@z.example", "any@x.example root@host.example www@y.example"},
		{Principal{User: "eve", Local: true}, "", "any@x.example eve@x.example postmaster@x.example eve@y.example"},
		{ip("192.168.5.7"), "any@x.example", "any@y.example root@host.example printer@y.example"},
		{ip("192.168.6.7"), "", "any@x.example"},
		{ip("2001:db8::1"), "printer@y.example", "any@y.example"},
		{Principal{Local: true}, "root@host.example any@x.example www@y.example", "any@host.example any@y.example"},
		{Principal{Local: true, Client: netip.MustParseAddr("192.168.5.7")}, "www@y.example any@x.example", "printer@y.example"},
		{ip("10.1.2.3"), "any@x.example @else.example", ""},
		{Principal{User: "news"}, "any@x.example @else.example", ""},
		{Principal{}, "", "any@x.example"},
		// Names that are no plain addresses are somebody, and not somebody else.
		{Principal{User: `"kim"@x.example`}, "", `kim@x.example "kim"@x.example sales@z.example postmaster@x.example`},
		{Principal{User: "a@kim@x.example"}, "", "kim@x.example a@x.example info@x.example @x.example"},
		{Principal{User: "kim@x.example@z.example"}, "", "kim@x.example kim@z.example any@y.example"},
		{Principal{User: "@x.example"}, "", "@x.example info@x.example any@x.example"},
		{Principal{User: "kim @x.example"}, "", "kim@x.example info@x.example"},
		{Principal{User: "kim@x.example\n"}, "", "kim@x.example"},
		{Principal{User: "kim@x.example\x00"}, "", "kim@x.example"},
		{Principal{User: "\xff@x.example"}, "\xff@x.example info@x.example", "\xfe@x.example"},
		{Principal{User: strings.Repeat("k", maxUser+1)}, "", "any@x.example"},
		{Principal{User: "*"}, "", "any@x.example"},
		{Principal{User: "{user}"}, "", "{user}@x.example any@x.example"},
	} {
		for _, a := range strings.Fields(c.may) {
			if d, ok := s.Denied(c.who, nil, []auth.Address{address(a)}); !ok {
				t.Errorf("%+v may not use %s: %v", c.who, a, d)
			}
		}
		for _, a := range strings.Fields(c.mayNot) {
			if d, ok := s.Denied(c.who, nil, []auth.Address{address(a)}); ok || d != address(a) {
				t.Errorf("%+v may use %s", c.who, a)
			}
			if d, ok := s.Denied(c.who, nil, []auth.Address{address("kim@x.example"), address(a), address("sales@z.example")}); ok {
				t.Errorf("%+v may use %s beside others: %v", c.who, a, d)
			}
		}
	}
	if _, ok := s.Denied(Principal{}, nil, nil); !ok {
		t.Error("no address is denied")
	}
	if _, ok := Compile([]Rule{{From: []Pattern{{domain: "x.example"}}}}).Denied(Principal{User: "eve"}, nil, []auth.Address{address("a@x.example")}); ok {
		t.Error("a rule about nobody speaks of everybody")
	}
}

// TestRows: what a database gives is added for the user, and means what it says.
func TestRows(t *testing.T) {
	more, bad := ReadAddresses([]string{"Sales@Y.example", "@z.example", "*", "*@w.example", "{user}@w.example", "@{user.domain}", "@*.w.example", "noat", "a@", "@", "",
		"a b@w.example", `""@w.example`, "<a@w.example>", "a@w..example", strings.Repeat("a", 400) + "@w.example"})
	if len(bad) != 10 || more.Len() != 4 {
		t.Errorf("%d rows, bad %q", more.Len(), bad)
	}
	for a, want := range map[string]bool{
		"sales@y.example": true, "any@z.example": true, "@z.example": true, "*@w.example": true, "{user}@w.example": true,
		"x@y.example": false, "any@w.example": false, "eve@w.example": false, "any@a.z.example": false, "any@a.w.example": false, "@w.example": false,
	} {
		if _, ok := (*Senders)(nil).Denied(Principal{User: "eve@e.example"}, more, []auth.Address{address(a)}); ok != want {
			t.Errorf("%s: %v", a, ok)
		}
	}
	if _, ok := Compile(nil).Denied(Principal{Local: true}, more, []auth.Address{address("sales@y.example")}); ok {
		t.Error("a user's addresses serve a program without a user")
	}
	var rows []string
	for i := range MaxAddresses + 5 {
		rows = append(rows, fmt.Sprintf("a%d@y.example", i))
	}
	if more, _ := ReadAddresses(rows); more.Len() != MaxAddresses {
		t.Errorf("%d of %d rows", more.Len(), len(rows))
	}
}

func TestUserKey(t *testing.T) {
	for in, want := range map[string]string{"Kim@X.Example": "kim@x.example", "BOSS": "boss", "": "", "a\x01": "", strings.Repeat("a", maxUser+1): "", `"Kim"@x.example`: `"kim"@x.example`} {
		if got := UserKey(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// TestWrongPatterns: each has an error, and a hint in its second line.
func TestWrongPatterns(t *testing.T) {
	for in, want := range map[string]string{
		"": "whole domain", "x.example": `"@x.example"`, ".x.example": `"@x.example"`, "*.x.example": `"@x.example"`, "*@x.example": `"@x.example"`,
		"kim": "write kim@x.example", "{user.domain}": `"@{user.domain}"`, "{user}@{user.domain}": "whole address", "{name}@x.example": "known are", "a@{domain}": "known are",
		"{user": "write kim@", "x{user}@x.example": "known are", "a*@x.example": "left open", "@.x.example": `"@*.x.example"`, "@*.example": "themselves", "kim@*.x.example": `"@*.x.example"`,
		"<kim@x.example>": "angle", "Kim <kim@x.example>": "angle", "kim lee@x.example": "as it stands", `""@x.example`: "as it stands", "a,b@x.example": "as it stands", "kim@": "such as", "kim@x_.exa mple": "such as",
		"a@b@x.example": "as it stands", "@*.": "such as", "@*": `write "*"`, "kim@*": `write "*"`, "@": "such as", strings.Repeat("a", 320) + "@x.example": "320",
	} {
		_, err := ParsePattern(in)
		if err == nil {
			t.Errorf("%q is a pattern", in)
			continue
		}
		if _, hint, _ := strings.Cut(err.Error(), "\n"); !strings.Contains(hint, want) || strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("%q: %q", in, err)
		}
	}
	for in, want := range map[string]string{"": "everybody", "**": `"*"`, "kim*": `"*"`, "@x.example": `"*@x.example"`, "*@": "such as", "*@x..example": "such as", "{user}": "stands in from", "a\tb": "logged in with"} {
		_, err := ParseUserPattern(in)
		if err == nil {
			t.Errorf("%q is a user", in)
			continue
		}
		if _, hint, _ := strings.Cut(err.Error(), "\n"); !strings.Contains(hint, want) {
			t.Errorf("%q: %q", in, err)
		}
	}
}

func TestPatternText(t *testing.T) {
	for _, s := range []string{"*", "Kim@X.example", "@x.example", "@*.x.example", "{user}", "{user}@x.example", "@{user.domain}", "info@{user.domain}", `"kim lee"@x.example`, "kim@bücher.example"} {
		var p Pattern
		if err := p.UnmarshalText([]byte(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if b, _ := p.MarshalText(); string(b) != s || p.String() != s {
			t.Errorf("%s is written as %s", s, b)
		}
	}
}

// FuzzDenied: whatever the names are, a user gets no address of a domain that no
// rule gives, and nothing panics.
func FuzzDenied(f *testing.F) {
	s := rules(f, "*: {user} @{user.domain}\n*@x.example: info@x.example\nboss: {user}@x.example")
	for _, u := range []string{"kim@x.example", "boss", `"a"@x.example`, "a@b@x.example", "\xff", "@x.example", "kim@xn--bcher-kva.example"} {
		f.Add(u, "kim", "y.example")
	}
	f.Fuzz(func(t *testing.T, name, local, domain string) {
		_, ok := s.Denied(Principal{User: name}, nil, []auth.Address{{Local: local, Domain: domain}})
		if u := parseUser(name); ok && domain != u.domain && domain != "x.example" {
			t.Errorf("%q may write as %q@%q", name, local, domain)
		} else if ok && domain == "x.example" && u.domain != domain && u.name != "boss" {
			t.Errorf("%q may write as %q@%q", name, local, domain)
		}
	})
}
