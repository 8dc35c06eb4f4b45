// Package resolve is the port through which every check asks the DNS.
//
// It defines the questions, the three ways in which a question can go
// unanswered, a budget for one message (Budget), and a zone-file double for
// tests, demo and explain (Zone). The real client is internal/dnsclient.
// It imports nothing of ours and deliberately offers no search domains, no
// /etc/hosts and no record types beyond those that the checks need.
package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Resolver answers DNS questions.
//
// Names are A-labels without a trailing dot; case does not matter. A name
// that cannot exist in the DNS (a label over 63 bytes, an empty label, over
// 253 bytes) is answered with ErrNXDomain and costs no question.
//
// A lookup returns either at least one record and a nil error, or an error e
// for which exactly one of errors.Is(e, ErrNXDomain), errors.Is(e, ErrNoData)
// and Temporary(e) holds. CNAMEs are followed.
type Resolver interface {
	// LookupTXT returns one string a record: its character-strings joined
	// without a separator, as raw bytes (RFC 7208 §3.3).
	LookupTXT(ctx context.Context, name string) (Answer[string], error)
	LookupA(ctx context.Context, name string) (Answer[netip.Addr], error)
	LookupAAAA(ctx context.Context, name string) (Answer[netip.Addr], error)
	// LookupMX returns the hosts in order of preference. A null MX (RFC 7505)
	// is one record with Host "".
	LookupMX(ctx context.Context, name string) (Answer[MX], error)
	// LookupPTR returns names without trailing dots, in the order of the answer.
	LookupPTR(ctx context.Context, ip netip.Addr) (Answer[string], error)
}

// Aliaser is a Resolver that shows aliases as well. No check of mail asks for them:
// the look-ups follow them.
type Aliaser interface {
	Resolver
	// LookupCNAME returns what a CNAME record at the name itself leads to.
	LookupCNAME(ctx context.Context, name string) (Answer[string], error)
}

// Sharer is a Resolver that divides what it can do among the clients whose mail
// makes it ask, so that nobody's slow zones keep the others waiting.
type Sharer interface {
	Resolver
	// For returns the Resolver for the questions that mail from ip causes. ip is
	// the SMTP client's, and may be invalid.
	For(ip netip.Addr) Resolver
}

// For returns r for the questions that mail from ip causes, r itself when it
// does not share.
func For(r Resolver, ip netip.Addr) Resolver {
	if s, ok := r.(Sharer); ok {
		return s.For(ip)
	}
	return r
}

// Answer is a positive answer.
type Answer[T any] struct {
	Records []T
	// TTL is what is left of the shortest TTL in the answer.
	TTL time.Duration
	// Secure is the AD bit of a resolver that we trust (RFC 4035 §4.9.3).
	Secure bool
}

// MX is one mail exchanger.
type MX struct {
	Preference uint16
	Host       string
}

// The ways in which a question goes unanswered. SPF's void look-ups
// (RFC 7208 §4.6.4) and DMARC's np (RFC 9989 §3.2.13) need them apart.
var (
	// ErrNXDomain: the name does not exist, nor anything below it (RFC 8020).
	ErrNXDomain = errors.New("no such name in the DNS (NXDOMAIN)")
	// ErrNoData: the name exists and has no record of this type.
	ErrNoData = errors.New("no record of this type (NODATA)")
	// ErrTemporary: we do not know. Time-outs, SERVFAIL, REFUSED, broken
	// answers, and the message's budget.
	ErrTemporary = errors.New("temporary DNS failure")
	// ErrBudget: the message has asked all the questions that it may. It is
	// an ErrTemporary.
	ErrBudget = fmt.Errorf("%w: the message's limit of DNS questions is reached", ErrTemporary)
	// ErrCrowded: those whose mail asks have too many questions in flight, so that
	// this one was not asked, or gave way. It is an ErrTemporary, and the only one
	// that is about them instead of the names.
	ErrCrowded = fmt.Errorf("%w: too many questions are in flight", ErrTemporary)
)

// Void reports whether err says that the records positively do not exist:
// NXDOMAIN or NODATA, RFC 7208's void look-up.
func Void(err error) bool { return errors.Is(err, ErrNXDomain) || errors.Is(err, ErrNoData) }

// Temporary reports whether err leaves open whether the records exist. An
// error that is not one of ours (a context's, a bug's) counts as temporary: a
// fault is never held against a message.
func Temporary(err error) bool { return err != nil && !Void(err) }

// Error says which question failed.
type Error struct {
	Type string // "TXT", "A", ...
	Name string
	Err  error // wraps one of the sentinels
}

func (e *Error) Error() string { return e.Type + " " + e.Name + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
