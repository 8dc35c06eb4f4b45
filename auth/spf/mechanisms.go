package spf

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// match evaluates one mechanism (RFC 7208 §5). A question that fails
// temporarily ends the whole check, except for ptr.
func (e *evaluation) match(ctx context.Context, d *directive, domain string, depth int) finding {
	switch d.kind {
	case kindAll:
		return finding{match: true}
	case kindIP4, kindIP6:
		return finding{match: d.network.Contains(e.ip)}
	}
	target, out, err := e.countedTarget(ctx, d.spec, domain, d.text)
	f := finding{target: target, stop: out}
	if out.status != "" {
		return f
	}
	if err != nil && ctx.Err() != nil {
		f.stop = temp(domain, d.text, err)
		return f
	}
	if err != nil {
		// §4.8 leaves open what follows. Some give permerror; we follow the
		// test suite's preference: the term does not match, nothing is asked.
		// For include, §4.3 and §5.2 do decide.
		f.note = "no match: " + err.Error()
		if d.kind == kindInclude && !errors.Is(err, errLocalPart) {
			f.stop = perm(domain, d.text, "%w, RFC 7208 §5.2", ErrTarget)
		}
		return f
	}
	switch d.kind {
	case kindInclude:
		e.include(ctx, d, domain, depth, &f)
	case kindA:
		e.a(ctx, d, domain, &f)
	case kindMX:
		e.mx(ctx, d, domain, &f)
	case kindPTR:
		f.match = e.ptr(ctx, target)
	case kindExists:
		e.exists(ctx, d, domain, &f)
	}
	return f
}

// include applies §5.2's table to the target's own result.
func (e *evaluation) include(ctx context.Context, d *directive, domain string, depth int, f *finding) {
	out := outcome{status: None}
	if strings.Contains(f.target, ".") { // §4.3: a single label is none
		out = e.checkHost(ctx, f.target, depth+1)
	}
	switch out.status {
	case Pass:
		f.match = true
	case TempError, PermError:
		f.stop = out
	case None:
		f.stop = perm(domain, d.text, "%w at %s, RFC 7208 §5.2", ErrNoRecord, printable(f.target))
	default:
		f.note = "no match: " + string(out.status)
	}
}

// a: the client is one of the target's addresses (§5.3).
func (e *evaluation) a(ctx context.Context, d *directive, domain string, f *finding) {
	addrs, err := e.addresses(ctx, f.target)
	switch {
	case resolve.Temporary(err):
		f.stop = temp(domain, d.text, err)
	case err != nil:
		f.void = true
	default:
		f.match = e.among(addrs, d)
	}
}

// mx: the client is one of the target's MX hosts (§5.4). There is no implicit
// MX, and a null MX (RFC 7505) names no host.
func (e *evaluation) mx(ctx context.Context, d *directive, domain string, f *finding) {
	ans, err := e.resolver.LookupMX(ctx, f.target)
	if resolve.Temporary(err) {
		f.stop = temp(domain, d.text, err)
		return
	}
	f.void = err != nil
	asked := 0
	for _, mx := range ans.Records {
		if err := ctx.Err(); err != nil {
			f.stop = temp(domain, d.text, err)
			return
		}
		host := strings.TrimSuffix(mx.Host, ".")
		if !nameable(host) {
			continue
		}
		// §4.6.4: needing more than ten address questions is a permerror.
		if asked++; asked > e.limits.MXNames {
			f.stop = perm(domain, d.text, "%w (limit %d), RFC 7208 §4.6.4", ErrMXNames, e.limits.MXNames)
			return
		}
		addrs, err := e.addresses(ctx, host)
		switch {
		case resolve.Temporary(err):
			f.stop = temp(domain, d.text, err)
			return
		case err != nil:
			f.void = true
		case e.among(addrs, d):
			f.match = true
			return
		}
	}
}

// exists: the target has an A record, whatever the client's family (§5.7).
func (e *evaluation) exists(ctx context.Context, d *directive, domain string, f *finding) {
	_, err := e.resolver.LookupA(ctx, f.target)
	switch {
	case resolve.Temporary(err):
		f.stop = temp(domain, d.text, err)
	case err != nil:
		f.void = true
	default:
		f.match = true
	}
}

// ptr: a validated name of the client is the target or below it (§5.5).
func (e *evaluation) ptr(ctx context.Context, target string) bool {
	for _, name := range e.validatedNames(ctx) {
		if within(name, target) {
			return true
		}
	}
	return false
}

// validatedNames returns the names of the client that lead back to it (§5.5):
// of the first ten PTR records, in their order. Errors only make names
// missing, and nothing here counts as void: the owner of the address, not the
// publisher of the record, decides what there is, and must not be able to
// turn a fail into a permerror.
func (e *evaluation) validatedNames(ctx context.Context) []string {
	if e.ptrAsked {
		return e.validated
	}
	e.ptrAsked = true
	// A part of the time only: the owner of the address must not be able to make
	// a temperror of a fail either, with name servers that take theirs.
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	ans, err := e.resolver.LookupPTR(ctx, e.ip)
	if err != nil {
		return nil
	}
	for i, name := range ans.Records {
		if i == e.limits.PTRNames || ctx.Err() != nil { // §4.6.4: all others are ignored
			break
		}
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !nameable(name) {
			continue
		}
		addrs, err := e.addresses(ctx, name)
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if a.Unmap() == e.ip {
				e.validated = append(e.validated, name)
				break
			}
		}
	}
	return e.validated
}

// validatedName is %{p}: <domain> itself, else a name below it, else any
// validated name, else "unknown" (§7.3).
func (e *evaluation) validatedName(ctx context.Context, domain string) string {
	best := "unknown"
	below := false
	for i, name := range e.validatedNames(ctx) {
		switch {
		case name == domain:
			return name
		case within(name, domain) && !below:
			best, below = name, true
		case i == 0:
			best = name
		}
	}
	return best
}

// within reports whether name is domain or a name below it; both lower case.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// addresses asks for the client's family only (§5).
func (e *evaluation) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	var ans resolve.Answer[netip.Addr]
	var err error
	if e.ip.Is4() {
		ans, err = e.resolver.LookupA(ctx, name)
	} else {
		ans, err = e.resolver.LookupAAAA(ctx, name)
	}
	return ans.Records, err
}

// among compares the client with addresses, as far as the prefix length for
// its family says (§5).
func (e *evaluation) among(addrs []netip.Addr, d *directive) bool {
	bits := d.cidr6
	if e.ip.Is4() {
		bits = d.cidr4
	}
	for _, a := range addrs {
		if p := netip.PrefixFrom(a, bits); p.IsValid() && p.Contains(e.ip) {
			return true
		}
	}
	return false
}
