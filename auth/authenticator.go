package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// Authenticator runs the checks of inbound mail. Its fields are set once,
// before the first call.
type Authenticator struct {
	Resolver resolve.Resolver
	// Which checks run. DMARC without SPF and DKIM can only say none or fail.
	SPF, DKIM, DMARC, IPRev bool
	Receiver                string        // SPF's %{r}: our host name
	Questions               int           // distinct DNS questions of a message
	Timeout                 time.Duration // for all checks; what is not finished is a temperror
	MaxSignatures           int
	Now                     func() time.Time
	// Panic is told of a panic in a method. The method's result is temperror
	// and the message goes on.
	Panic func(method string, value any, stack []byte)
}

// iprevQuestions is what one connection may ask: a PTR and ten names.
const iprevQuestions = 11

var (
	errDeadline = errors.New("not finished in time")
	errPanic    = errors.New("internal error")
	// What is missing may be what the MTA hides (docs/decisions/0023).
	errFirstHidden = errors.New("no From field among those that this MTA shows, and it may hide the first")
)

// Peer is what is found out about a connection, for all its messages.
type Peer struct{ iprev *background[iprev.Result] }

// Connect starts the checks of a connection. ctx is the connection's.
func (a *Authenticator) Connect(ctx context.Context, ip netip.Addr) *Peer {
	p := &Peer{}
	if a.IPRev && ip.IsValid() {
		c := iprev.Checker{Resolver: resolve.NewBudget(resolve.For(a.Resolver, ip), iprevQuestions)}
		p.iprev = start(ctx, a, "iprev", iprev.Result{Status: iprev.TempError, IP: ip, Err: errPanic},
			func(ctx context.Context) iprev.Result { return c.Check(ctx, ip) })
	}
	return p
}

// Close ends the connection's checks and waits for them. nil is fine.
func (p *Peer) Close() {
	if p != nil {
		p.iprev.stop()
	}
}

// Check is the authentication of one message. Begin, Headers, Write and Finish
// are called in this order by one goroutine; Cancel at any time after Begin.
type Check struct {
	a       *Authenticator
	ctx     context.Context
	cancel  context.CancelFunc
	budgets budgets
	peer    *Peer
	env     *Envelope
	ip      netip.Addr

	spf        *background[spf.Result]
	warm       []*background[struct{}]
	dkim       *dkim.Verification
	dkimCancel context.CancelFunc
	dkimBroken bool // it panicked
	author     Author
	incomplete error
	noOrigin   bool // relayed mail that does not tell who handed it over
	stop       sync.Once
}

// budgets divides a message's questions among the methods. With one purse for
// all, a spoofer's own SPF record could spend what the look at the author's
// DMARC record needs, and a p=reject would end as temperror.
type budgets struct{ spf, dkim, dmarc *resolve.Budget }

// budgets for a message from client.
func (a *Authenticator) budgets(client netip.Addr) budgets {
	r := resolve.For(a.Resolver, client)
	forDKIM := max(a.MaxSignatures, 1) // a key each
	// The policies of all author domains, and the look ahead at MAIL FROM.
	// Walks for alignment take what is left.
	forDMARC := max(a.Questions/3, (dmarc.MaxAuthors+1)*dmarc.AuthorQuestions)
	return budgets{
		spf:   resolve.NewBudget(r, max(a.Questions-forDKIM-forDMARC, 12)),
		dkim:  resolve.NewBudget(r, forDKIM),
		dmarc: resolve.NewBudget(r, forDMARC),
	}
}

// Begin starts what MAIL FROM allows: of inbound mail SPF, and a look at the DMARC
// records of the MAIL FROM domain, a good guess at the author's. The header may be
// missing from env until Headers.
func (a *Authenticator) Begin(ctx context.Context, env *Envelope, peer *Peer) *Check {
	ctx, cancel := context.WithCancel(ctx)
	c := &Check{a: a, ctx: ctx, cancel: cancel, env: env, peer: peer, budgets: a.budgets(env.ClientIP)}
	if env.Direction != Inbound {
		return c // whose mail it is stands in the header
	}
	c.startSPF(env.ClientIP, env.Helo)
	if domain := mailDomain(env.MailFrom); domain != "" {
		c.prefetch(domain)
	}
	return c
}

// startSPF checks the client that handed the message to us, or for relayed
// mail to our relay.
func (c *Check) startSPF(ip netip.Addr, helo string) {
	if !c.a.SPF || !ip.IsValid() {
		return
	}
	c.ip = ip
	checker := spf.Checker{Resolver: c.budgets.spf, Receiver: c.a.Receiver, Now: c.a.Now}
	mailFrom := c.env.MailFrom
	c.spf = start(c.ctx, c.a, "spf", spf.Result{Status: spf.TempError, Err: errPanic},
		func(ctx context.Context) spf.Result { return checker.Check(ctx, ip, helo, mailFrom) })
}

// Origin gives the first hop outside of our own hosts, found in the Received
// fields of relayed mail, so that SPF judges the host that the sender's domain
// knows, and the questions count for it instead of for our relay. Call it before
// Headers.
func (c *Check) Origin(ip netip.Addr, helo string) {
	c.budgets = c.a.budgets(ip)
	c.startSPF(ip, helo)
}

// OriginUnknown says that relayed mail has a first hop outside of our own hosts
// and does not tell which, or tells it in words that the client may have
// chosen. SPF cannot pass, then, and the message counts as indirect: it may have
// passed where nobody can see it any more. Call it before Headers.
func (c *Check) OriginUnknown() { c.noOrigin = c.a.SPF }

func (c *Check) prefetch(domain string) {
	if !c.a.DMARC || len(c.warm) > dmarc.MaxAuthors {
		return
	}
	name, err := resolve.CanonicalName(domain)
	if err != nil {
		return
	}
	e := c.evaluator()
	c.warm = append(c.warm, start(c.ctx, c.a, "dmarc", struct{}{}, func(ctx context.Context) struct{} {
		e.Prefetch(ctx, name)
		return struct{}{}
	}))
}

func (c *Check) evaluator() *dmarc.Evaluator { return &dmarc.Evaluator{Resolver: c.budgets.dmarc} }

// Headers takes the header section, which must not change any more.
func (c *Check) Headers(h header.Fields) {
	c.env.Header = h
	c.author = ParseAuthor(h)
	if c.author.Fields == 0 && c.env.FirstHidden {
		c.author.Err = errFirstHidden
	}
	if c.a.DKIM {
		v := dkim.Verifier{Resolver: c.budgets.dkim, Now: c.a.Now, MaxSignatures: c.a.MaxSignatures}
		ctx, cancel := context.WithTimeout(c.ctx, c.a.Timeout)
		c.dkimCancel = cancel
		c.guard(func() { c.dkim = v.Start(ctx, h, c.author.Domains) })
	}
	for _, d := range c.author.Domains {
		c.prefetch(d)
	}
}

// Incomplete says that the header section goes on beyond what Headers was
// given, and why. What was not read may hold another From or a second instance
// of a signed field, so there is no author domain and no signature passes.
// Call it after Headers.
func (c *Check) Incomplete(err error) {
	c.incomplete = err
	c.author.Err, c.author.Domains, c.author.Shown = err, nil, nil
}

// guard runs a step of DKIM, which is on the caller's goroutine.
func (c *Check) guard(step func()) {
	done := false
	defer func() { c.dkimBroken = c.dkimBroken || !done }()
	defer c.a.recovered("dkim")
	step()
	done = true
}

// Write takes the next piece of the body, CRLF line ends. It never fails.
func (c *Check) Write(chunk []byte) (int, error) {
	if c.dkim != nil && !c.dkimBroken {
		c.guard(func() { c.dkim.Write(chunk) })
	}
	return len(chunk), nil
}

// Finish waits for all checks, at most a.Timeout, and joins them. The last part
// of that time is DMARC's alone: a key server that never answers must not keep
// the author's policy from being looked at.
func (c *Check) Finish() Results {
	all, cancel := context.WithTimeout(c.ctx, c.a.Timeout)
	defer cancel()
	ctx, cancelMethods := context.WithTimeout(all, c.a.Timeout*7/10)
	defer cancelMethods()
	r := Results{Author: c.author}
	if c.a.DKIM && c.dkimCancel != nil {
		r.DKIM, r.DKIMRan = c.signatures(ctx), true
	}
	if c.spf != nil {
		res := c.spf.wait(ctx, spf.Result{Status: spf.TempError, Err: errDeadline})
		if res.Domain == "" && res.Status == spf.TempError {
			res.Identity, res.Domain = c.identity()
		}
		r.SPF = &res
	}
	if c.env.Direction == Inbound && c.peer != nil && c.peer.iprev != nil {
		res := c.peer.iprev.wait(ctx, iprev.Result{Status: iprev.TempError, IP: c.env.ClientIP, Err: errDeadline})
		r.IPRev = &res
	}
	r.Indirect = Indirect(c.env.Header, c.env, r.SPF, r.DKIM)
	if r.Indirect == "" && c.noOrigin {
		r.Indirect = "unknown-origin"
	}
	if c.a.DMARC {
		r.DMARC = c.dmarc(all, &r)
	}
	return r
}

func (c *Check) signatures(ctx context.Context) (rs []dkim.Result) {
	if !c.dkimBroken {
		c.guard(func() { rs = c.dkim.Finish(ctx) })
	}
	if c.dkimBroken {
		return []dkim.Result{{Status: dkim.TempError, Err: errPanic}}
	}
	for i := range rs {
		if c.incomplete != nil && rs[i].Status == dkim.Pass {
			rs[i].Status, rs[i].Err = dkim.Policy, c.incomplete
		}
	}
	return rs
}

func (c *Check) identity() (spf.Identity, string) {
	if d := mailDomain(c.env.MailFrom); d != "" {
		return spf.MailFrom, d
	}
	return spf.Helo, c.env.Helo
}

func (c *Check) dmarc(ctx context.Context, r *Results) *dmarc.Result {
	if r.Author.Err != nil || len(r.Author.Domains) == 0 {
		err := r.Author.Err
		if err == nil {
			err = errors.New("no author domain")
		}
		return &dmarc.Result{Status: dmarc.None, Err: err}
	}
	ids := identifiers(r)
	if r.SPF == nil && c.a.SPF && !c.noOrigin {
		// Relayed mail without a hop outside: SPF might have passed somewhere, so
		// the missing result is not held against the message.
		_, d := c.identity()
		ids = append(ids, dmarc.Identifier{Method: "spf", Domain: d, Temp: true})
	}
	e := c.evaluator()
	unknown := func(err error) dmarc.Result {
		return dmarc.Result{Status: dmarc.TempError, AuthorDomain: r.Author.Domains[0], Err: err}
	}
	b := start(ctx, c.a, "dmarc", unknown(errPanic), func(ctx context.Context) dmarc.Result {
		return e.EvaluateAll(ctx, r.Author.Domains, ids)
	})
	// Not what is there when the time is up: of several author domains, one
	// that is slow must not hide what is known about the others. Resolvers
	// return when ctx ends, and so does this.
	<-b.done
	return &b.result
}

// identifiers lists what DMARC may align (RFC 9989 §4.4): passing signatures,
// a passing MAIL FROM or, for the null reverse-path, HELO domain, and those
// that a temporary error left open.
func identifiers(r *Results) []dmarc.Identifier {
	var ids []dmarc.Identifier
	for _, d := range r.DKIM {
		switch {
		case d.Status == dkim.TempError && d.Domain == "":
			// A fault of ours: any signature might have passed.
			for _, a := range r.Author.Domains[:min(len(r.Author.Domains), dmarc.MaxAuthors)] {
				ids = append(ids, dmarc.Identifier{Method: "dkim", Domain: a, Temp: true})
			}
		case d.Status == dkim.Pass || d.Status == dkim.TempError:
			ids = append(ids, dmarc.Identifier{Method: "dkim", Domain: d.Domain, Temp: d.Status == dkim.TempError})
		}
	}
	if s := r.SPF; s != nil && (s.Status == spf.Pass || s.Status == spf.TempError) {
		ids = append(ids, dmarc.Identifier{Method: "spf", Domain: s.Domain, Temp: s.Status == spf.TempError})
	}
	return ids
}

// Cancel ends the message's checks and waits for their goroutines. Idempotent;
// to be called after Finish, too.
func (c *Check) Cancel() {
	c.stop.Do(func() {
		c.cancel()
		if c.dkimCancel != nil {
			c.dkimCancel()
		}
		if c.dkim != nil {
			c.dkim.Cancel()
		}
		c.spf.stop()
		for _, w := range c.warm {
			w.stop()
		}
	})
}

// mailDomain is the domain of an envelope address, "" when it has none. The
// local-part may be a quoted string with an "@" in it.
func mailDomain(addr string) string {
	if i := strings.LastIndexByte(addr, '@'); i >= 0 {
		return addr[i+1:]
	}
	return ""
}
