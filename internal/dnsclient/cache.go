package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// A record is believed for a day at most, so that a mistake in a zone with
	// long TTLs heals overnight, and for a second at least, so that the checks
	// of one message agree with each other.
	maxTTL = 24 * time.Hour
	minTTL = time.Second
	// RFC 2308 §5: one to three hours are sensible for negative answers.
	maxNegativeTTL = time.Hour
	// RFC 8767 §5 suggests one to three days. The shortest: an old SPF record
	// or key may be held against a message.
	maxStale = 24 * time.Hour
	// RFC 8767 §4 and §5: a stale answer is given out for 30 s, and the servers
	// are asked again no earlier.
	staleTTL = 30 * time.Second
	// failureTTL spares the next messages the wait for a dead zone
	// (RFC 2308 §7.1 allows 5 minutes), yet ends before a sender who was
	// deferred comes back.
	failureTTL = 5 * time.Second

	// weightUnit is the bytes of records that one unit of Config.CacheSize stands for.
	weightUnit = 512
)

// question is the key of the cache and of the flights. The name is raw bytes,
// lower case, without a trailing dot.
type question struct {
	name  string
	qtype uint16 // anyType for a name that does not exist
}

// anyType marks NXDOMAIN entries: they hold for every type (RFC 2308 §5).
const anyType = dns.TypeNone

func (q question) typ() string    { return dns.TypeToString[q.qtype] }
func (q question) String() string { return q.typ() + " " + q.name }

// entry is what the cache knows about a question. Entries are immutable.
type entry struct {
	records any // []string, []netip.Addr, []resolve.MX or []nsRecord
	size    int // bytes of records
	secure  bool
	err     error     // wraps ErrNXDomain, ErrNoData or ErrTemporary; nil: records
	expires time.Time // of records or err

	// After the servers failed, what they last said stays with the failure, and
	// they are not asked before retry.
	failure error
	retry   time.Time
}

// newCache is bounded by weight, so that big records of a hostile zone cannot
// take more memory than many small ones. Entries carry their own expiry: they
// outlive it to serve as stale answers, and otter needs no clock and no
// goroutine.
func newCache(size int) (*otter.Cache[question, *entry], error) {
	if size < 1 {
		return nil, errors.New("cache_size must be at least 1")
	}
	return otter.New(&otter.Options[question, *entry]{
		MaximumWeight: uint64(size),
		Weigher: func(q question, e *entry) uint32 {
			return uint32(1 + (len(q.name)+e.size)/weightUnit)
		},
		Executor: func(task func()) { task() },
	})
}

// cached returns what may be answered without asking, and its outcome, or nil.
func (c *Client) cached(q question, now time.Time) (*entry, string) {
	e, ok := c.cache.GetIfPresent(q)
	if ok && now.Before(e.expires) {
		return e, OutcomeCached
	}
	if nx, ok := c.cache.GetIfPresent(question{q.name, anyType}); ok && now.Before(nx.expires) {
		return nx, OutcomeCached
	}
	if ok && now.Before(e.retry) {
		return e.failed(now)
	}
	return nil, ""
}

// failed is what an entry answers while the servers fail: its records when
// they are not too old (RFC 8767 §5), else the failure. Negative answers are
// not served stale: a key that was published a minute ago must not be denied
// because the servers do not answer.
func (e *entry) failed(now time.Time) (*entry, string) {
	if e.records != nil && now.Before(e.expires.Add(maxStale)) {
		return &entry{records: e.records, size: e.size, expires: now.Add(staleTTL)}, OutcomeStale
	}
	return &entry{err: e.failure}, OutcomeTemporary
}

// fetch asks the servers and remembers what they said. It runs once for all
// that ask q at one time, and owns its own deadlines: one for the wait for its
// turn, and then one for the question, so that a wait never makes a failure of
// the zone.
func (c *Client) fetch(ctx context.Context, turn <-chan struct{}, q question, collect collector) (e *entry) {
	start := c.now()
	outcome := OutcomeTemporary
	defer func() { c.observe(q.typ(), outcome, c.now().Sub(start)) }()

	// A flight that landed between the caller's look into the cache and this
	// flight's start has the answer.
	if known, o := c.cached(q, start); known != nil {
		outcome = o
		return known
	}
	waiting, cancel := context.WithTimeoutCause(ctx, c.timeout, resolve.ErrCrowded)
	defer cancel()
	select {
	case <-turn:
	case <-waiting.Done():
		e, outcome = c.gaveUp(q, context.Cause(waiting), c.now())
		return e
	}
	asking, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := c.ask(asking, q)
	switch {
	case err == nil:
		e, outcome = c.remember(q, r, collect, c.now())
	case ctx.Err() != nil:
		e, outcome = c.gaveUp(q, context.Cause(ctx), c.now())
	default:
		e, outcome = c.rememberFailure(q, err, c.now())
	}
	return e
}

// remember stores a positive or negative reply.
func (c *Client) remember(q question, r reply, collect collector, now time.Time) (*entry, string) {
	e := &entry{err: r.err, secure: r.secure}
	if e.err == nil {
		var n int
		if e.records, n, e.size = collect(r.rrs); n == 0 {
			e.err = fmt.Errorf("%w: none that a name can be made of", resolve.ErrNoData)
			e.records = nil
		}
	}
	if e.err == nil {
		e.expires = now.Add(r.ttl)
		c.keep(q, e)
		return e, OutcomeAnswer
	}
	e.expires = now.Add(min(r.ttl, maxNegativeTTL))
	if !errors.Is(e.err, resolve.ErrNXDomain) {
		c.keep(q, e) // with a TTL of 0 it still replaces what may not be served stale now
		return e, OutcomeNoData
	}
	// What we knew about the name is void for every type.
	for _, t := range []uint16{dns.TypeTXT, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypePTR, dns.TypeNS, dns.TypeCNAME} {
		c.cache.Invalidate(question{q.name, t})
	}
	c.keep(question{q.name, anyType}, e)
	return e, OutcomeNXDomain
}

// keep puts an entry into the cache, where there is to be one.
func (c *Client) keep(q question, e *entry) {
	if !c.forgets {
		c.cache.Set(q, e)
	}
}

// rememberFailure keeps the last known answer beside the failure.
func (c *Client) rememberFailure(q question, err error, now time.Time) (*entry, string) {
	kept := c.lastKnown(q, err)
	e, outcome := kept.failed(now)
	kept.retry = now.Add(failureTTL)
	if outcome == OutcomeStale {
		kept.retry = now.Add(staleTTL)
	}
	c.keep(q, kept)
	return e, outcome
}

// gaveUp is the answer of a flight that ended before its servers had their
// time. That says nothing about the zone, and is not remembered.
func (c *Client) gaveUp(q question, why error, now time.Time) (*entry, string) {
	e, outcome := c.lastKnown(q, why).failed(now)
	switch {
	case errors.Is(why, errAbandoned):
		outcome = OutcomeAbandoned
	case errors.Is(why, resolve.ErrCrowded) && outcome != OutcomeStale:
		outcome = OutcomeCrowded
	}
	return e, outcome
}

// lastKnown is what the servers last said about q, with a failure beside it.
func (c *Client) lastKnown(q question, failure error) *entry {
	if old, ok := c.cache.GetIfPresent(q); ok && !old.expires.IsZero() {
		e := *old
		e.failure = failure
		return &e
	}
	return &entry{failure: failure, err: failure}
}
