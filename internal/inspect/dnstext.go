package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// DNSText writes down what belongs into the DNS for domains of ours.
type DNSText struct {
	Config  *config.Config
	Store   *keys.Store
	Domains []string // in the order in which they are written
	Leaving Leaving
	Form    publish.Form
	// Resolver knows what is published; nil: nobody is asked.
	Resolver resolve.Resolver
	// Leave out what is published: silently, or with a line that says so.
	Skip, Say bool
	KeysOnly  bool // no advice about SPF and DMARC
	// To has each domain's selectors lead to names that end with it, "" for none.
	To string
	// Side is whose records are written of such domains: SideCustomer, SideHoster, "" both.
	Side string
	// NewKey is the command that makes keys for a domain.
	NewKey func(domain string) string
}

// The sides of a delegated domain.
const (
	SideCustomer = "customer"
	SideHoster   = "hoster"
)

// page is what is written of one domain.
type page struct {
	parts []part
	err   error
}

type part struct {
	title   string
	records []publish.Entry
	note    string
}

// Written is how it went.
type Written struct {
	Failed   []error           // a domain each; problem.ErrShown: its keys cannot be used
	Problems []problem.Problem // with what was written
	records  int               // that were looked at
	unknown  int               // of which the DNS said nothing
	printed  int
}

// NeedsDNS reports whether what is written depends on what is published.
func (d DNSText) NeedsDNS() bool {
	return d.Skip || d.Form == publish.Plain || d.Form == publish.CSV || d.Form == publish.JSON
}

// Write asks and writes, each domain as soon as it is its turn.
func (d DNSText) Write(ctx context.Context, to io.Writer) (Written, error) {
	var done Written
	out, err := publish.NewWriter(to, d.Form)
	if err != nil {
		return done, err
	}
	a, k := &asker{r: d.Resolver}, d.known()
	err = inOrder(ctx, len(d.Domains), askedAtOnce, func(ctx context.Context, i int) page {
		p := d.page(d.Domains[i], k)
		for _, part := range p.parts {
			a.ask(ctx, part.records)
		}
		return p
	}, func(_ int, p page) error {
		if p.err != nil {
			done.Failed = append(done.Failed, p.err)
			return nil
		}
		return d.print(out, p, &done)
	})
	if err != nil {
		return done, problem.Fail("", "%w", err)
	}
	done.Problems = d.problems(done)
	if done.printed == 0 && d.Form == publish.Route53 && (d.Skip || len(done.Failed) > 0) {
		return done, nil // Amazon takes no batch without a change
	}
	if err := out.Close(); err != nil {
		return done, problem.Fail("", "%w", err)
	}
	return done, nil
}

// known is what is looked up once for all domains.
type known struct {
	helo      string              // the domain with whose records the HELO name's is written
	selectors map[string][]string // that milter.yaml lists
}

func (d DNSText) known() known {
	k := known{helo: d.heloDomain(), selectors: map[string][]string{}}
	for _, s := range d.Config.Sign.Domains {
		k.selectors[s.Name] = s.Selectors
	}
	return k
}

// problems are the warnings that belong to what was written.
func (d DNSText) problems(done Written) (all []problem.Problem) {
	if d.Skip && done.unknown > 0 {
		all = append(all, problem.Problem{Severity: problem.Warning, Place: "dns", Message: fmt.Sprintf("no answer about %d of %d records, which may be published already", done.unknown, done.records),
			Hint: "the resolver is that of dns.servers or /etc/resolv.conf; ask again when it answers"})
	}
	lacks := d.publication("").LacksIPv6()
	if len(lacks) > 0 && !d.KeysOnly && (d.Form == publish.CSV || d.Form == publish.Route53) { // the other forms say it beside the record
		all = append(all, problem.Problem{Severity: problem.Warning, Place: "egress", Message: fmt.Sprintf("has IPv4 addresses only, and this host's MTA uses IPv6 (%s): what leaves over it fails SPF", lacks[0]),
			Hint: "add the address to egress, or keep the MTA to IPv4 (Postfix: inet_protocols = ipv4)"})
	}
	return all
}

func (d DNSText) publication(domain string) publish.Publication {
	return publish.Publication{Domain: domain, Egress: d.Config.Egress, ViaSES: d.Config.Sign.ViaSES(), Relay: d.Leaving.Relay, OwnIPv6: d.Leaving.IPv6, Zone: config.Zone}
}

// print writes a page.
func (d DNSText) print(out *publish.Writer, p page, done *Written) error {
	for _, part := range p.parts {
		todo, there := part.records, []string(nil)
		done.records += len(todo)
		for _, e := range todo {
			if e.State == "" {
				done.unknown++
			}
		}
		if d.Skip || d.Say {
			todo, there = Unpublished(part.records)
		}
		for _, e := range todo {
			if d.Form != publish.Route53 || e.Need != publish.Advice { // which it leaves out
				done.printed++
			}
		}
		if err := out.Add(part.title, todo); err != nil {
			return err
		}
		if part.note != "" {
			out.Note(part.note)
		}
		if len(there) > 0 && d.Say {
			out.Note(fmt.Sprintf("published already: %s (--all prints them)", strings.Join(there, ", ")))
		}
	}
	return nil
}

// WithoutKeyless leaves out what is said of domains without a key: DNSText says it.
func WithoutKeyless(store *keys.Store, problems []keys.Problem) []keys.Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p keys.Problem) bool {
		_, sdid, err := store.Pick(p.Domain)
		return p.Severity == keys.Warning && sdid == p.Domain && errors.Is(err, keys.ErrNoKey)
	})
}

// page is what there is to say of a domain.
func (d DNSText) page(domain string, k known) page {
	list, sdid, err := d.Store.ToPublish(domain)
	delegated := d.To != "" && sdid != "" && !(publish.Delegation{To: d.To}).Inside(sdid)
	switch {
	case errors.Is(err, keys.ErrNoKey) && delegated:
	case errors.Is(err, keys.ErrNoKey):
		return page{err: d.noKey(sdid)}
	case err != nil:
		return page{err: problem.ErrShown} // what is wrong with the files was said
	}
	pub := d.publication(sdid)
	pub.Keys = list
	if domain == k.helo {
		pub.Helo = d.Leaving.Helo
	}
	title := ""
	if len(d.Domains) > 1 {
		title = sdid
	}
	switch {
	case delegated:
		return d.delegated(pub, k.selectors[sdid])
	case d.Side == SideHoster && len(d.Domains) > 1:
		return page{} // the hoster's own domain has no other side
	case d.KeysOnly:
		return page{parts: []part{{title: title, records: pub.DKIM()}}}
	}
	return page{parts: []part{{title: title, records: pub.Records()}}}
}

// delegated is what there is to say of a domain whose owner does not keep its keys.
func (d DNSText) delegated(pub publish.Publication, selectors []string) page {
	if !strings.HasSuffix(pub.Helo, "."+pub.Domain) {
		pub.Helo = "" // not theirs to publish
	}
	owner, keeper, err := pub.Delegate(publish.Delegation{To: d.To, Selectors: selectors})
	if err != nil {
		return page{err: problem.Fail("delegated selectors take turns and keep their names: "+d.newPair(pub.Domain), "%w", err)}
	}
	var p page
	if d.Side != SideHoster {
		p.parts = append(p.parts, part{title: pub.Domain + ": what its owner publishes", records: owner})
	}
	if d.Side != SideCustomer {
		yours := part{title: d.To + ": what you publish for " + pub.Domain, records: keeper}
		if len(keeper) == 0 {
			yours.note = d.To + ": there are no keys for " + pub.Domain + " yet; make them with: " + d.newPair(pub.Domain)
		}
		p.parts = append(p.parts, yours)
	}
	return p
}

func (d DNSText) newPair(domain string) string {
	return d.NewKey(domain) + " --selector " + publish.DelegatedSelectors()[0]
}

// noKey says how keys are made, or why there can be none.
func (d DNSText) noKey(domain string) error {
	const most = 253 - len("s1e._domainkey.")
	if len(domain) > most {
		return problem.Fail(fmt.Sprintf("a domain that signs may have %d bytes; its parent can sign for it", most),
			"%s is too long: the names of its keys, selector._domainkey. in front of it, may have 253 bytes (RFC 1035)", domain)
	}
	return problem.Fail("make them with: "+d.NewKey(domain), "there are no keys for %s", domain)
}

// heloDomain is the domain below whose records the one of the HELO name is written: the
// closest above it that we sign for, else the first that is asked for.
func (d DNSText) heloDomain() string {
	listed := map[string]bool{}
	for _, s := range d.Config.Sign.Domains {
		listed[s.Name] = true
	}
	for _, s := range append(d.Store.Domains(), d.Domains...) {
		listed[s] = true
	}
	for name, ok := d.Leaving.Helo, true; ok; _, name, ok = strings.Cut(name, ".") {
		if listed[name] {
			return name
		}
	}
	if len(d.Domains) > 0 {
		return d.Domains[0]
	}
	return ""
}
