// Package spf checks whether a client may send mail for a domain: the
// check_host() function of RFC 7208, complete, with RFC 8616 for
// internationalised mail.
//
// A record is parsed as a whole and then evaluated, every step is traced, and
// the limits of §4.6.4 bound the work. It deliberately does not check HELO
// beside MAIL FROM (§2.3), write Received-SPF (§9.1), guess records for
// domains that have none, or make exceptions for loopback clients: who is
// ours is not SPF's business.
package spf

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Limits bounds one check. A zero field is the value of RFC 7208 §4.6.4.
type Limits struct {
	Lookups     int // terms that ask the DNS: 10
	VoidLookups int // terms whose questions find nothing: 2
	MXNames     int // hosts of one mx mechanism: 10
	PTRNames    int // names of the client that are validated: 10
}

// Checker checks SPF. It holds no state: one Checker serves all messages.
type Checker struct {
	Resolver resolve.Resolver
	Receiver string           // %{r}: our host name; "" is "unknown"
	Now      func() time.Time // %{t}; nil is time.Now
	Limits   Limits
}

// Check asks whether ip may use mailFrom, the reverse-path without angle
// brackets. With the null reverse-path "", it is postmaster@helo that is
// checked (§2.4). IPv4-mapped addresses count as IPv4 (§5). How long the
// check may take is ctx's business; the end of ctx is a temperror.
func (c *Checker) Check(ctx context.Context, ip netip.Addr, helo, mailFrom string) Result {
	e := evaluation{
		resolver: c.Resolver,
		ip:       ip.Unmap().WithZone(""),
		helo:     heloName(helo),
		receiver: c.Receiver,
		now:      c.Now,
		limits:   c.Limits.orDefaults(),
	}
	if e.now == nil {
		e.now = time.Now
	}
	res := Result{Status: None, Identity: MailFrom}
	name := ""
	if mailFrom == "" {
		res.Identity = Helo
		e.local, name = "postmaster", helo
	} else {
		e.local, name = splitAddress(mailFrom)
	}
	var err error
	if res.Domain, err = checkable(name); err != nil {
		res.Err = &Error{Err: fmt.Errorf("%w: %w, RFC 7208 §4.3", ErrNoDomain, err)}
		return res
	}
	if !ip.IsValid() {
		res.Err = &Error{Domain: res.Domain, Err: ErrNoAddress}
		return res
	}
	e.domain = res.Domain
	out := e.checkHost(ctx, res.Domain, 0)
	res.Status, res.Err, res.Mechanism = out.status, out.err, clip(out.mechanism)
	if res.Status == Fail {
		res.Explanation = e.explain(ctx, out)
	}
	res.Trace, res.Lookups, res.VoidLookups = e.trace, e.lookups, e.voids
	return res
}

func (l Limits) orDefaults() Limits {
	or := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	or(&l.Lookups, 10)
	or(&l.VoidLookups, 2)
	or(&l.MXNames, 10)
	or(&l.PTRNames, 10)
	return l
}

// splitAddress returns the local-part and the domain, which is what follows
// the last "@": quoted local-parts may contain others. A source route in
// front is dropped (§2.2, RFC 5321 appendix C). Without a local-part,
// "postmaster" takes its place (§4.3). Quotes stay: §7.2's macros take the
// address as it is written, and so do other implementations.
func splitAddress(addr string) (local, domain string) {
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return "", ""
	}
	local, domain = addr[:at], addr[at+1:]
	if strings.HasPrefix(local, "@") {
		if _, rest, ok := strings.Cut(local, ":"); ok {
			local = rest
		}
	}
	if local == "" {
		local = "postmaster"
	}
	return local[:min(len(local), maxInput)], domain
}

// checkable returns the canonical form of a domain that can have a record:
// well-formed, more than one label, not an address (§2.3, §4.3). U-labels
// become A-labels (RFC 8616 §4).
func checkable(name string) (string, error) {
	// No name of 253 A-label bytes has more bytes of U-labels than this; what is longer
	// is not shown in the reason.
	if len(name) > maxInput {
		return "", fmt.Errorf("name of more than %d bytes", maxInput)
	}
	n, err := resolve.CanonicalName(name)
	if err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(n); err == nil {
		return "", fmt.Errorf("%q is an address", n)
	}
	if !strings.Contains(n, ".") {
		return "", fmt.Errorf("%q is a single label", n)
	}
	return n, nil
}

// heloName is %{h}: the parameter as it came, but with A-labels where it has
// U-labels (RFC 8616 §4).
func heloName(helo string) string {
	helo = helo[:min(len(helo), maxInput)]
	if !isASCII(helo) {
		if n, err := resolve.CanonicalName(helo); err == nil {
			return n
		}
	}
	return helo
}
