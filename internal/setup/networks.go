package setup

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/internal/postfix"
)

// networks are what mynetworks makes our own.
type networks struct {
	own    []netip.Prefix // without loopback, which is local anyway
	public []netip.Prefix // those of own that reach beyond this host and private space
	left   []string       // what cannot be carried over
}

// readNetworks reads a mynetworks. host are the addresses of this host.
func readNetworks(value string, host []netip.Addr) networks {
	var n networks
	var but []netip.Prefix
	for _, item := range postfix.List(value) {
		text, not := strings.CutPrefix(item, "!")
		p, err := parseNetwork(text)
		switch {
		case err != nil:
			n.left = append(n.left, item)
		case not:
			but = append(but, p)
		case p.Addr().IsLoopback():
		default:
			n.own = append(n.own, p)
		}
	}
	n.own = slices.DeleteFunc(n.own, func(p netip.Prefix) bool {
		out := slices.ContainsFunc(but, p.Overlaps)
		if out {
			n.left = append(n.left, p.String())
		}
		return out
	})
	n.public = wide(n.own, host)
	return n
}

// wide are the networks that reach beyond this host and private space.
func wide(nets []netip.Prefix, host []netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range nets {
		a := p.Addr()
		if !a.IsPrivate() && !a.IsLinkLocalUnicast() && !(p.IsSingleIP() && slices.Contains(host, a)) {
			out = append(out, p)
		}
	}
	return out
}

// parseNetwork reads 192.168.0.0/16, 192.0.2.1, [2001:db8::]/32.
func parseNetwork(s string) (netip.Prefix, error) {
	addr, bits, masked := strings.Cut(s, "/")
	a, err := netip.ParseAddr(strings.Trim(addr, "[]"))
	if err != nil {
		return netip.Prefix{}, err
	}
	n := a.BitLen()
	if masked {
		if n, err = strconv.Atoi(bits); err != nil {
			return netip.Prefix{}, err
		}
	}
	if a.Is4In6() { // [::ffff:127.0.0.0]/104
		a, n = a.Unmap(), n-96
	}
	return a.Prefix(n)
}

// hostAddresses are the addresses of this host.
func hostAddresses() []netip.Addr {
	var out []netip.Addr
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}
