package doctor

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestBlockLists: the file is read to its last line, has the lists that people ask about,
// and says of which day it is.
func TestBlockLists(t *testing.T) {
	lists := BlockLists()
	lines := 0
	for line := range strings.Lines(listsText) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if len(lists) != lines || lines < 5 || !regexp.MustCompile(`^# .*as of 20\d\d-\d\d-\d\d\.\n`).MatchString(listsText) {
		t.Errorf("%d lists in %d lines", len(lists), lines)
	}
	has := map[string]bool{}
	for _, l := range lists {
		has[l.Zone] = true
		if u, err := url.Parse(l.URL); err != nil || u.Scheme != "https" || !l.IPv4 && !l.IPv6 || l.Name == "" || resolve.CheckName(l.Zone) != nil {
			t.Errorf("%+v", l)
		}
	}
	for _, zone := range []string{"zen.spamhaus.org", "spamlist.or.kr"} {
		if !has[zone] {
			t.Errorf("no %s", zone)
		}
	}
}

// TestBlockListNames: the examples of RFC 5782 §2.1 and §2.4.
func TestBlockListNames(t *testing.T) {
	for _, c := range []struct{ ip, zone, want string }{
		{"192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com"},
		{"2001:db8:1:2:3:4:567:89ab", "ugly.example.com", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com"},
		{"::ffff:127.0.0.2", "ugly.example.com", "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ugly.example.com"},
	} {
		if got := (BlockList{Zone: c.zone}).name(netip.MustParseAddr(c.ip)); got != c.want {
			t.Errorf("%s: %s", c.ip, got)
		}
	}
}

func TestDNSBLFamilies(t *testing.T) {
	const test6 = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six.example A 127.0.0.2\n"
	ours6 := "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.six.example A 127.0.0.4\n"
	lists := []BlockList{{Zone: "four.example", Name: "FOUR", IPv4: true, URL: "https://four.example/"}, {Zone: "six.example", Name: "SIX", IPv6: true, URL: "https://six.example/"}}
	v4, v6, private := netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25"), netip.MustParseAddr("10.0.0.1")
	zone := "2.0.0.127.four.example A 127.0.0.2\n" + test6
	for _, c := range []struct {
		name, zone string
		egress     []netip.Addr
		want       string
	}{
		{"both", zone, []netip.Addr{v4, v6}, ""},
		{"listed by few is a warning", zone + ours6, []netip.Addr{v6}, "WARN dnsbl 2001:db8::25: is listed by SIX | https://six.example/"},
		{"a private address is nobody's business", zone, []netip.Addr{private}, "WARN dnsbl egress: not known"},
		{"no address", zone, nil, "WARN dnsbl egress: not known"},
		{"no test of IPv6", "2.0.0.127.four.example A 127.0.0.2\n", []netip.Addr{v4, v6}, "WARN dnsbl SIX: does not list its test address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := resolve.MustZone(c.zone)
			compare(t, DNSBL(t.Context(), z, lists, c.egress), c.want)
			if c.egress == nil || c.egress[0] == private {
				if asked := z.Asked(); len(asked) > 0 {
					t.Errorf("asked %v", asked)
				}
			}
		})
	}
	many := make([]netip.Addr, 100)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
	}
	z := resolve.MustZone(zone)
	if DNSBL(t.Context(), z, lists[:1], many); len(z.Asked()) != 2+maxListed {
		t.Errorf("%d questions", len(z.Asked()))
	}
}

// TestListThatSaysNothing: a list that fails its test is told once, and not asked about
// our address; one that lists it is quoted.
func TestListThatSaysNothing(t *testing.T) {
	list := []BlockList{{Zone: "four.example", Name: "FOUR", IPv4: true, URL: "https://four.example/"}}
	ours := netip.MustParseAddr("192.0.2.25")
	for zone, want := range map[string]string{
		"2.0.0.127.four.example A 127.255.255.254\n":                                         "WARN dnsbl FOUR: refuses to answer your resolver",
		"2.0.0.127.four.example A 127.0.0.2\n1.0.0.127.four.example A !timeout\n":            "WARN dnsbl FOUR: the DNS did not answer",
		"2.0.0.127.four.example A !timeout\n":                                                "WARN dnsbl FOUR: the DNS did not answer",
		"2.0.0.127.four.example A 127.0.0.2\n1.0.0.127.four.example A 127.0.0.2\n":           "WARN dnsbl FOUR: which no list may",
		"25.2.0.192.four.example A 127.0.0.2\n25.2.0.192.four.example TXT \"caught a spam\"": "WARN dnsbl FOUR: does not list its test address",
	} {
		z := resolve.MustZone(zone)
		compare(t, DNSBL(t.Context(), z, list, []netip.Addr{ours}), want)
		if asked := strings.Join(z.Asked(), " "); strings.Contains(asked, "25.2.0.192") {
			t.Errorf("%s: asked %s", want, asked)
		}
	}
	z := resolve.MustZone("2.0.0.127.four.example A 127.0.0.2\n25.2.0.192.four.example A 127.0.0.2\n25.2.0.192.four.example TXT \"caught a spam\"")
	all := DNSBL(t.Context(), z, list, []netip.Addr{ours})
	if len(all) != 1 || all[0].Seen.String() != "127.0.0.2  caught a spam" {
		t.Errorf("%v", all)
	}
}
