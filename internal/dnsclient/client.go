// Package dnsclient is the resolve.Resolver that asks real DNS servers: the
// ones of the configuration or of resolv.conf, which do the recursion and the
// DNSSEC validation for us (RFC 1035 §7, RFC 2308, RFC 6891, RFC 8767).
//
// Where the port's three answers come from: NXDOMAIN and NODATA are what a
// server positively said; everything else, from a time-out to an answer that
// does not fit the question, is temporary.
//
// It deliberately has no search domains, no /etc/hosts, no iteration from the
// root, no validation of its own, and no NXDOMAIN cut (RFC 8020 §2): servers
// that wrongly say NXDOMAIN for an empty non-terminal such as
// _domainkey.example.com are common enough that a key below it would vanish.
package dnsclient

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Config says whom to ask and how much to remember. The zero value works.
type Config struct {
	// Servers are IP addresses, with or without a port (53): "127.0.0.1:53",
	// "[::1]:5353", "2001:db8::1". Empty: those of ResolvConf, which is read
	// again when it changes.
	Servers []string
	// ResolvConf is the file to read when Servers is empty; "": /etc/resolv.conf.
	ResolvConf string
	// Timeout is for one question: all servers, retries, TCP and CNAMEs
	// included. It may wait as long before that for its turn (slots.go). 0: 3 s.
	Timeout time.Duration
	// CacheSize bounds the cache in units of 512 bytes of records; an ordinary
	// answer takes one. 0: 10,000.
	CacheSize int
	// TrustAD believes the AD bit of every server. Otherwise only that of
	// servers on a loopback address, where nobody can set it on the way
	// (RFC 6840 §5.7, RFC 4035 §4.9.3), and of a resolv.conf with `options trust-ad`.
	TrustAD bool
	// Now is the cache's clock; nil: time.Now.
	Now func() time.Time
	// Observe is told of each look-up: the type ("TXT"), the outcome (one of
	// the Outcome constants) and how long it took. nil: nobody. It is called
	// from many goroutines.
	Observe func(qtype, outcome string, d time.Duration)
	// State is told how many questions more (1) or fewer (-1) are in one of the
	// two states of those in flight. nil: nobody. It must not call the client.
	State func(state string, delta int)
}

// The states that Config.State is told.
const (
	StateWaiting = "waiting" // for its turn
	StateAsked   = "asked"   // a server; it has a socket
)

// The outcomes that Config.Observe is told.
const (
	OutcomeAnswer    = "answer"    // asked: records
	OutcomeNXDomain  = "nxdomain"  // asked: no such name
	OutcomeNoData    = "nodata"    // asked: no such record
	OutcomeTemporary = "temporary" // asked, or asked a moment ago: no server knew
	OutcomeStale     = "stale"     // no server knew, an expired answer was used
	OutcomeCached    = "cached"    // not asked: the cache knew
	OutcomeAbandoned = "abandoned" // nobody waited for the answer any more
	OutcomeCrowded   = "crowded"   // too many questions of its client, or of all, were in flight
)

const (
	defaultTimeout   = 3 * time.Second
	defaultCacheSize = 10_000
	// MaxInFlight bounds the sockets that are open at one time, so that slow
	// zones never use up the file descriptors that MTAs connect to. A message asks
	// five questions at a time or so, an expensive one some fifty: it is many times
	// what the 100 smtpd processes that Postfix has by default need together, and
	// the half that one client may have (slots.go) what 20 expensive messages do.
	MaxInFlight = 2048
	// maxPatience is how long a question may keep others waiting. Most answers
	// that come at all come sooner, and those who wait have time left to ask.
	maxPatience = time.Second
)

// Client is a resolve.Resolver with a cache. It is safe for concurrent use.
// What it is asked itself is caused by nobody's mail; see For.
type Client struct {
	view

	servers *serverList
	timeout time.Duration
	trustAD bool
	now     func() time.Time
	observe func(qtype, outcome string, d time.Duration)

	cache   *otter.Cache[question, *entry]
	flights *flights
	first   atomic.Uint32 // index of the server that answered last
}

// view is the client as one client's mail sees it.
type view struct {
	c   *Client
	who client
}

var (
	_ resolve.Resolver = (*Client)(nil)
	_ resolve.Sharer   = (*Client)(nil)
	_ resolve.Aliaser  = (*Client)(nil)
)

// For implements resolve.Sharer: a client is the /24 or, with IPv6, the /48 of
// ip. Addresses that are none are one client together.
func (c *Client) For(ip netip.Addr) resolve.Resolver { return view{c, clientOf(ip)} }

// New checks cfg and returns a client; nothing is asked yet. A resolv.conf
// that is missing or names no server means the servers on this host, as
// resolv.conf(5) says. Close ends the client.
func New(cfg Config) (*Client, error) {
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	servers, err := newServerList(cfg.Servers, cmp.Or(cfg.ResolvConf, "/etc/resolv.conf"), now)
	if err != nil {
		return nil, err
	}
	cache, err := newCache(cmp.Or(cfg.CacheSize, defaultCacheSize))
	if err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("dns: timeout %v is negative", cfg.Timeout)
	}
	observe := cfg.Observe
	if observe == nil {
		observe = func(string, string, time.Duration) {}
	}
	state := cfg.State
	if state == nil {
		state = func(string, int) {}
	}
	c := &Client{
		servers: servers,
		timeout: cmp.Or(cfg.Timeout, defaultTimeout),
		trustAD: cfg.TrustAD,
		now:     now,
		observe: observe,
		cache:   cache,
	}
	c.view.c = c
	c.flights = newFlights(MaxInFlight, min(maxPatience, c.timeout/3), state)
	return c, nil
}

// Close abandons the questions in flight and waits for their goroutines.
// After it, what the cache does not know is ErrTemporary.
func (c *Client) Close() { c.flights.close() }

// Servers returns the servers that are asked at present, first one first.
func (c *Client) Servers() []string {
	var out []string
	for _, s := range c.servers.current() {
		out = append(out, s.addr.String())
	}
	return out
}

// LookupTXT implements resolve.Resolver.
func (v view) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	return lookup(ctx, v, name, dns.TypeTXT, readTXT)
}

// LookupA implements resolve.Resolver.
func (v view) LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return lookup(ctx, v, name, dns.TypeA, readA)
}

// LookupAAAA implements resolve.Resolver. A v4-mapped address stays one: it is
// what the record says.
func (v view) LookupAAAA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return lookup(ctx, v, name, dns.TypeAAAA, readAAAA)
}

// LookupMX implements resolve.Resolver.
func (v view) LookupMX(ctx context.Context, name string) (resolve.Answer[resolve.MX], error) {
	a, err := lookup(ctx, v, name, dns.TypeMX, readMX)
	slices.SortStableFunc(a.Records, func(x, y resolve.MX) int { return cmp.Compare(x.Preference, y.Preference) })
	return a, err
}

// LookupPTR implements resolve.Resolver.
func (v view) LookupPTR(ctx context.Context, ip netip.Addr) (resolve.Answer[string], error) {
	if !ip.IsValid() {
		return resolve.Answer[string]{}, &resolve.Error{Type: "PTR", Name: ip.String(), Err: resolve.ErrNXDomain}
	}
	return lookup(ctx, v, resolve.ReverseName(ip), dns.TypePTR, readPTR)
}

// LookupCNAME implements resolve.Aliaser.
func (v view) LookupCNAME(ctx context.Context, name string) (resolve.Answer[string], error) {
	return lookup(ctx, v, name, dns.TypeCNAME, readCNAME)
}

// lookup answers from the cache or asks; read makes a T of a record, or says
// that this one cannot be represented.
func lookup[T comparable](ctx context.Context, v view, name string, qtype uint16, read func(dns.RR) (T, bool)) (resolve.Answer[T], error) {
	q := question{lower(strings.TrimSuffix(name, ".")), qtype}
	fail := func(err error) (resolve.Answer[T], error) {
		return resolve.Answer[T]{}, &resolve.Error{Type: dns.TypeToString[qtype], Name: name, Err: err}
	}
	if err := resolve.CheckName(q.name); err != nil {
		return fail(fmt.Errorf("%w: %w", resolve.ErrNXDomain, err))
	}
	e, err := v.find(ctx, q, func(rrs []dns.RR) (any, int, int) { return collect(rrs, read) })
	if err != nil {
		return fail(err)
	}
	if e.err != nil {
		return fail(e.err)
	}
	records, ok := e.records.([]T)
	if !ok || len(records) == 0 {
		return fail(fmt.Errorf("%w: no usable entry", resolve.ErrTemporary))
	}
	return resolve.Answer[T]{Records: slices.Clone(records), TTL: max(e.expires.Sub(v.c.now()), 0), Secure: e.secure}, nil
}

// collector turns records into a slice of the wanted type, its length, and
// its size in bytes.
type collector func([]dns.RR) (records any, n, size int)

// find returns the entry for q from the cache, or from a flight that all who
// ask for q at this moment share.
func (v view) find(ctx context.Context, q question, collect collector) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", resolve.ErrTemporary, err)
	}
	if e, outcome := v.c.cached(q, v.c.now()); e != nil {
		v.c.observe(q.typ(), outcome, 0)
		return e, nil
	}
	return v.c.flights.find(ctx, q, v.who, func(ctx context.Context, turn <-chan struct{}) *entry {
		return v.c.fetch(ctx, turn, q, collect)
	})
}
