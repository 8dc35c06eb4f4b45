package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// check runs one check against a zone.
func check(t *testing.T, zone, ip, helo, mailFrom string) (Result, *resolve.Zone) {
	t.Helper()
	z, err := resolve.ParseZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	c := Checker{Resolver: z, Receiver: "mx.receiver.example", Now: func() time.Time { return time.Unix(1700000000, 0) }}
	var addr netip.Addr
	if ip != "" {
		addr = netip.MustParseAddr(ip)
	}
	return c.Check(t.Context(), addr, helo, mailFrom), z
}

func TestIdentity(t *testing.T) {
	const zone = `
good.example       TXT "v=spf1 ip4:192.0.2.1 -all exp=why.good.example"
why.good.example   TXT "%{s} of %{o} from %{c} at %{r}, HELO %{h}, time %{t}"
xn--mnchen-3ya.example TXT "v=spf1 exists:%{o}.%{h} -all"
xn--mnchen-3ya.example.xn--mnchen-3ya.example A 127.0.0.2
1.2.3.4            TXT "v=spf1 +all"
com                TXT "v=spf1 +all"
`
	tests := []struct {
		name, ip, helo, from string
		want                 Status
		identity             Identity
		domain, explanation  string
		err                  error
	}{
		{name: "MAIL FROM", from: "a@good.example", want: Pass, identity: MailFrom, domain: "good.example"},
		{name: "case and trailing dot", from: "a@GOOD.Example.", want: Pass, identity: MailFrom, domain: "good.example"},
		{name: "null path", helo: "good.example", want: Pass, identity: Helo, domain: "good.example"},
		{name: "null path fails as postmaster", ip: "192.0.2.9", helo: "GOOD.example", want: Fail, identity: Helo, domain: "good.example",
			explanation: "postmaster@good.example of good.example from 192.0.2.9 at mx.receiver.example, HELO GOOD.example, time 1700000000"},
		{name: "no local-part", ip: "192.0.2.9", helo: "h.example", from: "@good.example", want: Fail, identity: MailFrom, domain: "good.example",
			explanation: "postmaster@good.example of good.example from 192.0.2.9 at mx.receiver.example, HELO h.example, time 1700000000"},
		{name: "quoted local-part with an at sign", ip: "192.0.2.9", helo: "h.example", from: `"a@b c"@good.example`, want: Fail, identity: MailFrom, domain: "good.example",
			explanation: `"a@b c"@good.example of good.example from 192.0.2.9 at mx.receiver.example, HELO h.example, time 1700000000`},
		{name: "source route", ip: "192.0.2.9", helo: "h.example", from: "@evil.example,@b.example:a@good.example", want: Fail, identity: MailFrom, domain: "good.example",
			explanation: "a@good.example of good.example from 192.0.2.9 at mx.receiver.example, HELO h.example, time 1700000000"},
		{name: "non-ASCII local-part leaves no explanation", ip: "192.0.2.9", helo: "h.example", from: "jürgen@good.example", want: Fail, identity: MailFrom, domain: "good.example"},
		{name: "U-labels in both", helo: "MÜNCHEN.example", from: "a@München.example", want: Pass, identity: MailFrom, domain: "xn--mnchen-3ya.example"},
		{name: "mapped client is IPv4", ip: "::ffff:192.0.2.1", from: "a@good.example", want: Pass, identity: MailFrom, domain: "good.example"},
		{name: "loopback is a client like any other", ip: "127.0.0.1", from: "a@good.example", helo: "x", want: Fail, identity: MailFrom, domain: "good.example",
			explanation: "a@good.example of good.example from 127.0.0.1 at mx.receiver.example, HELO x, time 1700000000"},
		{name: "IPv6 loopback too", ip: "::1", from: "a@good.example", helo: "x", want: Fail, identity: MailFrom, domain: "good.example",
			explanation: "a@good.example of good.example from ::1 at mx.receiver.example, HELO x, time 1700000000"},
		{name: "no HELO", want: None, identity: Helo, err: ErrNoDomain},
		{name: "HELO literal", helo: "[192.0.2.1]", want: None, identity: Helo, err: ErrNoDomain},
		{name: "HELO IPv6 literal", helo: "[IPv6:2001:db8::1]", want: None, identity: Helo, err: ErrNoDomain},
		{name: "HELO address", helo: "1.2.3.4", want: None, identity: Helo, err: ErrNoDomain},
		{name: "HELO single label", helo: "com", want: None, identity: Helo, err: ErrNoDomain},
		{name: "HELO garbage", helo: "a b\x00.example", want: None, identity: Helo, err: ErrNoDomain},
		{name: "HELO endless", helo: strings.Repeat("é", 5000) + ".example", want: None, identity: Helo, err: ErrNoDomain},
		{name: "no domain", from: "root", helo: "good.example", want: None, identity: MailFrom, err: ErrNoDomain},
		{name: "empty domain", from: "root@", helo: "good.example", want: None, identity: MailFrom, err: ErrNoDomain},
		{name: "empty label", from: "a@b..example", want: None, identity: MailFrom, err: ErrNoDomain},
		{name: "domain does not exist", from: "a@gone.example", want: None, identity: MailFrom, domain: "gone.example", err: ErrNoRecord},
		{name: "domain without record", from: "a@why.good.example", want: None, identity: MailFrom, domain: "why.good.example", err: ErrNoRecord},
		{name: "unknown client", ip: "-", from: "a@good.example", want: None, identity: MailFrom, domain: "good.example", err: ErrNoAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			switch tt.ip {
			case "":
				tt.ip = "192.0.2.1"
			case "-":
				tt.ip = ""
			}
			r, _ := check(t, zone, tt.ip, tt.helo, tt.from)
			if r.Status != tt.want || r.Identity != tt.identity || r.Domain != tt.domain || r.Explanation != tt.explanation {
				t.Errorf("got %+v", r)
			}
			if !errors.Is(r.Err, tt.err) {
				t.Errorf("error %v, want %v", r.Err, tt.err)
			}
			if r.Err != nil && len(r.Err.Error()) > 5000 {
				t.Errorf("error of %d bytes", len(r.Err.Error()))
			}
		})
	}
}

// TestEvaluation has what the suites leave open or do not reach.
func TestEvaluation(t *testing.T) {
	tests := []struct {
		name, zone, ip, from string
		want                 Status
		mechanism            string
		lookups, voids       int
		err                  error
		text                 string
	}{
		{name: "ten look-ups", zone: `d.example TXT "v=spf1 a a a a a a a a a a -all"` + "\nd.example A 192.0.2.9",
			want: Fail, mechanism: "-all", lookups: 10},
		{name: "eleven look-ups", zone: `d.example TXT "v=spf1 a a a a a a a a a a mx -all"` + "\nd.example A 192.0.2.9",
			want: PermError, lookups: 11, err: ErrLookups, text: `spf: d.example: "mx": too many DNS look-ups (limit 10), RFC 7208 §4.6.4`},
		{name: "a match before the eleventh", zone: `d.example TXT "v=spf1 a a a a a a a a a a ip4:192.0.2.1 a -all"` + "\nd.example A 192.0.2.9",
			want: Pass, mechanism: "ip4:192.0.2.1", lookups: 10},
		{name: "look-ups count across includes", zone: `
d.example TXT "v=spf1 include:i.example include:i.example a -all"
i.example TXT "v=spf1 a:d.example a:d.example a:d.example a:d.example"
d.example A   192.0.2.9`,
			want: PermError, lookups: 11, err: ErrLookups},
		{name: "p in a domain-spec counts", zone: `d.example TXT "v=spf1 exists:%{p}.d.example -all"` + "\nunknown.d.example A 192.0.2.9",
			want: Pass, mechanism: "exists:%{p}.d.example", lookups: 2},
		{name: "p in a domain-spec counts once", zone: `d.example TXT "v=spf1 exists:%{p}.e.example exists:%{p}.d.example -all"` + "\nunknown.d.example A 192.0.2.9",
			want: Pass, mechanism: "exists:%{p}.d.example", lookups: 3, voids: 1},
		{name: "two void terms", zone: `d.example TXT "v=spf1 a mx ?all"`, want: Neutral, mechanism: "?all", lookups: 2, voids: 2},
		{name: "three void terms", zone: `d.example TXT "v=spf1 a mx exists:x.example -all"`,
			want: PermError, lookups: 3, voids: 3, err: ErrVoidLookups,
			text: `spf: d.example: "exists:x.example": too many look-ups that find nothing (limit 2), RFC 7208 §4.6.4`},
		{name: "void terms count across includes", zone: `
d.example TXT "v=spf1 a:n.example include:i.example a:n.example -all"
i.example TXT "v=spf1 a:n.example"`,
			want: PermError, lookups: 4, voids: 3, err: ErrVoidLookups},
		{name: "an mx with four dead hosts is one void term", zone: `
d.example TXT "v=spf1 mx -all"
d.example MX 1 a.example
d.example MX 2 b.example
d.example MX 3 c.example
d.example MX 4 e.example`,
			want: Fail, mechanism: "-all", lookups: 1, voids: 1},
		{name: "IPv4-only MX hosts and an IPv6 client", ip: "2001:db8::1", zone: `
d.example TXT "v=spf1 mx -all"
d.example MX 1 a.d.example
d.example MX 1 b.d.example
d.example MX 1 c.d.example
a.d.example A 192.0.2.1
b.d.example A 192.0.2.2
c.d.example A 192.0.2.3`,
			want: Fail, mechanism: "-all", lookups: 1, voids: 1},
		{name: "a matching mx with dead hosts is not void", zone: `
d.example TXT "v=spf1 mx -all"
d.example MX 1 a.example
d.example MX 2 d.example
d.example A 192.0.2.1`,
			want: Pass, mechanism: "mx", lookups: 1},
		{name: "null MX is not void", zone: `d.example TXT "v=spf1 mx -all"` + "\n" + `d.example MX 0 ""`, want: Fail, mechanism: "-all", lookups: 1},
		{name: "the client's dead names are not void", ip: "192.0.2.7", zone: `
d.example TXT "v=spf1 ptr a -all"
d.example A 192.0.2.1
192.0.2.7 PTR a.d.example
192.0.2.7 PTR b.d.example
192.0.2.7 PTR c.d.example`,
			want: Fail, mechanism: "-all", lookups: 2},
		{name: "ptr ignores failures", ip: "192.0.2.7", zone: `
d.example TXT "v=spf1 ptr -all"
192.0.2.7 PTR slow.d.example
192.0.2.7 PTR ok.d.example
slow.d.example A !servfail
ok.d.example A 192.0.2.7`,
			want: Pass, mechanism: "ptr", lookups: 1},
		{name: "ptr of a failing zone does not match", ip: "192.0.2.7", zone: "d.example TXT \"v=spf1 ptr -all\"\n192.0.2.7 PTR !servfail",
			want: Fail, mechanism: "-all", lookups: 1},
		{name: "ptr needs a label boundary", ip: "192.0.2.7", zone: `
d.example TXT "v=spf1 ptr -all"
192.0.2.7 PTR bad-d.example
bad-d.example A 192.0.2.7`,
			want: Fail, mechanism: "-all", lookups: 1},
		{name: "impossible names do not match and are not asked", zone: `d.example TXT "v=spf1 a:a..example a:b..example a:c..example -all"`,
			want: Fail, mechanism: "-all", lookups: 3},
		{name: "include of an impossible name", zone: `d.example TXT "v=spf1 include:a..example -all"`,
			want: PermError, lookups: 1, err: ErrTarget, text: `spf: d.example: "include:a..example": target that cannot be a domain name, RFC 7208 §5.2`},
		{name: "include of nothing", zone: `d.example TXT "v=spf1 include:i.example -all"`,
			want: PermError, lookups: 1, err: ErrNoRecord, text: `spf: d.example: "include:i.example": no SPF record at i.example, RFC 7208 §5.2`},
		{name: "include of a single label", zone: "d.example TXT \"v=spf1 include:%{h} -all\"\nhelo TXT \"v=spf1 +all\"",
			want: PermError, lookups: 1, err: ErrNoRecord},
		{name: "redirect to a single label", zone: "d.example TXT \"v=spf1 redirect=%{h}\"\nhelo TXT \"v=spf1 +all\"",
			want: PermError, lookups: 1, err: ErrTarget, text: `spf: d.example: "redirect=%{h}": target that cannot be a domain name, RFC 7208 §6.1`},
		{name: "redirect to an impossible name", zone: `d.example TXT "v=spf1 redirect=a..example"`,
			want: PermError, lookups: 1, err: ErrTarget, text: `spf: d.example: "redirect=a..example": target that cannot be a domain name, RFC 7208 §6.1`},
		{name: "redirect to nothing", zone: `d.example TXT "v=spf1 redirect=i.example"`,
			want: PermError, lookups: 1, err: ErrNoRecord, text: `spf: d.example: "redirect=i.example": no SPF record at i.example, RFC 7208 §6.1`},
		{name: "the error of an included record names that record", zone: "d.example TXT \"v=spf1 include:i.example -all\"\ni.example TXT \"v=spf1 moo\"",
			want: PermError, lookups: 1, err: ErrSyntax, text: `spf: i.example: "moo": syntax error: unknown mechanism, RFC 7208 §4.6.1`},
		{name: "non-ASCII local-part: the term does not match", from: "jürgen@d.example", zone: `
d.example TXT "v=spf1 -exists:%{l}.d.example include:%{l}.d.example ip4:192.0.2.1 -all"
*.d.example A 127.0.0.2`,
			want: Pass, mechanism: "ip4:192.0.2.1", lookups: 2},
		{name: "temporary failure of the record", zone: `d.example TXT !servfail`,
			want: TempError, err: resolve.ErrTemporary, text: "spf: TXT d.example: temporary DNS failure: SERVFAIL"},
		{name: "temporary failure of a term", zone: "d.example TXT \"v=spf1 a:x.example -all\"\nx.example A !timeout",
			want: TempError, lookups: 1, err: resolve.ErrTemporary, text: `spf: d.example: "a:x.example": A x.example: temporary DNS failure: no answer in time`},
		{name: "a match before a failure", zone: "d.example TXT \"v=spf1 ip4:192.0.2.1 a:x.example -all\"\nx.example A !timeout",
			want: Pass, mechanism: "ip4:192.0.2.1"},
		{name: "temporary failure of an include", zone: "d.example TXT \"v=spf1 include:i.example -all\"\ni.example TXT !timeout",
			want: TempError, lookups: 1, err: resolve.ErrTemporary},
		{name: "temporary failure of the MX question", zone: "d.example TXT \"v=spf1 mx -all\"\nd.example MX !timeout",
			want: TempError, lookups: 1, err: resolve.ErrTemporary, text: `spf: d.example: "mx": MX d.example: temporary DNS failure: no answer in time`},
		{name: "temporary failure of exists", zone: "d.example TXT \"v=spf1 exists:x.example -all\"\nx.example A !timeout",
			want: TempError, lookups: 1, err: resolve.ErrTemporary},
		{name: "temporary failure of an MX host", zone: "d.example TXT \"v=spf1 mx -all\"\nd.example MX 1 m.example\nm.example A !timeout",
			want: TempError, lookups: 1, err: resolve.ErrTemporary},
		{name: "several records", zone: "d.example TXT \"v=spf1 -all\"\nd.example TXT \"V=SPF1\"",
			want: PermError, err: ErrSeveralRecords, text: "spf: d.example: more than one SPF record (2), RFC 7208 §4.5"},
		{name: "ip4 with host bits", zone: `d.example TXT "v=spf1 ip4:192.0.2.77/24 -all"`, want: Pass, mechanism: "ip4:192.0.2.77/24"},
		{name: "ip6 does not match a mapped client", ip: "::ffff:192.0.2.1", zone: `d.example TXT "v=spf1 ip6:::ffff:192.0.2.1 ip6:::/0 -all"`, want: Fail, mechanism: "-all"},
		{name: "IPv6 zone is dropped", ip: "fe80::1%eth0", zone: `d.example TXT "v=spf1 ip6:fe80::/10 -all"`, want: Pass, mechanism: "ip6:fe80::/10"},
		{name: "CNAME to the record", zone: "d.example CNAME e.example\ne.example TXT \"v=spf1 ip4:192.0.2.1 -all\"", want: Pass, mechanism: "ip4:192.0.2.1"},
		{name: "the including term is the mechanism", zone: "d.example TXT \"v=spf1 ~include:i.example -all\"\ni.example TXT \"v=spf1 all\"",
			want: SoftFail, mechanism: "~include:i.example", lookups: 1},
		{name: "the redirected term is the mechanism", zone: "d.example TXT \"v=spf1 redirect=i.example\"\ni.example TXT \"v=spf1 ~all\"",
			want: SoftFail, mechanism: "~all", lookups: 1},
		{name: "default", zone: `d.example TXT "v=spf1 ip4:192.0.2.9"`, want: Neutral, mechanism: "default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ip == "" {
				tt.ip = "192.0.2.1"
			}
			if tt.from == "" {
				tt.from = "a@d.example"
			}
			r, _ := check(t, tt.zone, tt.ip, "helo", tt.from)
			if r.Status != tt.want || r.Mechanism != tt.mechanism || r.Lookups != tt.lookups || r.VoidLookups != tt.voids {
				t.Errorf("got %s by %q, %d look-ups, %d void (%v)", r.Status, r.Mechanism, r.Lookups, r.VoidLookups, r.Err)
			}
			if !errors.Is(r.Err, tt.err) || (tt.text != "" && r.Err.Error() != tt.text) {
				t.Errorf("error %v", r.Err)
			}
		})
	}
}

func TestMXLimit(t *testing.T) {
	zone := func(match int) string {
		var s strings.Builder
		s.WriteString("d.example TXT \"v=spf1 mx -all\"\n")
		for i := range 11 {
			ip := "192.0.2.99"
			if i == match {
				ip = "192.0.2.1"
			}
			fmt.Fprintf(&s, "d.example MX %d m%d.example\nm%d.example A %s\n", i, i, i, ip)
		}
		return s.String()
	}
	for _, tt := range []struct {
		match int
		want  Status
	}{{9, Pass}, {10, PermError}, {11, PermError}} {
		r, _ := check(t, zone(tt.match), "192.0.2.1", "h", "a@d.example")
		if r.Status != tt.want || (tt.want == PermError && !errors.Is(r.Err, ErrMXNames)) {
			t.Errorf("match at %d: %s (%v), want %s", tt.match, r.Status, r.Err, tt.want)
		}
	}
}

// TestPTRLimit: the names behind the tenth are ignored (§4.6.4).
func TestPTRLimit(t *testing.T) {
	for match, want := range map[int]Status{9: Pass, 10: Fail} {
		s := "d.example TXT \"v=spf1 ptr -all\"\n"
		for i := range 11 {
			s += fmt.Sprintf("192.0.2.1 PTR n%d.d.example\n", i)
			if i == match {
				s += fmt.Sprintf("n%d.d.example A 192.0.2.1\n", i)
			}
		}
		r, z := check(t, s, "192.0.2.1", "h", "a@d.example")
		if n := len(z.Asked()); r.Status != want || n != 2+10 {
			t.Errorf("name %d is the client's: %s (%v), %d questions", match, r.Status, r.Err, n)
		}
	}
}

func TestLimitsAreConfigurable(t *testing.T) {
	z := resolve.MustZone("d.example TXT \"v=spf1 a a mx:x.example -all\"\nd.example A 192.0.2.9")
	for _, tt := range []struct {
		limits Limits
		want   Status
	}{{Limits{}, Fail}, {Limits{Lookups: 2}, PermError}, {Limits{Lookups: 3}, Fail}} {
		c := Checker{Resolver: z, Limits: tt.limits}
		if r := c.Check(t.Context(), netip.MustParseAddr("192.0.2.1"), "h", "a@d.example"); r.Status != tt.want {
			t.Errorf("%+v: %s (%v), want %s", tt.limits, r.Status, r.Err, tt.want)
		}
	}
}

func TestExplanationIsFetchedAfterAFailOnly(t *testing.T) {
	const zone = `
d.example     TXT "v=spf1 ip4:192.0.2.1 ~ip4:192.0.2.2 -all exp=why.d.example"
why.d.example TXT "go away"
`
	for _, tt := range []struct {
		ip   string
		want Status
		exp  string
	}{{"192.0.2.1", Pass, ""}, {"192.0.2.2", SoftFail, ""}, {"192.0.2.3", Fail, "go away"}} {
		r, z := check(t, zone, tt.ip, "h", "a@d.example")
		asked := slices.Contains(z.Asked(), "TXT why.d.example")
		if r.Status != tt.want || r.Explanation != tt.exp || asked != (tt.want == Fail) {
			t.Errorf("%s: %s %q, asked %v", tt.ip, r.Status, r.Explanation, z.Asked())
		}
		if r.Lookups != 0 || r.VoidLookups != 0 {
			t.Errorf("%s: exp counted: %d, %d", tt.ip, r.Lookups, r.VoidLookups)
		}
	}
}

func TestTrace(t *testing.T) {
	const zone = `
d.example    TXT "v=spf1 ip4:192.0.2.9 a:%{h} include:i.example mx redirect=r.example"
i.example    TXT "v=spf1 exists:%{ir}.i.example ?all"
d.example    MX 10 m.example
m.example    A 192.0.2.8
r.example    TXT "v=spf1 -all exp=why.r.example"
`
	r, _ := check(t, zone, "192.0.2.1", "helo.example", "a@d.example")
	want := []Step{
		{0, "d.example", "", "", "v=spf1 ip4:192.0.2.9 a:%{h} include:i.example mx redirect=r.example"},
		{0, "d.example", "ip4:192.0.2.9", "", "no match"},
		{0, "d.example", "a:%{h}", "helo.example", "void"},
		{0, "d.example", "include:i.example", "i.example", "no match: neutral"},
		{1, "i.example", "", "", "v=spf1 exists:%{ir}.i.example ?all"},
		{1, "i.example", "exists:%{ir}.i.example", "1.2.0.192.i.example", "void"},
		{1, "i.example", "?all", "", "match"},
		{0, "d.example", "mx", "d.example", "no match"},
		{0, "d.example", "redirect=r.example", "r.example", "fail"},
		{1, "r.example", "", "", "v=spf1 -all exp=why.r.example"},
		{1, "r.example", "-all", "", "match"},
		{0, "r.example", "exp=why.r.example", "", "no explanation: TXT why.r.example: no such name in the DNS (NXDOMAIN)"},
	}
	if d := cmp.Diff(want, r.Trace); d != "" {
		t.Error(d)
	}
}

// TestTraceOfErrors: a record that is missing, or is none, shows in the trace
// where it was wanted.
func TestTraceOfErrors(t *testing.T) {
	const zone = `
d.example    TXT "v=spf1 a:a..example include:%{l}.example -all"
wrong.example TXT "v=spf1 moo"
`
	for from, want := range map[string][]Step{
		"gone@d.example": {
			{0, "d.example", "", "", "v=spf1 a:a..example include:%{l}.example -all"},
			{0, "d.example", "a:a..example", "", "no match: target that cannot be a domain name"},
			{0, "d.example", "include:%{l}.example", "gone.example", "permerror: no SPF record at gone.example, RFC 7208 §5.2"},
			{1, "gone.example", "", "", "none: no SPF record: the domain does not exist, RFC 7208 §4.3"},
		},
		"wrong@d.example": {
			{0, "d.example", "", "", "v=spf1 a:a..example include:%{l}.example -all"},
			{0, "d.example", "a:a..example", "", "no match: target that cannot be a domain name"},
			{0, "d.example", "include:%{l}.example", "wrong.example", "permerror: syntax error: unknown mechanism, RFC 7208 §4.6.1"},
			{1, "wrong.example", "", "", "v=spf1 moo"},
			{1, "wrong.example", "moo", "", "permerror: syntax error: unknown mechanism, RFC 7208 §4.6.1"},
		},
	} {
		r, _ := check(t, zone, "192.0.2.1", "helo.example", from)
		if d := cmp.Diff(want, r.Trace); d != "" {
			t.Errorf("%s: %s", from, d)
		}
	}
}

// TestInputIsBounded: macros see 1,024 bytes of what a client said.
func TestInputIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1025)
	if local, domain := splitAddress(long + "@d.example"); local != long[:1024] || domain != "d.example" {
		t.Errorf("%d bytes of a local-part", len(local))
	}
	if helo := heloName(long); helo != long[:1024] {
		t.Errorf("%d bytes of a HELO name", len(helo))
	}
	for n, want := range map[int]string{1024: "longer than 253 bytes", 1025: "name of more than 1024 bytes"} {
		if _, err := checkable(long[:n]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for s, want := range map[string]bool{"": true, "a\x00\x7f": true, "a\x80": false, "ü": false} {
		if isASCII(s) != want {
			t.Errorf("%q is ASCII: %v", s, !want)
		}
	}
}

// hasty notes until when names of an address are waited for.
type hasty struct {
	*resolve.Zone
	until time.Time
}

func (h *hasty) LookupPTR(ctx context.Context, ip netip.Addr) (resolve.Answer[string], error) {
	h.until, _ = ctx.Deadline()
	return h.Zone.LookupPTR(ctx, ip)
}

// TestPTRHasHalfOfTheTime: the rest is for the record's other terms.
func TestPTRHasHalfOfTheTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	end, _ := ctx.Deadline()
	h := &hasty{Zone: resolve.MustZone(`d.example TXT "v=spf1 ptr -all"`)}
	c := Checker{Resolver: h}
	if r := c.Check(ctx, netip.MustParseAddr("192.0.2.1"), "h", "a@d.example"); r.Status != Fail || end.Sub(h.until) < 29*time.Minute || end.Sub(h.until) > 31*time.Minute {
		t.Errorf("%s, %v before the end", r.Status, end.Sub(h.until))
	}
}

func TestZeroCheckerHasAClock(t *testing.T) {
	c := Checker{Resolver: resolve.MustZone("d.example TXT \"v=spf1 -all exp=e.example\"\ne.example TXT \"%{t}\"")}
	before := time.Now().Unix()
	r := c.Check(t.Context(), netip.MustParseAddr("192.0.2.1"), "h", "a@d.example")
	if at, err := strconv.ParseInt(r.Explanation, 10, 64); err != nil || at < before || at > time.Now().Unix() {
		t.Errorf("%q: %v", r.Explanation, err)
	}
}

// TestHostileRecords: whatever a record holds, the work, the trace and the
// texts stay bounded.
func TestHostileRecords(t *testing.T) {
	big := func(term string) string { return strings.Repeat(term+" ", 60000/(len(term)+1)) }
	tests := []struct{ name, record string }{
		{"thousands of addresses", big("ip4:192.0.2.9")},
		{"thousands of macros in a name", "exists:" + strings.Repeat("%{sr.-+}", 7000) + " -all"},
		{"thousands of void terms", big("a:x.example")},
		{"thousands of modifiers", big("x=%{s}")},
		{"a term of 60,000 bytes", "-exists:" + strings.Repeat("x", 60000) + ".d.example -all"},
		{"includes itself", "include:d.example include:d.example -all"},
		{"redirects to itself", "redirect=d.example"},
		{"includes itself under many names", "include:%{d}.d.example include:x.%{d} -all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := &resolve.Zone{}
			for _, name := range []string{"d.example", "*.d.example"} {
				if err := z.Add(name, "TXT", "v=spf1 "+tt.record); err != nil {
					t.Fatal(err)
				}
			}
			c := Checker{Resolver: z}
			r := c.Check(t.Context(), netip.MustParseAddr("192.0.2.1"), "h", strings.Repeat("a-b.", 5000)+"@d.example")
			if n := len(z.Asked()); n > 1+10*11+11 {
				t.Errorf("%d questions", n)
			}
			if len(r.Trace) > 500 || len(r.Mechanism) > 255 {
				t.Errorf("%d steps, mechanism of %d bytes", len(r.Trace), len(r.Mechanism))
			}
			for _, s := range r.Trace {
				if len(s.Term) > 255 || len(s.Target) > 255 || len(s.Note) > 255+20 {
					t.Errorf("step %+v", s)
				}
			}
		})
	}
}

func TestEndOfContextIsTemporary(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Checker{Resolver: resolve.MustZone(`d.example TXT "v=spf1 -all"`)}
	r := c.Check(ctx, netip.MustParseAddr("192.0.2.1"), "h", "a@d.example")
	if r.Status != TempError || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("%s (%v)", r.Status, r.Err)
	}
}

// FuzzCheck: no record, address or HELO name panics, and a verdict comes with
// a mechanism, none without one with an error.
func FuzzCheck(f *testing.F) {
	f.Add("ip4:192.0.2.0/24 a mx ptr exists:%{i}.%{l} -all exp=%{p}.%{d}", "192.0.2.1", "helo.example", "a@d.example")
	f.Add("include:%{h}.d.example redirect=x.d.example", "2001:db8::1", "", "")
	f.Add("exists:%{S}.x.example ?all", "::ffff:192.0.2.1", "[192.0.2.1]", "\"@\"@d.example")
	f.Fuzz(func(t *testing.T, record, ip, helo, from string) {
		addr, _ := netip.ParseAddr(ip)
		z := resolve.MustZone("d.example A 192.0.2.9\nd.example MX 1 d.example\n192.0.2.1 PTR d.example")
		for _, name := range []string{"d.example", "*.d.example"} {
			if err := z.Add(name, "TXT", "v=spf1 "+record); err != nil {
				t.Skip()
			}
		}
		r := (&Checker{Resolver: z}).Check(t.Context(), addr, helo, from)
		switch r.Status {
		case Pass, Fail, SoftFail, Neutral:
			if r.Err != nil || r.Mechanism == "" || r.Domain == "" {
				t.Errorf("%+v", r)
			}
		case None, PermError, TempError:
			if r.Err == nil || r.Mechanism != "" {
				t.Errorf("%+v", r)
			}
		default:
			t.Errorf("status %q", r.Status)
		}
		for _, c := range []byte(r.Explanation) {
			if c < ' ' || c > '~' {
				t.Errorf("explanation %q", r.Explanation)
			}
		}
	})
}
