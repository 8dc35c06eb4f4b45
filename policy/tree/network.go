package tree

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ParsePrefix reads a network in CIDR notation or a bare address, which is a
// network of one. v4-mapped ones become IPv4. A second line of the error's
// text is a hint.
func ParsePrefix(s string) (netip.Prefix, error) {
	p, ok := prefix(s)
	switch {
	case !ok && strings.Contains(s, "/"):
		return netip.Prefix{}, fmt.Errorf("%s is not an IP network\n%s", Quote(s), networkHint(s))
	case !ok:
		return netip.Prefix{}, fmt.Errorf("%s is not an IP address or network\n%s", Quote(s), networkHint(s))
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has bits set beyond its length\nwrite %s for the network, or %s for the one address", Quote(s), written(p.Masked().String()), written(p.Addr().String()))
	}
	return p, nil
}

// prefix is ParsePrefix without the look at the bits beyond the length.
func prefix(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, true
}

// networkHint is what s would be in our notation: Postfix, Sendmail, firewalls
// and people write networks in other ways.
func networkHint(s string) string {
	const form = "write 192.0.2.0/24 or 192.0.2.1"
	if len(s) > maxSuggest+maxSuggest {
		return form
	}
	if rest, ok := strings.CutPrefix(s, "!"); ok {
		if _, ok := prefix(rest); ok {
			return "nothing is taken out of a network; list the networks that are meant"
		}
	}
	if t := strings.NewReplacer(" ", "", "[", "", "]", "").Replace(s); t != s && len(strings.Fields(s)) < 3 {
		if p, ok := prefix(t); ok {
			return "write " + written(p.Masked().String())
		}
	}
	addr, length, slash := strings.Cut(s, "/")
	if a, err := netip.ParseAddr(addr); err == nil && slash {
		return lengthHint(a, length)
	}
	if from, to, ok := strings.Cut(s, "-"); ok {
		if list := rangeHint(strings.TrimSpace(from), strings.TrimSpace(to)); list != "" {
			return list
		}
	}
	if p, ok := shortened(addr, length); ok {
		return "write " + p.String()
	}
	if strings.EqualFold(s, "localhost") {
		return "write 127.0.0.0/8 for IPv4 and \"::1\" for IPv6"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r|0x20 >= 'g' && r|0x20 <= 'z' }) {
		return "names are not looked up; write the address"
	}
	return form
}

// written is an address as YAML needs it: quoted where a colon begins or ends it.
func written(s string) string {
	if strings.HasPrefix(s, ":") || strings.HasSuffix(s, ":") {
		return strconv.Quote(s)
	}
	return s
}

// lengthHint: a/length, where length is none for a.
func lengthHint(a netip.Addr, length string) string {
	if m, err := netip.ParseAddr(length); err == nil && a.Is4() && m.Is4() && !m.IsUnspecified() {
		mask := binary.BigEndian.Uint32(m.AsSlice())
		if mask>>31 == 0 { // a router's wildcard: 0.0.0.255
			mask = ^mask
		}
		if n := bits.LeadingZeros32(^mask); bits.TrailingZeros32(mask)+n >= 32 {
			return "write " + netip.PrefixFrom(a, n).Masked().String()
		}
		return "this mask is no network: its ones must stand before its zeros"
	}
	if n, err := strconv.Atoi(length); err == nil && n > a.BitLen() {
		return fmt.Sprintf("the number behind / is at most %d here; %s alone is the one address", a.BitLen(), a)
	}
	return fmt.Sprintf("write a number from 0 to %d behind the /, without sign and leading zeros", a.BitLen())
}

// rangeHint writes a range of IPv4 addresses as the networks that it consists of.
func rangeHint(from, to string) string {
	const most = 12 // networks; a range has up to 62
	a, err := netip.ParseAddr(from)
	if err != nil || !a.Is4() {
		return ""
	}
	if !strings.Contains(to, ".") { // 192.0.2.1-9
		to = from[:strings.LastIndexByte(from, '.')+1] + to
	}
	b, err := netip.ParseAddr(to)
	if err != nil || !b.Is4() {
		return ""
	}
	if b.Less(a) {
		return "a range begins with its lowest address; write networks, such as 192.0.2.0/24"
	}
	var list []string
	first, last := uint64(binary.BigEndian.Uint32(a.AsSlice())), uint64(binary.BigEndian.Uint32(b.AsSlice()))
	for first <= last {
		size := min(bits.TrailingZeros64(first|1<<32), bits.Len64(last-first+1)-1)
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], uint32(first))
		p := netip.PrefixFrom(netip.AddrFrom4(raw), 32-size)
		if list = append(list, p.String()); size == 0 {
			list[len(list)-1] = p.Addr().String()
		}
		first += 1 << size
	}
	if len(list) > most {
		return fmt.Sprintf("a range is written as networks, and this one is %d of them; is a network such as %s meant?", len(list), netip.PrefixFrom(a, 24).Masked())
	}
	return "write " + strings.Join(list, ", ")
}

// shortened reads IPv4 networks with parts left away or written as *, and
// numbers with leading zeros: 192.0.2.*, 192.0.2., 10/8, 192.000.002.0/24.
func shortened(addr, length string) (netip.Prefix, bool) {
	parts := strings.Split(strings.TrimSuffix(addr, "."), ".")
	for len(parts) > 1 && parts[len(parts)-1] == "*" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) > 4 || len(parts) == 1 && length == "" && !strings.ContainsAny(addr, ".*") {
		return netip.Prefix{}, false
	}
	n := 8 * len(parts)
	var raw [4]byte
	for i, p := range parts {
		x, err := strconv.ParseUint(p, 10, 8)
		if err != nil || len(p) > 3 {
			return netip.Prefix{}, false
		}
		raw[i] = byte(x)
	}
	if length != "" {
		x, err := strconv.ParseUint(length, 10, 8)
		if err != nil || x > 32 {
			return netip.Prefix{}, false
		}
		n = int(x)
	}
	if slices.Equal(raw[:], make([]byte, 4)) && n > 0 && length == "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(netip.AddrFrom4(raw), n).Masked(), true
}

// NoMask reports an address that looks like a network whose length was
// forgotten, and the network that is probably meant: no host has the address
// that its network has.
func NoMask(p netip.Prefix) (meant netip.Prefix, ok bool) {
	a := p.Addr()
	if p.Bits() != a.BitLen() || a.IsUnspecified() {
		return netip.Prefix{}, false
	}
	raw := a.AsSlice()
	if a.Is4() {
		n := 24
		if raw[3] != 0 {
			return netip.Prefix{}, false
		}
		for ; n > 8 && raw[n/8-1] == 0; n -= 8 {
		}
		return netip.PrefixFrom(a, n), true
	}
	if slices.ContainsFunc(raw[8:], func(b byte) bool { return b != 0 }) { // RFC 4291 §2.6.1: the routers' anycast address
		return netip.Prefix{}, false
	}
	n := 64
	for ; n > 32 && raw[n/8-1] == 0 && raw[n/8-2] == 0; n -= 16 {
	}
	return netip.PrefixFrom(a, n), true
}
