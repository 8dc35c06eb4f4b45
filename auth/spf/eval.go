package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// maxTrace bounds Result.Trace.
	maxTrace = 500
	// maxTerms bounds the terms of all records of a check: eleven records of
	// 64 KiB can have 240,000. The longest real ones, with every address of a
	// large provider written out, have a few hundred.
	maxTerms = 5000
)

// evaluation is one check: check_host()'s arguments that stay the same in
// recursive calls (RFC 7208 §4.1), and the counters, which are global to the
// check (§4.6.4).
type evaluation struct {
	resolver resolve.Resolver
	ip       netip.Addr // unmapped
	local    string     // local-part of <sender>
	domain   string     // domain of <sender>
	helo     string
	receiver string
	now      func() time.Time
	limits   Limits

	lookups int
	voids   int
	terms   int
	trace   []Step

	ptrAsked  bool
	validated []string // names of ip that lead back to it (§5.5), lower case
}

// outcome is what check_host() returns.
type outcome struct {
	status    Status
	mechanism string
	err       error
	// exp of the record that decided, and that record's domain (§6.2).
	exp    *modifier
	domain string
}

// checkHost is check_host() for one domain (§4).
func (e *evaluation) checkHost(ctx context.Context, domain string, depth int) outcome {
	text, out := e.fetch(ctx, domain)
	if out.status != "" {
		e.step(Step{Depth: depth, Domain: domain, Note: note(out)})
		return out
	}
	e.step(Step{Depth: depth, Domain: domain, Note: clip(text)})
	rec, err := parseRecord(text, maxTerms-e.terms)
	if err != nil {
		err.Domain = domain
		out = outcome{status: PermError, err: err}
		e.step(Step{Depth: depth, Domain: domain, Term: err.Term, Note: note(out)})
		return out
	}
	e.terms += rec.terms
	for i := range rec.directives {
		d := &rec.directives[i]
		if err := ctx.Err(); err != nil {
			return temp(domain, d.text, err)
		}
		m := e.evaluate(ctx, d, domain, depth)
		if m.stop.status != "" {
			return m.stop
		}
		if m.match {
			return outcome{status: d.result, mechanism: d.text, exp: rec.exp, domain: domain}
		}
	}
	// §5.1: redirect is ignored when there is an "all". That one has matched.
	if rec.redirect != nil {
		return e.redirect(ctx, rec.redirect, domain, depth)
	}
	return outcome{status: Neutral, mechanism: "default"} // §4.7
}

// fetch gets the one SPF record of domain (§4.4, §4.5). Without one, the
// outcome's status is set.
func (e *evaluation) fetch(ctx context.Context, domain string) (string, outcome) {
	none := func(err error) (string, outcome) {
		return "", outcome{status: None, err: &Error{Domain: domain, Err: err}}
	}
	ans, err := e.resolver.LookupTXT(ctx, domain)
	switch {
	case resolve.Temporary(err):
		return "", outcome{status: TempError, err: &Error{Domain: domain, Err: err}}
	case errors.Is(err, resolve.ErrNXDomain):
		return none(fmt.Errorf("%w: the domain does not exist, RFC 7208 §4.3", ErrNoRecord))
	}
	text, n := "", 0
	for _, r := range ans.Records {
		if isSPF(r) {
			text = r
			n++
		}
	}
	switch n {
	case 0:
		return none(fmt.Errorf("%w, RFC 7208 §4.5", ErrNoRecord))
	case 1:
		return text, outcome{}
	}
	return "", outcome{status: PermError, err: &Error{Domain: domain,
		Err: fmt.Errorf("%w (%d), RFC 7208 §4.5", ErrSeveralRecords, n)}}
}

// finding is what one directive comes to (§4.6.2).
type finding struct {
	match  bool
	void   bool    // one of its questions found nothing
	target string  // the name that was asked for
	note   string  // instead of "match" or "no match"
	stop   outcome // the exception, when its status is set
}

// evaluate traces and counts one directive.
func (e *evaluation) evaluate(ctx context.Context, d *directive, domain string, depth int) finding {
	at := e.step(Step{Depth: depth, Domain: domain, Term: clip(d.text)})
	m := e.match(ctx, d, domain, depth)
	// A term counts once, however many of its questions find nothing, and
	// only when it does not match: hosts of one MX preference come in any
	// order, which must not decide (§4.6.4 speaks of terms, others count
	// questions).
	if m.void && !m.match && m.stop.status == "" {
		e.voids++
		if e.voids > e.limits.VoidLookups {
			m.stop = perm(domain, d.text, "%w (limit %d), RFC 7208 §4.6.4", ErrVoidLookups, e.limits.VoidLookups)
		}
	}
	if at < 0 {
		return m
	}
	s := &e.trace[at]
	s.Target = clip(m.target)
	switch {
	case m.stop.status != "":
		s.Note = note(m.stop)
	case m.note != "":
		s.Note = m.note
	case m.match:
		s.Note = "match"
	case m.void:
		s.Note = "void"
	default:
		s.Note = "no match"
	}
	return m
}

// redirect makes the target's result ours (§6.1).
func (e *evaluation) redirect(ctx context.Context, r *modifier, domain string, depth int) outcome {
	at := e.step(Step{Depth: depth, Domain: domain, Term: clip(r.text)})
	target, out, err := e.countedTarget(ctx, r.spec, domain, r.text)
	switch {
	case out.status != "":
	case err != nil && ctx.Err() != nil:
		out = temp(domain, r.text, err)
	case err != nil || !strings.Contains(target, "."):
		// §6.1: a malformed target-name is a permerror. §4.3 calls a single
		// label malformed.
		out = perm(domain, r.text, "%w, RFC 7208 §6.1", ErrTarget)
	default:
		out = e.checkHost(ctx, target, depth+1)
		if out.status == None {
			out = perm(domain, r.text, "%w at %s, RFC 7208 §6.1", ErrNoRecord, printable(target))
		}
	}
	if at >= 0 {
		e.trace[at].Target, e.trace[at].Note = clip(target), note(out)
	}
	return out
}

// countedTarget counts a term that asks the DNS (§4.6.4) and expands its
// domain-spec; the error is targetName's. The outcome's status is set when
// the limit is exceeded.
func (e *evaluation) countedTarget(ctx context.Context, m macroString, domain, term string) (string, outcome, error) {
	e.lookups++
	// §4.6.4: the PTR question behind %{p} counts as well; it is asked once.
	if m.uses('p') && !e.ptrAsked {
		e.lookups++
	}
	if e.lookups > e.limits.Lookups {
		return "", perm(domain, term, "%w (limit %d), RFC 7208 §4.6.4", ErrLookups, e.limits.Lookups), nil
	}
	name, err := e.targetName(ctx, m, domain)
	return name, outcome{}, err
}

// step appends to the trace and returns where, or -1 when the trace is full.
func (e *evaluation) step(s Step) int {
	if len(e.trace) == maxTrace {
		return -1
	}
	if len(e.trace) == maxTrace-1 {
		e.trace = append(e.trace, Step{Depth: s.Depth, Domain: s.Domain, Note: "trace cut here"})
		return -1
	}
	e.trace = append(e.trace, s)
	return len(e.trace) - 1
}

// note is an outcome in a trace.
func note(o outcome) string {
	if e, ok := o.err.(*Error); ok {
		return string(o.status) + ": " + clip(e.Err.Error())
	}
	return string(o.status)
}

func perm(domain, term, format string, args ...any) outcome {
	return outcome{status: PermError, err: &Error{Domain: domain, Term: clip(term), Err: fmt.Errorf(format, args...)}}
}

func temp(domain, term string, err error) outcome {
	return outcome{status: TempError, err: &Error{Domain: domain, Term: clip(term), Err: err}}
}
