package faultdns_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

// serve answers from z without faults until the test ends.
func serve(t *testing.T, z *resolve.Zone) (addr string) {
	t.Helper()
	s, err := faultdns.Start(z, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Addr()
}

// ask sends one question, whose name is in the master file's form.
func ask(t *testing.T, addr, name string, qtype uint16) *dns.Msg {
	t.Helper()
	c := dns.Client{Timeout: 20 * time.Second}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, qtype), addr)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// An answer shows the aliases that lead to it, as a resolver's does.
func TestAliasesAreServed(t *testing.T) {
	addr := serve(t, resolve.MustZone(`
one.example CNAME Two.example
two.example CNAME end.example.
end.example TXT   found
end.example A     192.0.2.1
to.gone.example CNAME gone.test
a.loop.example CNAME b.loop.example
b.loop.example CNAME a.loop.example
`))
	for _, c := range []struct {
		name  string
		qtype uint16
		rcode int
		want  []string
	}{
		{"ONE.example.", dns.TypeTXT, dns.RcodeSuccess, []string{"ONE.example. CNAME Two.example.", "Two.example. CNAME end.example.", `end.example. TXT "fou" "nd"`}},
		{"end.example.", dns.TypeA, dns.RcodeSuccess, []string{"end.example. A 192.0.2.1"}},
		{"two.example.", dns.TypeMX, dns.RcodeSuccess, []string{"two.example. CNAME end.example."}},
		{"to.gone.example.", dns.TypeTXT, dns.RcodeNameError, []string{"to.gone.example. CNAME gone.test."}},
		{"a.loop.example.", dns.TypeTXT, dns.RcodeServerFailure, slices.Repeat([]string{"a.loop.example. CNAME b.loop.example.", "b.loop.example. CNAME a.loop.example."}, 5)},
	} {
		m := ask(t, addr, c.name, c.qtype)
		var got []string
		for _, rr := range m.Answer {
			f := strings.Fields(rr.String())
			got = append(got, strings.Join(slices.Delete(f, 1, 3), " ")) // without TTL and class
		}
		if d := cmp.Diff(c.want, got); d != "" || m.Rcode != c.rcode {
			t.Errorf("%s %s: %s %s", c.name, dns.TypeToString[c.qtype], dns.RcodeToString[m.Rcode], d)
		}
	}
}

// Whatever bytes a name has, the client gets what the zone has: names that the
// macros of SPF make (RFC 7208 §7.3) have all sorts.
func TestOddNames(t *testing.T) {
	var every strings.Builder
	for c := range 256 {
		if c != '.' {
			every.WriteByte(byte(c))
		}
	}
	b := every.String()
	names := []string{"MiXed.Example", "foo:bar/baz.example", "space here  .example", `back\slash.quo"te.example`, `\046.example`, "trailing\\.example",
		"*.example", "_s._domainkey.example", "k\xc3\xb6ln.example", strings.Repeat(strings.Repeat("L", 63)+".", 3) + strings.Repeat("m", 61)}
	for ; len(b) > 63; b = b[63:] {
		names = append(names, b[:63]+".all.example")
	}
	names = append(names, b+".all.example")
	z := &resolve.Zone{}
	for i, name := range names {
		// The name as an owner, as the target of an alias, and in records.
		short := string(rune('a'+i)) + ".test"
		for _, r := range [][]string{{name, "TXT", name}, {name, "MX", "10", name}, {short, "CNAME", name}} {
			if err := z.Add(r[0], r[1], r[2:]...); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := dnsclient.New(dnsclient.Config{Servers: []string{serve(t, z)}, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for i, name := range names {
		for _, asked := range []string{name, strings.ToUpper(string(rune('a'+i)) + ".test")} {
			txt, err := c.LookupTXT(t.Context(), asked)
			if err != nil || !slices.Equal(txt.Records, []string{name}) {
				t.Errorf("%q TXT: %q, %v", asked, txt.Records, err)
			}
			mx, err := c.LookupMX(t.Context(), asked)
			if err != nil || len(mx.Records) != 1 || mx.Records[0].Host != name {
				t.Errorf("%q MX: %v, %v", asked, mx.Records, err)
			}
		}
	}
}

// A dot inside a label is no border between labels: the zone has no such name.
func TestDotInsideLabel(t *testing.T) {
	addr := serve(t, resolve.MustZone("a.example TXT text"))
	for name, rcode := range map[string]int{"a.example.": dns.RcodeSuccess, `a\.example.`: dns.RcodeNameError, `a\046example.`: dns.RcodeNameError} {
		if m := ask(t, addr, name, dns.TypeTXT); m.Rcode != rcode {
			t.Errorf("%s: %s", name, dns.RcodeToString[m.Rcode])
		}
	}
}
