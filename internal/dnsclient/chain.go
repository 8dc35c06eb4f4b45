package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// maxCNAMEs bounds the aliases from the question to the records. Real
	// chains (a hosted key's selector) have one to three.
	maxCNAMEs = 10
	// maxRecords bounds an answer section. A longer one is temporary, not cut:
	// an address that was cut off would make SPF fail a good client.
	maxRecords = 256
)

// reply is what the servers positively said.
type reply struct {
	rrs    []dns.RR      // of the type that was asked, owned by the end of the chain; to be read without err only
	ttl    time.Duration // within minTTL and maxTTL; 0: not to be remembered
	secure bool
	err    error // ErrNXDomain or ErrNoData
}

// ask follows the CNAMEs from q to its records, asking again where the chain
// leaves the answer. The error wraps ErrTemporary.
func (c *Client) ask(ctx context.Context, q question) (reply, error) {
	ch := chain{name: q.name, qtype: q.qtype, ttl: maxTTL}
	secure := true
	for {
		m, trusted, err := c.exchange(ctx, question{ch.name, q.qtype})
		if err != nil {
			return reply{}, err
		}
		secure = secure && trusted && m.AuthenticatedData
		r, again, err := ch.follow(m)
		if err != nil {
			return reply{}, fmt.Errorf("%w: %w", resolve.ErrTemporary, err)
		}
		if !again {
			r.secure = secure
			return r, nil
		}
	}
}

// chain is how far we have come.
type chain struct {
	name  string // whose records are wanted now
	qtype uint16
	hops  int
	ttl   time.Duration // the shortest so far
}

// follow walks through one answer. again means that the chain goes on at
// ch.name, about which m says nothing.
func (ch *chain) follow(m *dns.Msg) (r reply, again bool, err error) {
	if len(m.Answer) > maxRecords {
		return r, false, fmt.Errorf("more than %d records in an answer", maxRecords)
	}
	owners := make([]string, len(m.Answer))
	for i, rr := range m.Answer {
		if name, ok := rawName(rr.Header().Name); ok && rr.Header().Class == dns.ClassINET {
			owners[i] = lower(name)
		}
	}
	asked, known := ch.name, len(m.Answer) == 0
	for {
		var target *dns.CNAME
		for i, rr := range m.Answer {
			if owners[i] != ch.name {
				continue
			}
			known = true
			if cname, ok := rr.(*dns.CNAME); ok && target == nil {
				target = cname
			}
			if rr.Header().Rrtype == ch.qtype {
				r.rrs = append(r.rrs, rr)
				ch.ttl = min(ch.ttl, seconds(rr.Header().Ttl))
			}
		}
		if len(r.rrs) > 0 && m.Rcode == dns.RcodeSuccess {
			r.ttl = max(ch.ttl, minTTL)
			return r, false, nil
		}
		if target == nil {
			break
		}
		if err := ch.hop(target); err != nil {
			return r, false, err
		}
	}
	soa, hasSOA := negativeTTL(m)
	if hasSOA {
		r.ttl = max(min(ch.ttl, soa), minTTL)
	}
	switch {
	case m.Rcode == dns.RcodeNameError:
		// RFC 2308 §2.1: with aliases in the answer it is the last name that
		// does not exist.
		r.err = resolve.ErrNXDomain
	case !known:
		return r, false, errors.New("the answer does not fit the question")
	case ch.name == "":
		r.err = resolve.ErrNoData // an alias of the root, which exists
	case ch.name != asked && !hasSOA:
		return r, true, nil
	default:
		r.err = resolve.ErrNoData
	}
	return r, false, nil
}

// hop takes one alias.
func (ch *chain) hop(c *dns.CNAME) error {
	if ch.hops++; ch.hops > maxCNAMEs {
		return fmt.Errorf("cname loop, or more than %d cnames", maxCNAMEs)
	}
	target, ok := rawName(c.Target)
	if !ok {
		return errors.New("cname to a name with a dot inside a label")
	}
	ch.name = lower(target)
	ch.ttl = min(ch.ttl, seconds(c.Hdr.Ttl))
	return nil
}

// negativeTTL reads the SOA record of a negative answer (RFC 2308 §5: the
// lesser of its TTL and its MINIMUM). Without one the answer is not cached.
func negativeTTL(m *dns.Msg) (ttl time.Duration, ok bool) {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return seconds(min(soa.Hdr.Ttl, soa.Minttl)), true
		}
	}
	return 0, false
}

// seconds is a TTL. RFC 8767 §4: with the highest bit set it is just long.
func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }
