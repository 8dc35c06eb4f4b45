package sendmail

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Relay is an entry that lets a client relay.
type Relay struct {
	Entry string       // as it stands
	Net   netip.Prefix // invalid: why says the reason
	Why   string
}

// Access finds the clients that an access file lets relay: lines
// `Connect:192.168.5 RELAY`, or without the tag. Entries about senders and
// recipients (From:, To:) are not about clients.
func Access(text string) []Relay {
	var out []Relay
	for line := range strings.Lines(text) {
		key, value := fields(line)
		if strings.ToUpper(value) != "RELAY" {
			continue
		}
		if tag, rest, ok := strings.Cut(key, ":"); ok && !strings.EqualFold(tag, "ipv6") {
			if !strings.EqualFold(tag, "connect") {
				continue
			}
			key = rest
		}
		out = append(out, relay(key))
	}
	return out
}

// RelayDomains reads a relay-domains file: one name or network a line.
func RelayDomains(text string) []Relay {
	var out []Relay
	for line := range strings.Lines(text) {
		if key, _ := fields(line); key != "" {
			out = append(out, relay(key))
		}
	}
	return out
}

func fields(line string) (key, value string) {
	f := strings.Fields(line)
	if len(f) == 0 || strings.HasPrefix(f[0], "#") {
		return "", ""
	}
	if len(f) > 1 {
		value = f[1]
	}
	return f[0], value
}

// relay reads a client of the access file: an address, or its first parts.
func relay(key string) Relay {
	r := Relay{Entry: key}
	if len(key) > 6 && strings.EqualFold(key[:5], "ipv6:") {
		r.Net, r.Why = network6(key[5:])
		return r
	}
	text := strings.TrimSuffix(strings.Trim(key, "[]"), ".")
	if a, err := netip.ParseAddr(text); err == nil {
		r.Net = netip.PrefixFrom(a, a.BitLen())
		return r
	}
	if strings.Contains(text, "/") {
		r.Why = "Sendmail matches whole parts of an address, this entry never applies"
		return r
	}
	parts := strings.Split(text, ".")
	var ip [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || i >= len(ip) {
			r.Why = "a name; outbound.networks knows addresses: write those of its hosts there, or let them log in"
			return r
		}
		ip[i] = byte(n)
	}
	r.Net = netip.PrefixFrom(netip.AddrFrom4(ip), 8*len(parts))
	return r
}

// network6 reads 2001:db8:1 as 2001:db8:1::/48, and a whole address.
func network6(text string) (netip.Prefix, string) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	groups := strings.Split(strings.TrimSuffix(text, ":"), ":")
	a, err := netip.ParseAddr(strings.Join(groups, ":") + "::")
	if err != nil || len(groups) >= 8 {
		return netip.Prefix{}, fmt.Sprintf("%q is no IPv6 network", text)
	}
	return netip.PrefixFrom(a, 16*len(groups)), ""
}
