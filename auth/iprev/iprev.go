// Package iprev checks whether the name of a client address leads back to the
// address (RFC 8601 §3).
//
// It deliberately says nothing about the name: neither whether it looks like
// a dial-up line nor whether HELO agrees with it.
package iprev

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Why a check does not pass; Result.Err wraps one of these, or the resolver's
// own error for temperror.
var (
	ErrNoAddress = errors.New("no client address")                        // permerror
	ErrNoName    = errors.New("the address has no PTR record")            // permerror
	ErrNoMatch   = errors.New("no PTR name leads back to the address")    // fail
	ErrBadNames  = errors.New("the PTR records hold no usable host name") // fail
)

// defaultMaxNames is RFC 7208 §4.6.4's limit, which RFC 8601 §3 cites.
const defaultMaxNames = 10

// Checker checks iprev. It holds no state: one Checker serves all clients.
type Checker struct {
	Resolver resolve.Resolver
	MaxNames int // PTR names that are followed; 0 is 10
}

// Check asks for the names of ip and for the addresses of each name, until
// one leads back (RFC 8601 §3). Only addresses of ip's own family are asked
// for: others cannot match. When none matched and a question failed for now,
// the answer is open: temperror (§2.7.3).
func (c *Checker) Check(ctx context.Context, ip netip.Addr) Result {
	ip = ip.Unmap().WithZone("")
	res := Result{IP: ip}
	end := func(s Status, err error) Result {
		res.Status = s
		res.Err = fmt.Errorf("iprev: %w", err)
		return res
	}
	if !ip.IsValid() {
		return end(PermError, ErrNoAddress)
	}
	ans, err := c.Resolver.LookupPTR(ctx, ip)
	switch {
	case resolve.Temporary(err):
		return end(TempError, err)
	case err != nil:
		return end(PermError, ErrNoName)
	}
	limit := c.MaxNames
	if limit == 0 {
		limit = defaultMaxNames
	}
	var open error // the first temporary failure
	for i, raw := range ans.Records {
		if i == limit {
			break
		}
		// CanonicalName refuses what no host is called: the owner of the
		// address may have written anything here.
		name, err := resolve.CanonicalName(raw)
		if err != nil || slices.Contains(res.Names, name) {
			continue
		}
		res.Names = append(res.Names, name)
		addrs, err := c.addresses(ctx, ip, name)
		if resolve.Temporary(err) && open == nil {
			open = err
		}
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == ip }) {
			res.Status, res.Name = Pass, name
			return res
		}
	}
	switch {
	case open != nil:
		return end(TempError, open)
	case len(res.Names) == 0:
		return end(Fail, ErrBadNames)
	case len(ans.Records) > limit:
		return end(Fail, fmt.Errorf("%w (the first %d were asked)", ErrNoMatch, limit))
	}
	return end(Fail, fmt.Errorf("%w: %s", ErrNoMatch, shown(res.Names)))
}

// shown lists names for a person, the first three of them.
func shown(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

func (c *Checker) addresses(ctx context.Context, ip netip.Addr, name string) ([]netip.Addr, error) {
	var ans resolve.Answer[netip.Addr]
	var err error
	if ip.Is4() {
		ans, err = c.Resolver.LookupA(ctx, name)
	} else {
		ans, err = c.Resolver.LookupAAAA(ctx, name)
	}
	return ans.Records, err
}
