package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

func TestClock(t *testing.T) {
	compare(t, Clock(true, true), "")
	compare(t, Clock(false, true), "WARN host clock: nothing keeps the clock right | timedatectl")
	if f := Clock(false, false); len(f) != 0 {
		t.Errorf("%+v", f)
	}
}

// short is a resolver behind something that lets no long answer through.
type short struct{ resolve.Resolver }

func (s short) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	a, err := s.Resolver.LookupTXT(ctx, name)
	if err == nil && len(strings.Join(a.Records, "")) > 400 {
		return resolve.Answer[string]{}, fmt.Errorf("%w: truncated answer, and over tcp: no answer in time", resolve.ErrTemporary)
	}
	return a, err
}

func TestLongAnswers(t *testing.T) {
	const zone = "example.com MX 10 mail.example.com\nmail.example.com A 192.0.2.25\nexample.com TXT \"v=spf1 mx -all\"\n"
	long := fmt.Sprintf("google.com TXT %q\n", strings.Repeat("x", 600))
	own := fmt.Sprintf("example.com TXT %q\n", strings.Repeat("y", 600))
	for _, c := range []struct {
		name, servers string
		r             resolve.Resolver
		level         Level
	}{
		{"come through", "192.0.2.53:53", resolve.MustZone(zone + long), Pass},
		{"our own is long", "192.0.2.53:53", resolve.MustZone(zone + own), Pass},
		{"do not", "192.0.2.53:53", short{resolve.MustZone(zone + long)}, Fail},
		{"do not, of our own", "192.0.2.53:53", short{resolve.MustZone(zone + own)}, Fail},
		{"nothing long is known", "192.0.2.53:53", resolve.MustZone(zone), ""},
		{"a zone file", "", resolve.MustZone(zone + long), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Level
			for _, f := range DNS(t.Context(), c.r, Domain{Name: "example.com", SDID: "example.com", Servers: c.servers}) {
				if f.Check == "host" {
					got = f.Level
				}
			}
			if got != c.level {
				t.Errorf("%q", got)
			}
			if z, ok := c.r.(*resolve.Zone); ok && c.name == "our own is long" && strings.Contains(strings.Join(z.Asked(), " "), "google.com") {
				t.Error("asked more than was needed")
			}
		})
	}
}

// TestLongAnswersOverTheWire: the daemon's client, and a server whose long answers are
// truncated while nobody answers over TCP.
func TestLongAnswersOverTheWire(t *testing.T) {
	zone := resolve.MustZone(fmt.Sprintf("example.com MX 10 mail.example.com\nmail.example.com A 192.0.2.25\ngoogle.com TXT %q\n", strings.Repeat("x", 600)))
	for fault, want := range map[faultdns.Fault]Level{faultdns.None: Pass, faultdns.NoTCP: Fail, faultdns.ServFail: ""} {
		server, err := faultdns.Start(zone, func(name, _ string) faultdns.Fault {
			if name == "google.com" {
				return fault
			}
			return faultdns.None
		})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		c, err := dnsclient.New(dnsclient.Config{Servers: []string{server.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var got Level
		for _, f := range DNS(t.Context(), c, Domain{Name: "example.com", SDID: "example.com", Servers: server.Addr()}) {
			if f.Check == "host" {
				got = f.Level
			}
		}
		if got != want {
			t.Errorf("%q: %q", fault, got)
		}
	}
}

func TestUnlistedIPv6(t *testing.T) {
	v4, v6, local := netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25"), netip.MustParseAddr("fd00::1")
	for _, c := range []struct {
		own, egress []netip.Addr
		protocols   string
		want        string
	}{
		{[]netip.Addr{v4, v6}, []netip.Addr{v4}, "all", "WARN host 2001:db8::25: not among the egress addresses | inet_protocols = ipv4"},
		{[]netip.Addr{v4, v6}, []netip.Addr{v4}, "", "WARN host 2001:db8::25: not among the egress addresses | nothing"},
		{[]netip.Addr{v4, v6}, []netip.Addr{v4}, "ipv4", ""},
		{[]netip.Addr{v4, v6}, []netip.Addr{v4, v6}, "all", ""},
		{[]netip.Addr{v4, local}, []netip.Addr{v4}, "all", ""},
		{[]netip.Addr{v4, v6}, nil, "all", ""},
	} {
		compare(t, Unlisted(c.own, c.egress, c.protocols), c.want)
	}
}
