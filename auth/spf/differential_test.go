package spf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"

	blitiri "blitiri.com.ar/go/spf"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestAgreesWithBlitiri checks random records with another implementation.
// The records keep to what both read alike: valid syntax, names that exist in
// both families, no exp= and no %{p}. Void look-ups are out: blitiri counts
// those of the client's own PTR record, we do not.
func TestAgreesWithBlitiri(t *testing.T) {
	rng := rand.New(rand.NewPCG(7208, 8616))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	hosts := []string{"d0.example", "d1.example", "d2.example", "d3.example", "h0.example", "h1.example"}
	ips := []string{"192.0.2.1", "192.0.2.2", "192.0.2.200", "203.0.113.5", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "fe80::1"}
	term := func() string {
		domain := pick("", ":"+pick(hosts...), ":%{d}", ":%{o}", ":h%{i1r}.example")
		cidr := pick("", "", "/24", "//64", "/25//48", "/0", "//0")
		switch pick("a", "mx", "ip4", "ip6", "include", "exists", "ptr") {
		case "a":
			return "a" + domain + cidr
		case "mx":
			return "mx" + domain + cidr
		case "ip4":
			return "ip4:" + pick("192.0.2.1", "192.0.2.2", "192.0.2.128/25", "0.0.0.0/0", "203.0.113.0/24")
		case "ip6":
			return "ip6:" + pick("2001:db8::1", "2001:db8::/32", "::/0", "fe80::/10", "2001:db8:1::/48")
		case "include":
			return "include:" + pick("d1.example", "d2.example", "d3.example")
		case "exists":
			return "exists:" + pick("h0.example", "%{ir}.x.example", "%{l}.%{d2}", "%{l1r-}.example")
		}
		return "ptr" + pick("", ":h0.example", ":other.example")
	}
	counts := map[Status]int{}
	for n := range 3000 {
		z := &resolve.Zone{}
		var zone strings.Builder
		add := func(name, typ string, data ...string) {
			fmt.Fprintln(&zone, name, typ, strings.Join(data, " "))
			if err := z.Add(name, typ, data...); err != nil {
				t.Fatal(err)
			}
		}
		for _, h := range hosts {
			add(h, "A", pick(ips[:4]...))
			add(h, "AAAA", pick(ips[4:]...))
			add(h, "MX", "10", pick(hosts...))
		}
		add("h1-x.example", "A", "127.0.0.2")
		add("1.2.0.192.x.example", "A", "127.0.0.2")
		add(pick(ips...), "PTR", pick(hosts...))
		for i := range 4 {
			r := "v=spf1"
			for range rng.IntN(4) {
				r += " " + pick("", "+", "-", "~", "?") + term()
			}
			switch {
			case rng.IntN(3) > 0:
				r += " " + pick("-all", "~all", "?all", "all")
			case i < 3 && rng.IntN(2) > 0:
				r += fmt.Sprintf(" redirect=d%d.example", i+1)
			}
			add(fmt.Sprintf("d%d.example", i), "TXT", r)
		}
		ip, from := pick(ips...), pick("h1@d0.example", "h1-x@d0.example", "user@d0.example")
		ours := (&Checker{Resolver: z, Limits: Limits{VoidLookups: 1000}}).Check(t.Context(), netip.MustParseAddr(ip), "helo.example", from)
		theirs, err := blitiri.CheckHostWithSender(net.ParseIP(ip), "helo.example", from,
			blitiri.WithContext(t.Context()), blitiri.WithResolver(blitiriDNS{z}), blitiri.OverrideVoidLookupLimit(1000))
		counts[ours.Status]++
		if string(theirs) != string(ours.Status) {
			t.Fatalf("case %d: ours %s (%v), theirs %s (%v)\n%s from %s\n%s%+v", n, ours.Status, ours.Err, theirs, err, ip, from, &zone, ours.Trace)
		}
	}
	t.Log(counts)
	for _, s := range []Status{Pass, Fail, SoftFail, Neutral, PermError} {
		if counts[s] == 0 {
			t.Errorf("no case gave %s", s)
		}
	}
}

// blitiriDNS is a Zone as blitiri spf wants it.
type blitiriDNS struct{ z *resolve.Zone }

func dnsError(err error) error {
	if err == nil {
		return nil
	}
	return &net.DNSError{Err: err.Error(), IsNotFound: resolve.Void(err), IsTemporary: !resolve.Void(err)}
}

func (d blitiriDNS) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := d.z.LookupTXT(ctx, name)
	return a.Records, dnsError(err)
}

func (d blitiriDNS) LookupMX(ctx context.Context, name string) (out []*net.MX, _ error) {
	a, err := d.z.LookupMX(ctx, name)
	for _, mx := range a.Records {
		out = append(out, &net.MX{Host: mx.Host, Pref: mx.Preference})
	}
	return out, dnsError(err)
}

func (d blitiriDNS) LookupIPAddr(ctx context.Context, host string) (out []net.IPAddr, _ error) {
	a, err := d.z.LookupA(ctx, host)
	b, err6 := d.z.LookupAAAA(ctx, host)
	for _, ip := range append(a.Records, b.Records...) {
		out = append(out, net.IPAddr{IP: ip.AsSlice()})
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, dnsError(errors.Join(err, err6))
}

func (d blitiriDNS) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	a, err := d.z.LookupPTR(ctx, ip)
	return a.Records, dnsError(err)
}
