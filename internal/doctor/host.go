package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// Clock judges what the kernel knows of its clock: whether something keeps it right.
// t= and x= of signatures are compared with other hosts' clocks (RFC 6376 §3.5).
func Clock(synchronised, known bool) []Finding {
	f := Finding{Level: Pass, Check: "host", Subject: "clock", Message: words.Say("is kept right over the network")}
	switch {
	case !known:
		return nil
	case !synchronised:
		f.Level, f.Who = Warn, You
		f.Message = words.Say("as the kernel sees it, nothing keeps the clock right: signatures from the future are not believed, and those with an expiry end too early")
		f.Want, f.Paste = words.Say("a time service (NTP)"), words.Data("timedatectl set-ntp true")
	}
	return []Finding{f}
}

// longAnswer is what fits into a packet without RFC 6891: what is longer needs EDNS, or
// TCP (RFC 1035 §4.2.1).
const longAnswer = 512

// longNames have had TXT records of more than that together for many years (seen 2026-11).
// They are asked only where nothing else was that long.
var longNames = []string{"google.com", "microsoft.com"}

// longAnswers judges whether answers of more than 512 bytes come through: records of long
// keys, and those of names with much else beside SPF. A zone file in place of the DNS
// has no servers, and nothing on the way.
func (c *answers) longAnswers(ctx context.Context, servers string) []Finding {
	if servers == "" {
		return nil
	}
	for _, name := range longNames {
		if c.longest >= longAnswer || c.truncated != nil {
			break
		}
		_, _ = c.LookupTXT(ctx, name)
	}
	switch {
	case c.truncated != nil:
		return []Finding{{Level: Fail, Check: "host", Subject: servers, Seen: show(c.truncated.Error()), Who: You,
			Message: words.Say("answers of more than 512 bytes do not come through, such as the records of long keys: packets of that size or TCP port 53 are blocked on the way to the resolver"),
			Want:    words.Say("a firewall that lets UDP packets of 1232 bytes and TCP port 53 through, or a resolver of your own on this host")}}
	case c.longest >= longAnswer:
		return []Finding{{Level: Pass, Check: "host", Subject: servers, Message: words.Say("answers of more than 512 bytes come through (the longest had %d)", c.longest)}}
	}
	return nil
}

// isTruncated reports whether a question failed for want of TCP, as the client says it.
func isTruncated(err error) bool {
	return resolve.Temporary(err) && strings.Contains(err.Error(), "truncated")
}

// Unlisted looks for a public IPv6 address of this host that its owner did not name: mail
// goes out by it wherever the receiver has one too, and neither SPF nor PTR know it.
// protocols is Postfix's inet_protocols, "" where it is not known.
func Unlisted(own, egress []netip.Addr, protocols string) []Finding {
	if len(egress) == 0 || slices.ContainsFunc(egress, netip.Addr.Is6) || protocols == "ipv4" {
		return nil
	}
	i := slices.IndexFunc(own, func(ip netip.Addr) bool { return ip.Is6() && address.Public(ip) })
	if i < 0 {
		return nil
	}
	f := Finding{Level: Warn, Check: "host", Subject: own[i].String(), Who: You,
		Message: words.Say("this host has a public IPv6 address that is not among the egress addresses: mail may leave by it, and SPF and PTR were not checked for it"),
		Want:    words.Say("egress: with this address as well, and its SPF term and PTR record; or an MTA that sends by IPv4 alone")}
	if protocols != "" {
		f.Paste = words.Data("postconf -e 'inet_protocols = ipv4' && postfix stop && postfix start   ").And(words.Say("# if mail is to leave by IPv4 alone"))
	}
	return []Finding{f}
}
