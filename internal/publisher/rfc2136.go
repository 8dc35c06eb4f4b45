package publisher

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// Config2136 says whom to tell, and as whom.
type Config2136 struct {
	// Server is the primary of the zones: a name or an address, with or without a
	// port (53).
	Server string
	// TSIGFile has one key, as tsig-keygen writes it, or hmac-sha256:NAME:SECRET.
	TSIGFile string
	// Timeout is for one Publish; 0: 10 s.
	Timeout time.Duration
	// Now is the time of our signatures; nil: time.Now.
	Now func() time.Time
}

const (
	defaultTimeout = 10 * time.Second
	// maxSteps bounds the way up to a zone. A server tells the zone at the first
	// question as a rule.
	maxSteps = 10
	// fudge is how far the clocks may differ, in seconds: what all tools use.
	fudge = 300
)

type updater struct {
	server  string // with a port
	key     *tsigKey
	timeout time.Duration
	now     func() time.Time
}

// NewRFC2136 reads the key; nobody is asked yet.
func NewRFC2136(cfg Config2136) (Publisher, error) {
	server, err := hostPort(cfg.Server)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("timeout %v is negative", cfg.Timeout)
	}
	key, err := readKey(cfg.TSIGFile)
	if err != nil {
		return nil, err
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return &updater{server: server, key: key, timeout: cmp.Or(cfg.Timeout, defaultTimeout), now: now}, nil
}

// hostPort adds the port where there is none.
func hostPort(s string) (string, error) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return netip.AddrPortFrom(a, 53).String(), nil
	}
	if a, err := netip.ParseAddrPort(s); err == nil && a.Port() != 0 {
		return a.String(), nil
	}
	host, port := s, "53"
	if strings.Contains(s, ":") {
		host, port, _ = net.SplitHostPort(s) // "" is no name
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil || n == 0 || resolve.CheckName(host) != nil || strings.ContainsFunc(host, func(r rune) bool { return !hostRune(r) }) {
		return "", problem.Fail("server: the primary name server of the zone, such as 192.0.2.1, [2001:db8::1]:53 or ns1.example.com", "server %.300q is no name or address", s)
	}
	return net.JoinHostPort(host, fmt.Sprint(n)), nil
}

// Publish implements Publisher. What other records are at the name stays; where it
// is an alias nothing is done.
func (u *updater) Publish(ctx context.Context, c Change) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, u.timeout)
	defer cancel()
	zone, err := u.zone(ctx, c.Name)
	if err != nil {
		return err
	}
	if strings.EqualFold(zone, c.Name) {
		return problem.Fail("records of keys are below _domainkey", "record %s: it is the zone itself, whose other TXT records (SPF) would go", c.Name)
	}
	_, err = u.exchange(ctx, c.update(zone), request{c.Name, zone})
	return err
}

// update is one message, which the server does as a whole or not at all: the
// records that are there, whatever they are, give way to the new one. An alias that
// came since we looked stops it.
func (c Change) update(zone string) *dns.Msg {
	name := dns.Fqdn(c.Name)
	header := func(t uint16) dns.RR_Header { return dns.RR_Header{Name: name, Rrtype: t, Class: dns.ClassINET} }
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	m.RRsetNotUsed([]dns.RR{&dns.CNAME{Hdr: header(dns.TypeCNAME)}})
	m.RemoveRRset([]dns.RR{&dns.TXT{Hdr: header(dns.TypeTXT)}})
	if !c.Remove {
		t := &dns.TXT{Hdr: header(dns.TypeTXT)}
		t.Hdr.Ttl = c.TTL
		for _, s := range chunks(c.Value) {
			t.Txt = append(t.Txt, escape(s))
		}
		m.Insert([]dns.RR{t})
	}
	return m
}

// zone asks the server which of its zones a name is in: it says so in the SOA record
// that goes with every answer. The questions are signed, since a server may have a
// view for each key.
func (u *updater) zone(ctx context.Context, name string) (string, error) {
	at := name
	for i := 0; i < maxSteps && at != ""; i++ {
		m := new(dns.Msg).SetQuestion(dns.Fqdn(at), dns.TypeSOA)
		m.RecursionDesired = false
		answer, err := u.exchange(ctx, m, request{name, ""})
		if err != nil {
			return "", err
		}
		for _, rr := range answer.Answer {
			if c, ok := rr.(*dns.CNAME); ok && at == name && strings.EqualFold(c.Hdr.Name, dns.Fqdn(name)) {
				return "", aliased(name, strings.TrimSuffix(c.Target, "."))
			}
		}
		if !answer.Authoritative {
			break
		}
		for _, rr := range append(answer.Answer, answer.Ns...) {
			if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, dns.Fqdn(name)) {
				return strings.TrimSuffix(soa.Hdr.Name, "."), nil
			}
		}
		_, at, _ = strings.Cut(at, ".")
	}
	return "", u.notPrimary(name)
}

func aliased(name, target string) error {
	return problem.Fail("publish the record at "+target+" itself, whoever runs that zone; or remove the CNAME",
		"record %s: the name is an alias (CNAME) of %s: nothing was changed", name, target)
}

func (u *updater) notPrimary(name string) error {
	return problem.Fail("server: the primary of the zone of "+name+", which holds the zone itself",
		"record %s: server %s does not have its zone", name, u.server)
}
