package doctor

import (
	"context"
	"net/netip"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// answers counts what a resolver is asked, and how much of that it answers.
type answers struct {
	resolve.Resolver
	asked, answered int
	last            error // the last question without an answer
	longest         int   // bytes of text of the longest answer
	truncated       error // a question whose answer was too long to come through
}

func counted[T any](c *answers, a resolve.Answer[T], err error) (resolve.Answer[T], error) {
	if c.asked++; resolve.Temporary(err) {
		c.last = err
		if isTruncated(err) {
			c.truncated = err
		}
	} else {
		c.answered++
	}
	return a, err
}

func (c *answers) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	a, err := c.Resolver.LookupTXT(ctx, name)
	n := 0
	for _, t := range a.Records {
		n += len(t)
	}
	c.longest = max(c.longest, n)
	return counted(c, a, err)
}

func (c *answers) LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	a, err := c.Resolver.LookupA(ctx, name)
	return counted(c, a, err)
}

func (c *answers) LookupAAAA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	a, err := c.Resolver.LookupAAAA(ctx, name)
	return counted(c, a, err)
}

func (c *answers) LookupMX(ctx context.Context, name string) (resolve.Answer[resolve.MX], error) {
	a, err := c.Resolver.LookupMX(ctx, name)
	return counted(c, a, err)
}

func (c *answers) LookupPTR(ctx context.Context, ip netip.Addr) (resolve.Answer[string], error) {
	a, err := c.Resolver.LookupPTR(ctx, ip)
	return counted(c, a, err)
}

// LookupCNAME makes answers a resolve.Aliaser where its resolver is one.
func (c *answers) LookupCNAME(ctx context.Context, name string) (resolve.Answer[string], error) {
	a, ok := c.Resolver.(resolve.Aliaser)
	if !ok {
		return resolve.Answer[string]{}, resolve.ErrNoData
	}
	ans, err := a.LookupCNAME(ctx, name)
	return counted(c, ans, err)
}

// noDNS is the one finding where no question at all was answered; servers are those
// that were asked.
func (c *answers) noDNS(servers string) (Finding, bool) {
	if c.asked == 0 || c.answered > 0 {
		return Finding{}, false
	}
	if servers == "" {
		servers = "the resolver"
	}
	return Finding{Level: Fail, Check: "dns", Subject: servers, Seen: show(c.last.Error()), Who: You,
		Message: words.Say("answers nothing (%d questions), so that nothing is known of the domain; no mail can be checked either", c.asked),
		Want:    words.Say("a resolver that answers: dns.servers in milter.yaml, or nameserver in /etc/resolv.conf")}, true
}
