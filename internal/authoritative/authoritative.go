// Package authoritative asks every name server of a zone itself what it has at a
// name, past all caches: whoever starts to use a record waits until each of them
// shows it, since a receiver may ask any.
//
// The servers are those of the NS records of the zone that the name is in, and of the
// zone behind each of its aliases. Where none of them answers at all, as behind a
// firewall that lets only the resolver ask, the resolver's answer counts.
//
// It knows no keys: what a record should be is its caller's. It deliberately keeps
// nothing, retries nothing, validates no DNSSEC, and cannot see the other instances
// behind an anycast address.
package authoritative

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
)

// Who owns a zone chooses its servers, their addresses and its aliases. These
// bound what one look-up costs us and those who are named.
const (
	// maxAliases is the names behind aliases; a tenant's key has one or two.
	maxAliases = 8
	// maxHosts is the servers of one zone: the root and the largest have 13.
	maxHosts = 13
	// maxAddresses is the addresses of a server in each family.
	maxAddresses = 2
	// maxVia is the servers of the configuration.
	maxVia = 8
	// maxQuestions is for all of one look-up: four zones with as many servers as a
	// zone may have that answer, or one such zone and eight ordinary ones.
	maxQuestions = 200
	// atOnce is the sockets of one look-up.
	atOnce = 16
)

// Resolver finds the servers; *dnsclient.Client is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error)
	LookupNS(ctx context.Context, name string) (resolve.Answer[string], error)
	LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error)
	LookupAAAA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error)
}

// Checker asks. It is safe for concurrent use when its fields are.
type Checker struct {
	Resolver Resolver
	// Ask puts one question to one server; nil: dnsclient.AskTXT.
	Ask func(ctx context.Context, to netip.AddrPort, name string, recurse bool) (dnsclient.Said, error)
	// Via are asked in place of the servers that the DNS names: where it names them
	// for the inside (split horizon), these know what the world sees. They may be
	// resolvers. At most 8.
	Via []netip.AddrPort
	// Allow says which addresses out of the DNS may be asked; nil: those of the
	// world. An owner who names 127.0.0.1 would have us talk to our own services.
	Allow func(netip.Addr) bool
	// Port of the servers that the DNS names; 0: 53.
	Port uint16
}

// Answer is what one address of one server said.
type Answer struct {
	Name   string // that it was asked for
	Server string // "ns1.example.net", or the address of one of Via
	Addr   netip.AddrPort
	// Records are those of the name itself: none without an Err means that the
	// server says so.
	Records []string
	Alias   string // the target of its CNAME
	// Err is why it did not say what is there.
	Err error
	// Skipped: nobody in the world can ask it, so that it does not count.
	Skipped bool
}

// String names the server.
func (a Answer) String() string {
	if !a.Addr.IsValid() || a.Server == a.Addr.String() {
		return a.Server
	}
	return a.Server + " (" + a.Addr.Addr().String() + ")"
}

// ends reports whether it is about the records, and not on the way to them.
func (a Answer) ends() bool { return a.Err == nil && a.Alias == "" }

// Result is what all of them said.
type Result struct {
	Name    string
	Answers []Answer
	// Resolver is its answer, where no server said what is there.
	Resolver *Answer
	// Err is why some were not asked: no servers found, too many aliases.
	Err error
}

// Verdict on a Result.
type Verdict string

const (
	Shown   Verdict = "shown"   // every server shows it
	Missing Verdict = "missing" // a server says: not this, no record, no such name
	Unknown Verdict = "unknown" // none says no, and not every server says yes
)

// Verdict sums up; shows reports whether records are as they should be.
func (r Result) Verdict(shows func(records []string) bool) Verdict {
	ends := false
	for _, a := range r.Answers {
		if !a.ends() {
			continue
		}
		if ends = true; !shows(a.Records) {
			return Missing
		}
	}
	switch {
	case r.Resolver != nil && r.Resolver.Err != nil:
		return Unknown
	case r.Resolver != nil && shows(r.Resolver.Records):
		return Shown
	case r.Resolver != nil:
		return Missing
	case r.Err != nil || !ends || len(r.Silent()) > 0:
		return Unknown
	}
	return Shown
}

// Silent are the answers of the servers none of whose addresses answered.
func (r Result) Silent() (all []Answer) {
	for _, a := range r.Answers {
		if a.Skipped || a.Err == nil {
			continue
		}
		if !slices.ContainsFunc(r.Answers, func(b Answer) bool { return b.Err == nil && b.Name == a.Name && b.Server == a.Server }) {
			all = append(all, a)
		}
	}
	return all
}

// TXT asks all servers for the TXT records at name. ctx needs a deadline: 30 s is
// enough where all of them answer.
func (c *Checker) TXT(ctx context.Context, name string) Result {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	r := Result{Name: name}
	if r.Err = resolve.CheckName(name); r.Err != nil {
		return r
	}
	w := &walk{Checker: c, left: maxQuestions}
	names := []string{name}
	for i := 0; i < len(names); i++ {
		if i > maxAliases {
			r.Err = errors.Join(r.Err, fmt.Errorf("more than %d aliases", maxAliases))
			break
		}
		servers, err := w.servers(ctx, names[i])
		if err != nil {
			r.Err = errors.Join(r.Err, err)
			continue
		}
		answers, err := w.ask(ctx, servers, names[i])
		r.Err = errors.Join(r.Err, err)
		r.Answers = append(r.Answers, answers...)
		for _, a := range answers {
			if a.Alias != "" && !slices.Contains(names, a.Alias) {
				names = append(names, a.Alias)
			}
		}
	}
	// Via are there because the resolver sees something else.
	if len(c.Via) == 0 && !slices.ContainsFunc(r.Answers, Answer.ends) {
		r.Resolver = c.resolver(ctx, name)
	}
	return r
}

func (c *Checker) resolver(ctx context.Context, name string) *Answer {
	records, err := c.Resolver.LookupTXT(ctx, name)
	a := &Answer{Name: name, Server: "the resolver", Records: records.Records}
	if !resolve.Void(err) {
		a.Err = err
	}
	return a
}

func (c *Checker) allowed(a netip.Addr) bool {
	if c.Allow != nil {
		return c.Allow(a)
	}
	return address.Public(a)
}

func (c *Checker) port() uint16 { return cmp.Or(c.Port, 53) }
