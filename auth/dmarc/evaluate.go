package dmarc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// maxIdentifiers is how many distinct identifier domains are walked. Only
	// names within the author's organizational domain are, so that real mail has
	// one or two.
	maxIdentifiers = 10
	// MaxAuthors is how many author domains of one From field are evaluated
	// (RFC 9989 §11.5: limiting the number avoids a denial of service).
	MaxAuthors = 5
	// AuthorQuestions is what finding the policy of one author domain may cost:
	// a walk (§4.10) and whether the domain exists (§3.2.13).
	AuthorQuestions = maxLabels + 1
	// maxNamed bounds the identifiers that a failure's reason names.
	maxNamed = 3
)

var (
	errNoAuthor     = errors.New("no author domain")
	errNoPolicy     = errors.New("no policy record")
	errNoIdentifier = errors.New("no identifier authenticated")
)

// Evaluator evaluates DMARC. It keeps nothing between calls and may be used by
// several goroutines at once. Caching is the Resolver's business.
type Evaluator struct {
	Resolver resolve.Resolver
	// MaxIdentifiers is how many distinct identifier domains an evaluation
	// walks; 0 means 10. Those beyond it are not aligned.
	MaxIdentifiers int
}

// Prefetch asks the questions of the author domain's part of an evaluation, so
// that a caching Resolver has the answers when Evaluate comes.
func (e *Evaluator) Prefetch(ctx context.Context, domain string) {
	author, err := resolve.CanonicalName(domain)
	if err != nil {
		return
	}
	v := e.begin()
	v.walk(ctx, author)
	switch f, err := v.discover(ctx, author); {
	case err != nil:
		v.known(ctx, &Result{AuthorDomain: author})
	case f != nil && f.record.Usable():
		v.policy(ctx, author, f)
	}
}

// Evaluate finds the result for one author domain (RFC 9989 §5.3). ids are the
// identifiers that authenticated, and those whose check ended in temperror,
// with Temp set: d= of DKIM signatures, the domain of SPF's MAIL FROM check
// (§4.4). A plain HELO pass is none.
func (e *Evaluator) Evaluate(ctx context.Context, authorDomain string, ids []Identifier) Result {
	v := e.begin()
	res := v.find(ctx, authorDomain)
	v.align(ctx, &res, canonical(ids))
	return res
}

// EvaluateAll is Evaluate for a From field with one or several author domains.
// Of several it returns the result that asks for most: the strictest policy
// among those that fail or, under a reject, are undecided (RFC 9989 §11.5), then
// what else is undecided, and a pass only when every domain passes. More than
// five count as a failure: quarantine, or reject if a failing one of the first
// five says so.
func (e *Evaluator) EvaluateAll(ctx context.Context, authorDomains []string, ids []Identifier) Result {
	var authors []string
	seen := map[string]bool{}
	for _, d := range authorDomains {
		if n, err := resolve.CanonicalName(d); err == nil {
			d = n
		}
		if !seen[d] {
			seen[d] = true
			authors = append(authors, d)
		}
	}
	if len(authors) == 0 {
		return Result{Status: None, Err: errNoAuthor}
	}
	ids = canonical(ids)
	results := make([]Result, min(len(authors), MaxAuthors))
	evaluations := make([]*evaluation, len(results))
	// Side by side, so that one author's slow name server does not use up the
	// time in which another's policy could be had; and all policies before any
	// walk for alignment, so that those do not use up its questions.
	each(len(results), func(i int) {
		evaluations[i] = e.begin()
		results[i] = evaluations[i].find(ctx, authors[i])
	})
	each(len(results), func(i int) { evaluations[i].align(ctx, &results[i], ids) })
	worst := results[0]
	for _, r := range results[1:] {
		if r.severity() > worst.severity() {
			worst = r
		}
	}
	if len(authors) > MaxAuthors {
		if worst.Status != Fail || worst.Policy != PolicyReject {
			// Nobody whom we asked wants a rejection; who was not asked might.
			worst.Policy = PolicyQuarantine
		}
		worst.Status, worst.Aligned = Fail, nil
		worst.Err = fmt.Errorf("%d author domains, limit %d (RFC 9989 §11.5)", len(authors), MaxAuthors)
	}
	return worst
}

// each calls f for 0 to n-1 side by side and waits. A panic in one of them
// is the caller's.
func each(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	panics := make(chan any, n)
	for i := range n {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			f(i)
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}

// severity orders the results of several author domains. A temporary error
// may hide a reject and so outweighs a failure that asks for nothing; where it
// is known to, a failure of another author that asks for less must not cover it.
func (r Result) severity() int {
	switch {
	case r.Status == Fail && r.Policy == PolicyReject:
		return 7
	case r.Status == TempError && r.Policy == PolicyReject:
		return 6
	case r.Status == Fail && r.Policy == PolicyQuarantine:
		return 5
	case r.Status == TempError:
		return 4
	case r.Status == Fail:
		return 3
	case r.Status == PermError:
		return 2
	case r.Status == None:
		return 1
	}
	return 0
}

// canonical brings the identifiers' names to the form in which they are
// compared, and drops what is no name.
func canonical(ids []Identifier) []Identifier {
	var out []Identifier
	for _, id := range ids {
		if n, err := resolve.CanonicalName(id.Domain); err == nil {
			id.Domain = n
			out = append(out, id)
		}
	}
	return out
}

// find fills everything that does not depend on identifiers. A result with a
// Status is final.
func (v *evaluation) find(ctx context.Context, domain string) Result {
	author, err := resolve.CanonicalName(domain)
	if err != nil {
		// §5.3.1: without an author domain validation is not possible.
		return Result{Status: None, Err: errNoAuthor}
	}
	res := Result{AuthorDomain: author}
	f, err := v.discover(ctx, author)
	switch {
	case err != nil:
		// §4.10.1, §5.3.6: an error is no sign that there is no policy.
		res.Status, res.Err = TempError, err
		v.known(ctx, &res)
		return res
	case f == nil:
		res.Status, res.Err = None, errNoPolicy
		return res
	}
	res.Record, res.RecordDomain = f.record, f.domain
	if !f.record.Usable() {
		res.Status, res.Err = PermError, f.record.Err
		return res
	}
	res.Policy = v.policy(ctx, author, f)
	return res
}

// known fills in what is known of the policy where a name between the author
// domain and its record does not answer.
func (v *evaluation) known(ctx context.Context, res *Result) {
	w := v.beyond(ctx, res.AuthorDomain)
	f := w.applicable()
	if f == nil {
		res.Err = v.crowded(res.AuthorDomain, res.Err)
		return
	}
	if !f.record.Usable() {
		return
	}
	v.walks[res.AuthorDomain] = w // for align
	res.Record, res.RecordDomain = f.record, f.domain
	res.Policy = v.policy(ctx, res.AuthorDomain, f)
}

// crowded is err, or that a name between author and the root was not asked for
// because the sender's network asks too much: that is not the names' fault, and
// the policy may be there.
func (v *evaluation) crowded(author string, err error) error {
	for name := author; name != ""; name = next(name) {
		if e := v.looks[name].err; errors.Is(e, resolve.ErrCrowded) {
			return e
		}
	}
	return err
}

// policy is the policy of record f for author, after sp, np and t
// (RFC 9989 §4.7, §4.10.1).
func (v *evaluation) policy(ctx context.Context, author string, f *found) Policy {
	below := f.domain != author
	p := f.record.policyFor(below, true)
	if np := f.record.policyFor(below, false); np != p {
		// §3.2.13, §A.4: a domain does not exist when the DNS answers NXDOMAIN, to
		// a question of any type. An error leaves the benefit of the doubt.
		if _, err := v.resolver.LookupA(ctx, author); errors.Is(err, resolve.ErrNXDomain) {
			p = np
		}
	}
	if f.record.Testing {
		p = stepDown(p)
	}
	return p
}

// align fills what is missing in find's result from the identifiers
// (RFC 9989 §5.3.4, §5.3.5).
func (v *evaluation) align(ctx context.Context, res *Result, ids []Identifier) {
	if res.Status == TempError && res.Record != nil {
		// Mail that passes as far as is known is nobody's forgery, however long
		// the name on the way does not answer.
		guess := *res
		if v.judge(ctx, &guess, ids); guess.Status == Pass {
			res.Record, res.RecordDomain, res.Policy = nil, "", ""
		}
	}
	if res.Status != "" {
		return
	}
	v.judge(ctx, res, ids)
	if w := v.walks[res.AuthorDomain]; w != nil && w.err == nil {
		res.OrgDomain = w.orgDomain()
	}
}

// judge fills Status, Aligned and Err. All that passed are looked at, so that
// the result does not depend on their order.
func (v *evaluation) judge(ctx context.Context, res *Result, ids []Identifier) {
	var open error // why it cannot be a failure
	var limit error
	var apart []string
	for _, id := range ids {
		if id.Temp {
			continue
		}
		switch yes, err := v.aligned(ctx, res, id); {
		case yes:
			res.Aligned = append(res.Aligned, id)
		case errors.Is(err, errTooMany):
			limit = err
		case err != nil:
			open = cmp.Or(open, err)
		default:
			apart = append(apart, id.Method+" "+id.Domain)
		}
	}
	if len(res.Aligned) > 0 {
		// An aligned identifier is enough, whatever else went wrong.
		res.Status = Pass
		return
	}
	for _, id := range ids {
		if open != nil {
			break
		}
		if !id.Temp {
			continue
		}
		// The check might have passed. That matters only where it would align.
		switch yes, err := v.aligned(ctx, res, id); {
		case yes:
			open = undecided(id)
		case err != nil && !errors.Is(err, errTooMany):
			open = err
		}
	}
	switch {
	case open != nil:
		res.Status, res.Err = TempError, open // §5.3.6
		return
	case limit != nil:
		res.Err = limit
	case len(apart) > 0:
		res.Err = notAligned(apart)
	default:
		res.Err = errNoIdentifier
	}
	res.Status = Fail
}

var errTooMany = errors.New("too many identifier domains to walk")

// aligned reports whether id aligns with the author domain (RFC 9989 §4.4,
// §4.10.2). With an error it is open.
func (v *evaluation) aligned(ctx context.Context, res *Result, id Identifier) (bool, error) {
	author := res.AuthorDomain
	strict := id.Method == "dkim" && res.Record.ADKIM || id.Method == "spf" && res.Record.ASPF
	if id.Domain == author || strict {
		return id.Domain == author, nil
	}
	w := v.walk(ctx, author)
	if w.err != nil {
		// Names without a common top-level domain have no common organizational
		// domain, whatever the walk would have found.
		if rightmost(id.Domain, 1) != rightmost(author, 1) {
			return false, nil
		}
		return false, spent(w.err)
	}
	org := w.orgDomain()
	// A walk never leaves its start's ancestors: an identifier outside the
	// author's organizational domain cannot have the same one, and no message
	// makes us walk the domains that it chooses.
	if !within(id.Domain, org) {
		return false, nil
	}
	if v.walks[id.Domain] == nil {
		if v.walked == v.max {
			return false, errTooMany
		}
		v.walked++
	}
	wi := v.walk(ctx, id.Domain)
	if wi.err != nil {
		return false, spent(wi.err)
	}
	return wi.orgDomain() == org, nil
}

// spent makes our own limit of a message's questions what it is: not a failure
// of the DNS, behind which a forger could hide with names that take long walks.
func spent(err error) error {
	if errors.Is(err, resolve.ErrBudget) {
		return errTooMany
	}
	return err
}

// notAligned names the identifiers that passed for somebody else.
func notAligned(apart []string) error {
	slices.Sort(apart)
	apart = slices.Compact(apart)
	more := ""
	if n := len(apart) - maxNamed; n > 0 {
		apart, more = apart[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("not aligned: %s%s", strings.Join(apart, ", "), more)
}

// undecided is why an identifier that may align keeps the verdict open. It is a
// temporary failure, of the DNS or of what is known about the message's way.
type undecided Identifier

func (u undecided) Error() string { return u.Method + " of " + u.Domain + " could not be decided" }
func (u undecided) Unwrap() error { return resolve.ErrTemporary }
