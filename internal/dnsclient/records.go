package dnsclient

import (
	"net/netip"
	"strings"
	"unsafe"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// collect reads records into a []T and sums up their size. A record that is
// there twice counts once (RFC 2181 §5): else it would make two SPF records.
func collect[T comparable](rrs []dns.RR, read func(dns.RR) (T, bool)) (records any, n, size int) {
	out := make([]T, 0, len(rrs))
	seen := make(map[T]bool, len(rrs))
	for _, rr := range rrs {
		v, ok := read(rr)
		if !ok || seen[v] {
			continue
		}
		seen[v] = true
		out = append(out, v)
		size += int(unsafe.Sizeof(v)) + int(rr.Header().Rdlength)
	}
	return out, len(out), size
}

func readTXT(rr dns.RR) (string, bool) {
	t, ok := rr.(*dns.TXT)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for _, s := range t.Txt {
		unescape(&b, s)
	}
	return b.String(), true
}

func readA(rr dns.RR) (netip.Addr, bool) {
	a, ok := rr.(*dns.A)
	if !ok {
		return netip.Addr{}, false
	}
	ip, ok := netip.AddrFromSlice(a.A)
	return ip.Unmap(), ok
}

func readAAAA(rr dns.RR) (netip.Addr, bool) {
	a, ok := rr.(*dns.AAAA)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(a.AAAA)
}

func readMX(rr dns.RR) (resolve.MX, bool) {
	m, ok := rr.(*dns.MX)
	if !ok {
		return resolve.MX{}, false
	}
	host, ok := rawName(m.Mx)
	return resolve.MX{Preference: m.Preference, Host: host}, ok
}

func readCNAME(rr dns.RR) (string, bool) {
	c, ok := rr.(*dns.CNAME)
	if !ok {
		return "", false
	}
	name, ok := rawName(c.Target)
	return name, ok && name != ""
}

// readPTR passes over the root, which is no host's name.
func readPTR(rr dns.RR) (string, bool) {
	p, ok := rr.(*dns.PTR)
	if !ok {
		return "", false
	}
	name, ok := rawName(p.Ptr)
	return name, ok && name != ""
}
