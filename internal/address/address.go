// Package address tells addresses of the world from those that only a host or its
// network knows.
package address

import "net/netip"

// Public reports whether the world can see a as a sender.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10) // RFC 6598: carrier-grade NAT
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}
