package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Zone is a Resolver over records written down as text: the double that unit
// tests, whole-message cases, demo and explain share. Failures are data.
//
//	good.example       TXT  "v=spf1 ip4:192.0.2.1 -all"
//	good.example       MX   10 mail.good.example
//	mail.good.example  A    192.0.2.1
//	192.0.2.1          PTR  mail.good.example
//	www.good.example   CNAME mail.good.example
//	slow.example       TXT  !timeout      # the questions that fail,
//	broken.example     *    !servfail     # for one type or for all
//	*.wild.example     TXT  "anything below"
//
// Several quoted strings on a line are one TXT record. `#` starts a comment
// outside quotes. A name exists when it or a name below it has a record.
type Zone struct {
	// Secure sets the AD bit of every answer.
	Secure bool

	mu      sync.Mutex
	records map[zoneKey][]string
	fails   map[zoneKey]error
	names   map[string]bool
	asked   []string
}

type zoneKey struct{ name, typ string }

// zoneTTL is the TTL of every answer.
const zoneTTL = 5 * time.Minute

// ParseZone reads the format above. Errors name the line.
func ParseZone(text string) (*Zone, error) {
	z := &Zone{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		f, err := zoneFields(strings.TrimRight(line, "\r\n"))
		if err != nil {
			return nil, fmt.Errorf("zone line %d: %w", n, err)
		}
		if len(f) == 0 {
			continue
		}
		if len(f) < 3 {
			return nil, fmt.Errorf("zone line %d: want NAME TYPE DATA", n)
		}
		if err := z.Add(f[0], f[1], f[2:]...); err != nil {
			return nil, fmt.Errorf("zone line %d: %w", n, err)
		}
	}
	return z, nil
}

// MustZone is ParseZone for texts that are part of the program.
func MustZone(text string) *Zone {
	z, err := ParseZone(text)
	if err != nil {
		panic(err)
	}
	return z
}

// zoneFields splits a line at white space, keeping quoted strings whole.
func zoneFields(line string) ([]string, error) {
	var out []string
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			return out, nil
		case c == '"':
			s, err := strconv.QuotedPrefix(line[i:])
			if err != nil {
				return nil, fmt.Errorf("quoted string at column %d is not closed", i+1)
			}
			u, err := strconv.Unquote(s)
			if err != nil {
				return nil, err
			}
			out, i = append(out, u), i+len(s)
		default:
			j := i
			for j < len(line) && !strings.ContainsRune(" \t\r", rune(line[j])) {
				j++
			}
			out, i = append(out, line[i:j]), j
		}
	}
	return out, nil
}

// Add adds one record, or with data "!timeout", "!servfail", "!nxdomain" one
// failure; typ "*" makes it fail for every type. TXT takes character-strings,
// MX a preference and a host, the other types one value.
func (z *Zone) Add(name, typ string, data ...string) error {
	name, typ = zoneName(name), strings.ToUpper(typ)
	if typ == "PTR" {
		if ip, err := netip.ParseAddr(name); err == nil {
			name = ReverseName(ip)
		}
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("name %.80q: %w", name, err)
	}
	if !slices.Contains(zoneTypes, typ) {
		return fmt.Errorf("unknown type %.20q", typ)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.records == nil {
		z.records, z.fails, z.names = map[zoneKey][]string{}, map[zoneKey]error{}, map[string]bool{}
	}
	if len(data) == 1 && strings.HasPrefix(data[0], "!") {
		err, ok := zoneFailures[data[0]]
		if !ok {
			return fmt.Errorf("unknown failure %.40q", data[0])
		}
		z.fails[zoneKey{name, typ}] = err
		return nil
	}
	value := strings.Join(data, " ")
	switch typ {
	case "TXT":
		value = strings.Join(data, "")
	case "A", "AAAA":
		if ip, err := netip.ParseAddr(value); err != nil || ip.Is4() != (typ == "A") || ip.Zone() != "" {
			return fmt.Errorf("%q is no %s address", value, typ)
		}
	case "MX":
		if len(data) != 2 {
			return errors.New("MX wants PREFERENCE HOST")
		}
		if _, err := strconv.ParseUint(data[0], 10, 16); err != nil {
			return fmt.Errorf("MX preference %q", data[0])
		}
	case "*":
		return errors.New("type * is for failures only")
	}
	z.records[zoneKey{name, typ}] = append(z.records[zoneKey{name, typ}], value)
	for n, ok := name, true; ok && n != ""; _, n, ok = strings.Cut(n, ".") {
		z.names[n] = true
	}
	return nil
}

var zoneTypes = []string{"TXT", "A", "AAAA", "MX", "PTR", "CNAME", "*"}

var zoneFailures = map[string]error{
	"!timeout":  fmt.Errorf("%w: no answer in time", ErrTemporary),
	"!servfail": fmt.Errorf("%w: SERVFAIL", ErrTemporary),
	"!nxdomain": ErrNXDomain,
}

// Asked returns the questions so far as "TYPE name", in order.
func (z *Zone) Asked() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.asked)
}

func zoneName(s string) string { return asciiLower(strings.TrimSuffix(s, ".")) }

func (z *Zone) lookup(ctx context.Context, name, typ string) ([]string, error) {
	fail := func(err error) ([]string, error) { return nil, &Error{Type: typ, Name: name, Err: err} }
	if err := ctx.Err(); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrTemporary, err))
	}
	if err := CheckName(strings.TrimSuffix(name, ".")); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrNXDomain, err))
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = append(z.asked, typ+" "+name)
	n := zoneName(name)
	for range 10 {
		r, alias, err := z.step(n, typ)
		switch {
		case err != nil:
			return fail(err)
		case len(r) > 0:
			return r, nil
		}
		n = zoneName(alias[0])
	}
	return fail(fmt.Errorf("%w: CNAME loop", ErrTemporary))
}

// step is what stands at n itself: records of typ, else a CNAME record, else
// the reason why there is neither.
func (z *Zone) step(n, typ string) (records, alias []string, err error) {
	for _, t := range []string{typ, "*"} {
		if err := z.fails[zoneKey{n, t}]; err != nil {
			return nil, nil, err
		}
	}
	if !z.names[n] {
		n = z.wildcard(n)
	}
	if r := z.records[zoneKey{n, typ}]; len(r) > 0 {
		return r, nil, nil
	}
	if a := z.records[zoneKey{n, "CNAME"}]; len(a) > 0 {
		return nil, a, nil
	}
	if z.names[n] {
		return nil, nil, ErrNoData
	}
	return nil, nil, ErrNXDomain
}

// Alias returns where a question for name and typ goes on: the target of the
// CNAME record there, without a trailing dot; ok is false where there is none.
// The look-ups follow aliases by themselves; a DNS server has to show them.
func (z *Zone) Alias(name, typ string) (target string, ok bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	_, alias, _ := z.step(zoneName(name), typ)
	if len(alias) == 0 {
		return "", false
	}
	return strings.TrimSuffix(alias[0], "."), true
}

// LookupCNAME implements Aliaser.
func (z *Zone) LookupCNAME(ctx context.Context, name string) (Answer[string], error) {
	r, err := z.lookup(ctx, name, "CNAME")
	a := Answer[string]{TTL: zoneTTL, Secure: z.Secure}
	for _, s := range r {
		a.Records = append(a.Records, strings.TrimSuffix(s, "."))
	}
	return a, err
}

// wildcard returns the owner that RFC 4592 would synthesise n from, or n.
func (z *Zone) wildcard(n string) string {
	for _, parent, ok := strings.Cut(n, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
		if z.names["*."+parent] {
			return "*." + parent
		}
		if z.names[parent] {
			return n
		}
	}
	return n
}

func (z *Zone) LookupTXT(ctx context.Context, name string) (Answer[string], error) {
	r, err := z.lookup(ctx, name, "TXT")
	return Answer[string]{Records: slices.Clone(r), TTL: zoneTTL, Secure: z.Secure}, err
}

func (z *Zone) addrs(ctx context.Context, name, typ string) (Answer[netip.Addr], error) {
	r, err := z.lookup(ctx, name, typ)
	a := Answer[netip.Addr]{TTL: zoneTTL, Secure: z.Secure}
	for _, s := range r {
		a.Records = append(a.Records, netip.MustParseAddr(s))
	}
	return a, err
}

func (z *Zone) LookupA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return z.addrs(ctx, name, "A")
}

func (z *Zone) LookupAAAA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return z.addrs(ctx, name, "AAAA")
}

func (z *Zone) LookupMX(ctx context.Context, name string) (Answer[MX], error) {
	r, err := z.lookup(ctx, name, "MX")
	a := Answer[MX]{TTL: zoneTTL, Secure: z.Secure}
	for _, s := range r {
		pref, host, _ := strings.Cut(s, " ")
		p, _ := strconv.ParseUint(pref, 10, 16)
		a.Records = append(a.Records, MX{Preference: uint16(p), Host: strings.TrimSuffix(host, ".")})
	}
	slices.SortStableFunc(a.Records, func(x, y MX) int { return int(x.Preference) - int(y.Preference) })
	return a, err
}

func (z *Zone) LookupPTR(ctx context.Context, ip netip.Addr) (Answer[string], error) {
	r, err := z.lookup(ctx, ReverseName(ip), "PTR")
	a := Answer[string]{TTL: zoneTTL, Secure: z.Secure}
	for _, s := range r {
		a.Records = append(a.Records, strings.TrimSuffix(s, "."))
	}
	return a, err
}

// ReverseName is the name under which ip's PTR record stands
// (RFC 1035 §3.5, RFC 3596 §2.5), without a trailing dot.
func ReverseName(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	b := ip.AsSlice()
	var s strings.Builder
	for i := len(b) - 1; i >= 0; i-- {
		if ip.Is4() {
			fmt.Fprintf(&s, "%d.", b[i])
		} else {
			fmt.Fprintf(&s, "%x.%x.", b[i]&0xf, b[i]>>4)
		}
	}
	if ip.Is4() {
		return s.String() + "in-addr.arpa"
	}
	return s.String() + "ip6.arpa"
}
