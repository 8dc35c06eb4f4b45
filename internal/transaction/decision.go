package transaction

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/policy"
)

// Decision is what happened to a message: made once, at the end of its body, and
// not changed afterwards. A field that has no meaning for its direction is empty.
type Decision struct {
	Start     time.Time // MAIL FROM
	Duration  time.Duration
	Envelope  auth.Envelope
	Direction auth.Direction
	Reason    string // of the direction
	MTA       MTA

	Results auth.Results // of the checks; of mail that was not checked, its author
	Verdict policy.Verdict
	// OwnPrivate: a client in private address space that nobody listed claims to
	// write for us.
	OwnPrivate bool

	Signed   []string // names of the keys
	Unsigned Unsigned // why mail of ours is not signed
	Mismatch string   // who may not write as whom, where that changes nothing (on_mismatch: log)
	Risks    []string // what may break the signatures on the way out

	Edits   []Edit        // in the order in which they are done when the message is accepted
	Reply   *policy.Reply // what the MTA is told, nil to accept
	Discard bool          // accepted, and thrown away
	Err     error         // ours: the MTA is told to try again
}

// Action is what becomes of the message.
func (d *Decision) Action() policy.Action {
	if d.Err != nil {
		return policy.Tempfail
	}
	return d.Verdict.Action
}

// Weight is about how many bytes d keeps alive.
func (d *Decision) Weight() int {
	n := 1 << 10
	for _, f := range d.Envelope.Header {
		n += f.Len() + fieldOverhead
	}
	for _, r := range d.Envelope.Recipients {
		n += len(r) + fieldOverhead
	}
	for _, e := range d.Edits {
		n += len(e.Name) + len(e.Value) + fieldOverhead
	}
	return n
}

// failed is the decision when we could not do our part.
func (d *Decision) failed(err error) {
	d.Err, d.Reply = err, &InternalError
	d.Verdict, d.Edits, d.Signed, d.Mismatch, d.Risks, d.Discard = policy.Verdict{}, nil, nil, "", nil, false
}

// Unsigned is why a message of ours carries no signature. The zero value: it
// carries one, or is not ours.
type Unsigned struct {
	Why  Why
	Text string
	Warn bool // the admin should do something about it
}

// Why is a kind of reason, for those who count.
type Why string

const (
	Reinjection    Why = "reinjected" // it came from outside and is handed back
	OverLimit      Why = "over_limit" // docs/decisions/0004
	NoAuthorDomain Why = "no_author_domain"
	NoKey          Why = "no_key"
	Unpublished    Why = "unpublished" // the DNS lacks the records of all its keys
	NotListed      Why = "not_listed"
	SignError      Why = "error" // it is kept back, and not sent unsigned
)

// Observer is told what was decided, before the MTA is. Neither method may wait
// for anything: package observe puts a queue in front of those that do.
type Observer interface {
	Decided(*Decision)
	// Panicked: a panic was caught, in the "session", the "message" or a "check".
	Panicked(where string)
}

// decided tells the observer, whose panic does not spoil the message.
func (set *Setup) decided(d *Decision) {
	if set.Observer != nil {
		defer func() { _ = recover() }() // the message is not its business
		set.Observer.Decided(d)
	}
}

// Panicked tells the observer.
func (set *Setup) Panicked(where string) {
	if set.Observer != nil {
		defer func() { _ = recover() }()
		set.Observer.Panicked(where)
	}
}

func panicError(v any) error { return fmt.Errorf("panic: %v\n%s", v, debug.Stack()) }
