// Package policy decides what happens to a message: Envelope and Results in,
// Verdict out. Rules are read top down, the first that holds wins, and every
// verdict names its rule.
//
// It is pure: no clock, no network, no files, no YAML, so that a verdict can
// be replayed from a log. It deliberately knows no milter protocol: how a
// Verdict is told to the MTA (doubled "%", leading spaces) is milter's
// business. What RFC 9989 §7.4 asks of a receiver, not to reject for p=reject
// alone, is kept by the built-in rules (defaults.go).
package policy

import (
	"hash/fnv"

	"github.com/sealmilter/sealmilter/auth"
)

// Action is what a rule does with the message.
type Action string

const (
	// Undecided is the zero Action. It means a bug: log it and answer tempfail.
	Undecided  Action = ""
	Accept     Action = "accept"
	Tag        Action = "tag"        // accept, with X-Quarantine
	Quarantine Action = "quarantine" // accept, with X-Quarantine, and held if so configured
	Reject     Action = "reject"     // 5xx
	Tempfail   Action = "tempfail"   // 4xx
	Discard    Action = "discard"    // 250, and nobody ever sees it
)

var actions = []string{
	string(Accept), string(Tag), string(Quarantine), string(Reject), string(Tempfail), string(Discard),
}

// QuarantineField is the header field that tag and quarantine add.
const QuarantineField = "X-Quarantine"

// Input is everything that a decision rests on.
type Input struct {
	Env *auth.Envelope
	// Results may be nil: then no check ran.
	Results *auth.Results
	// OwnPrivate marks an unauthenticated client in private address space that
	// claims one of our own sign.domains: most likely a machine of ours that is
	// missing in outbound.networks. The built-in rules leave it alone.
	OwnPrivate bool
	// OwnHost: a machine of ours handed the message over, whatever the message is
	// taken for: this host, one of outbound.networks or of inbound.relays.
	OwnHost bool
}

// Verdict is the outcome of one message.
type Verdict struct {
	Action Action
	// Rule that decided; "" when none matched.
	Rule string
	// Reason for the log and X-Quarantine: printable ASCII, at most 400 bytes.
	Reason string
	// Reply is set for Reject and Tempfail, else zero.
	Reply Reply
	// Headers to add, in the order in which they shall stand in the message.
	Headers []HeaderAdd
	// Hold: the message goes to the MTA's hold queue as well.
	Hold bool
	// Observed rules would have acted: they matched, and say observe.
	Observed []Observation
}

// HeaderAdd is one field to add. Value is printable ASCII on one line, without
// a leading space.
type HeaderAdd struct{ Name, Value string }

// Observation is a rule with observe that matched, and what it would have done.
type Observation struct {
	Rule   string
	Action Action
	Reason string
}

// Policy is a compiled list of rules. It is immutable; any number of
// goroutines may call Decide.
type Policy struct {
	rules []rule
	hold  bool
	used  map[string]bool
}

// rule is one compiled entry of policy.rules.
type rule struct {
	name    string
	cond    cond // nil: holds always
	action  Action
	reply   replyTemplate
	reason  template
	headers []headerTemplate
	observe bool
	percent int // 1 to 100
}

type headerTemplate struct {
	name  string
	value template
}

// Uses reports whether a rule asks for the field, in a condition or a text.
func (p *Policy) Uses(field string) bool { return p != nil && p.used[field] }

// Decide returns the verdict of the first rule that holds. No match: Accept.
func (p *Policy) Decide(in Input) Verdict {
	if p == nil || in.Env == nil {
		return Verdict{Reason: "policy: no rules or no envelope"}
	}
	f := facts{env: in.Env, res: in.Results, ownPrivate: in.OwnPrivate, ownHost: in.OwnHost}
	if f.res == nil {
		f.res = &auth.Results{}
	}
	var seen []Observation
	for i := range p.rules {
		r := &p.rules[i]
		if r.cond != nil && !r.cond(&f) || !r.sampled(in.Env.QueueID) {
			continue
		}
		if r.observe {
			seen = append(seen, Observation{Rule: r.name, Action: r.action, Reason: r.reason.expand(&f)})
			continue
		}
		v := p.verdict(r, &f)
		v.Observed = seen
		return v
	}
	return Verdict{Action: Accept, Reason: "no rule matched", Observed: seen}
}

func (p *Policy) verdict(r *rule, f *facts) Verdict {
	v := Verdict{Action: r.action, Rule: r.name, Reason: r.reason.expand(f)}
	switch r.action {
	case Reject, Tempfail:
		v.Reply = r.reply.expand(f, r.action)
	case Quarantine:
		v.Hold = p.hold
		fallthrough
	case Tag:
		v.Headers = append(v.Headers, HeaderAdd{QuarantineField, clean(r.name + "; " + v.Reason)})
	}
	for _, h := range r.headers {
		v.Headers = append(v.Headers, HeaderAdd{h.name, h.value.expand(f)})
	}
	return v
}

// sampled says whether this message is among the rule's percent. The same
// message gets the same answer each time, on every host.
func (r *rule) sampled(queueID string) bool {
	if r.percent >= 100 {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(queueID))
	h.Write([]byte{0})
	h.Write([]byte(r.name))
	// FNV spreads the last bytes over few bits: mix once more.
	s := h.Sum64()
	s ^= s >> 32
	s *= 0x9e3779b97f4a7c15
	return int(s>>33%100) < r.percent
}
