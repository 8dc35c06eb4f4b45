package doctor

import (
	"context"
	_ "embed" // the lists
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

//go:embed dnsbl.txt
var listsText string

// BlockList is a DNS list of addresses (RFC 5782).
type BlockList struct {
	Zone, Name string
	IPv4, IPv6 bool
	Many       bool   // many receivers ask it
	URL        string // where one asks to be taken off
}

// BlockLists are those of this version.
func BlockLists() []BlockList {
	var all []BlockList
	for line := range strings.Lines(listsText) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if len(f) != 5 || strings.HasPrefix(line, "#") {
			continue
		}
		all = append(all, BlockList{Zone: f[0], Name: f[1], IPv4: strings.Contains(f[2], "4"), IPv6: strings.Contains(f[2], "6"), Many: f[3] == "many", URL: f[4]})
	}
	return all
}

// maxListed bounds the addresses that are asked for.
const maxListed = 8

var (
	// RFC 5782 §2.1, §2.3: what a list says of an address is in 127/8.
	listRange = netip.MustParsePrefix("127.0.0.0/8")
	// Spamhaus and others say there that they do not answer this resolver.
	blockedRange = netip.MustParsePrefix("127.255.255.0/24")

	mustBeListed = netip.AddrFrom4([4]byte{127, 0, 0, 2}) // RFC 5782 §5
	mustNotBe    = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// DNSBL asks the lists about our public addresses. Each is tested first: a list that is
// gone, or answers everybody alike, says nothing about us (RFC 5782 §5).
func DNSBL(ctx context.Context, r resolve.Resolver, lists []BlockList, egress []netip.Addr) []Finding {
	egress = slices.DeleteFunc(slices.Clone(egress), func(ip netip.Addr) bool { return !address.Public(ip) })
	if len(egress) == 0 {
		return []Finding{{Level: Warn, Check: "dnsbl", Subject: "egress", Who: You, Message: words.Say("our public addresses are not known, so that no list can be asked"),
			Want: words.Say("egress: in milter.yaml, or --egress")}}
	}
	var all []Finding
	for _, l := range lists {
		all = append(all, l.ask(ctx, r, egress[:min(len(egress), maxListed)])...)
	}
	return all
}

func (l BlockList) ask(ctx context.Context, r resolve.Resolver, egress []netip.Addr) []Finding {
	var all []Finding
	for _, family := range []struct {
		has, six bool
	}{{l.IPv4, false}, {l.IPv6, true}} {
		ips := slices.DeleteFunc(slices.Clone(egress), func(ip netip.Addr) bool { return ip.Is6() != family.six })
		if !family.has || len(ips) == 0 {
			continue
		}
		if f, bad := l.selfTest(ctx, r, family.six); bad {
			all = append(all, f)
			continue
		}
		for _, ip := range ips {
			all = append(all, l.about(ctx, r, ip))
		}
	}
	return all
}

// selfTest is RFC 5782 §5: with IPv6 the test addresses are ::FFFF:127.0.0.2 and .1.
func (l BlockList) selfTest(ctx context.Context, r resolve.Resolver, six bool) (Finding, bool) {
	f := Finding{Level: Warn, Check: "dnsbl", Subject: l.Name, Who: You}
	listed, not := mustBeListed, mustNotBe
	if six {
		listed, not = netip.AddrFrom16(listed.As16()), netip.AddrFrom16(not.As16())
	}
	codes, err := l.codes(ctx, r, listed)
	switch {
	case resolve.Temporary(err):
		return unknown("dnsbl", l.Name, err), true
	case err != nil:
		f.Message = words.Say("the list does not list its test address 127.0.0.2: it is gone, or it does not answer your resolver; nothing is known of your addresses")
		f.Want = words.Say("a resolver of your own on this host, that asks the list itself")
		return f, true
	case blocked(codes):
		return l.refused(codes), true
	}
	codes, err = l.codes(ctx, r, not)
	switch {
	case resolve.Temporary(err):
		return unknown("dnsbl", l.Name, err), true
	case err == nil:
		f.Message, f.Seen = words.Say("the list lists 127.0.0.1, which no list may: it answers for everybody, and says nothing about you"), words.Data(shown(codes))
		return f, true
	}
	return Finding{}, false
}

func (l BlockList) about(ctx context.Context, r resolve.Resolver, ip netip.Addr) Finding {
	codes, err := l.codes(ctx, r, ip)
	f := Finding{Level: Warn, Check: "dnsbl", Subject: ip.String(), Who: List}
	switch {
	case resolve.Temporary(err):
		return unknown("dnsbl", l.Name, err)
	case err != nil:
		return Finding{Level: Pass, Check: "dnsbl", Subject: ip.String(), Message: words.Say("is not listed by %s", l.Name)}
	case blocked(codes):
		return l.refused(codes)
	case !slices.ContainsFunc(codes, listRange.Contains):
		f.Who, f.Message, f.Seen = You, words.Say("%s answers with an address that is no list's: somebody on the way changes answers of the DNS", l.Name), words.Data(shown(codes))
		f.Want = words.Say("a resolver of your own on this host, that asks the list itself")
		return f
	}
	if l.Many {
		f.Level = Fail
	}
	f.Message, f.Seen = words.Say("is listed by %s: receivers that ask this list refuse the mail, or take it for spam", l.Name), words.Data(shown(codes))
	if a, err := r.LookupTXT(ctx, l.name(ip)); err == nil {
		f.Seen = show(shown(codes) + "  " + a.Records[0])
	}
	f.Want, f.Paste = words.Say("that what it was listed for has ended, and then that it is taken off"), words.Data(l.URL)
	return f
}

func (l BlockList) refused(codes []netip.Addr) Finding {
	return Finding{Level: Warn, Check: "dnsbl", Subject: l.Name, Who: You, Seen: words.Data(shown(codes)),
		Message: words.Say("the list refuses to answer your resolver (it is a public one, or asks too much); this does not mean that you are listed"),
		Want:    words.Say("a resolver of your own on this host, that asks the list itself")}
}

func (l BlockList) codes(ctx context.Context, r resolve.Resolver, ip netip.Addr) ([]netip.Addr, error) {
	a, err := r.LookupA(ctx, l.name(ip))
	return a.Records, err
}

// name is RFC 5782 §2.1 and §2.4: octets, or the 32 hexadecimal digits, in reverse.
func (l BlockList) name(ip netip.Addr) string {
	if ip.Is4() {
		b := ip.As4()
		return fmt.Sprintf("%d.%d.%d.%d.%s", b[3], b[2], b[1], b[0], l.Zone)
	}
	var s strings.Builder
	b := ip.As16()
	for i := range b {
		c := b[len(b)-1-i]
		fmt.Fprintf(&s, "%x.%x.", c&15, c>>4)
	}
	return s.String() + l.Zone
}

func blocked(codes []netip.Addr) bool { return slices.ContainsFunc(codes, blockedRange.Contains) }

func shown(codes []netip.Addr) string {
	var s []string
	for _, c := range codes[:min(len(codes), 10)] {
		s = append(s, c.String())
	}
	return strings.Join(s, " ")
}
