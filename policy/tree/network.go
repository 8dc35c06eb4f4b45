package tree

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParsePrefix reads a network in CIDR notation or a bare address, which is a
// network of one. v4-mapped ones become IPv4. A second line of the error's
// text is a hint.
func ParsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%s is not an IP address or network", Quote(s))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is not an IP network", Quote(s))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits set beyond its length\nwrite %s for the network, or %s for the one address", Quote(s), p.Masked(), p.Addr())
	}
	return p, nil
}
