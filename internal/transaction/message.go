// Package transaction is the life of one message, from MAIL FROM to the end of its
// body: which way it goes, what is checked, what is signed, and what becomes of
// it. It ends as a Decision, which package milter tells the MTA and an Observer
// tells everybody else. It knows no protocol, no log and no configuration file.
package transaction

import (
	"context"
	"fmt"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/policy"
)

// Offer is what is known at MAIL FROM.
type Offer struct {
	Hints
	Helo, MailFrom string // MAIL FROM without angle brackets
	// Peer are the look-ups about the client, nil where none began.
	Peer   *auth.Peer
	MTA    MTA
	Memory *Memory // nil: nobody counts
}

// MTA is what we know about the one that asks.
type MTA struct {
	Name     string // its own host name (the j macro)
	Version  string // as it says it (v)
	Sendmail bool   // it rewrites address fields after us
	// HidesFirst: it shows all fields but the first, mostly its own Received
	// (docs/decisions/0023).
	HidesFirst bool
}

// Message is one transaction. What it is told comes from one goroutine; Finish may
// run on another while that only calls Cancel.
type Message struct {
	ctx   context.Context
	set   *Setup
	offer Offer
	class Classified
	start time.Time
	env   auth.Envelope
	head  head

	complete bool // the header section is
	// Mail from outside is checked and mail of ours is sealed; nothing keeps a
	// message from both.
	check  *auth.Check
	seal   *seal
	sender *sender // who may write it; nil where nobody asks
}

// Begin begins a transaction. Its checks start with Authenticate, at the latest
// with the end of the header section. Close ends it.
func Begin(ctx context.Context, set *Setup, o Offer) *Message {
	m := &Message{ctx: ctx, set: set, offer: o, start: time.Now(), class: Classify(set.Rules, o.Hints)}
	m.env = auth.Envelope{
		Direction:     m.class.Direction,
		Authenticated: o.AuthUser != "",
		AuthUser:      o.AuthUser,
		ClientIP:      o.Client.IP,
		ClientName:    o.Client.Name,
		Helo:          o.Helo,
		MailFrom:      o.MailFrom,
	}
	share := int64(set.Limits.HeaderMemory)
	if m.class.Direction != auth.Outbound {
		share = share * foreignShare / 100
	}
	m.head = newHead(set.Limits, set.foreignIDs(o.Client.IP), account{memory: o.Memory, limit: share})
	return m
}

// Authenticate starts the checks, of mail that is not ours, and asks who may write
// mail that is. Idempotent.
func (m *Message) Authenticate() {
	switch {
	case m.class.Direction == auth.Outbound && m.sender == nil:
		m.sender = m.askSender()
	case m.class.Direction != auth.Outbound && m.check == nil:
		m.check = m.set.Auth.Begin(m.ctx, &m.env, m.offer.Peer)
	}
}

// maxRecipients bounds how many recipients policy can see; the MTA delivers to
// all of them.
const maxRecipients = 1000

// Recipient takes one, without angle brackets.
func (m *Message) Recipient(to string) {
	switch {
	case len(m.env.Recipients) >= maxRecipients:
	case m.head.hold(len(to)):
		m.env.Recipients = append(m.env.Recipients, to)
	default:
		m.env.Recipients = nil
	}
}

// Field takes one header field as the MTA shows it: folds are LF, and without
// leadingSpace the MTA has eaten the space after the colon.
func (m *Message) Field(name, value string, leadingSpace bool) {
	m.head.add(name, value, leadingSpace)
	if m.head.account.starved {
		m.env.Recipients = nil
	}
}

// Complete reports whether the header section is: nothing comes to it any more.
func (m *Message) Complete() bool { return m.complete }

// EndOfHeader starts what needs the header section. Idempotent.
func (m *Message) EndOfHeader() {
	if m.complete {
		return
	}
	m.complete = true
	if m.head.account.starved {
		m.Cancel()
		return
	}
	m.env.Header = m.head.fields
	m.env.FirstHidden = m.offer.MTA.HidesFirst && m.head.overLimit == "" // a limit is the sender's doing
	m.Authenticate()
	if m.check != nil {
		m.startChecks()
	}
	if m.class.Direction == auth.Outbound {
		m.seal = m.startSeal()
	}
}

// Body takes a piece of the body.
func (m *Message) Body(chunk []byte) {
	m.EndOfHeader() // libmilter sends the end of header even without a body; be sure
	m.env.Size += int64(len(chunk))
	if m.head.account.starved || len(chunk) == 0 {
		return
	}
	if m.check != nil {
		m.check.Write(chunk)
	}
	if m.seal != nil {
		m.seal.write(chunk)
	}
}

// Finish joins everything and decides. queueID is the MTA's name of the message.
func (m *Message) Finish(queueID string) (d *Decision) {
	d = &Decision{Start: m.start, Direction: m.class.Direction, Reason: m.class.Reason, MTA: m.offer.MTA}
	defer func() {
		if v := recover(); v != nil {
			m.set.Panicked("message")
			d.failed(panicError(v))
		}
		d.Envelope, d.Duration = m.env, time.Since(m.start)
	}()
	m.EndOfHeader()
	m.env.QueueID = queueID
	m.env.Size += int64(m.head.size) + 2 // the empty line
	if m.head.account.starved {
		d.refuse(m.head.comeAgain())
		return d
	}
	if m.check != nil {
		d.Results = m.check.Finish()
		d.OwnPrivate = m.ownPrivate(&d.Results)
	} else if m.seal != nil {
		d.Results = auth.Results{Author: m.seal.author}
	}
	may := m.judge()
	m.obey(may)
	m.env.Signed = m.seal.signs()
	m.decide(d)
	if m.seal != nil {
		m.seal.finish(d)
	}
	m.follow(d, may)
	if m.check != nil && d.Err == nil {
		// Inserted last, so that it stands at the very top (RFC 8601 §4).
		d.Edits = append(d.Edits, Edit{
			Op: Insert, Name: "Authentication-Results",
			Value: auth.FormatResults(m.set.AuthservID, d.Results, &m.env),
		})
	}
	if m.head.refused() && d.Reply == nil && !d.Discard {
		d.refuse(m.head.refusal())
	}
	order(d.Edits)
	return d
}

// decide asks the policy and makes edits of its verdict, after the deletions.
func (m *Message) decide(d *Decision) {
	d.Edits = m.head.deletions()
	d.Verdict = m.set.Policy.Decide(policy.Input{
		Env: &m.env, Results: &d.Results, OwnPrivate: d.OwnPrivate, OwnHost: m.ownHost(),
	})
	v := &d.Verdict
	switch v.Action {
	case policy.Accept, policy.Tag, policy.Quarantine:
	case policy.Reject, policy.Tempfail:
		d.Reply = &v.Reply
	case policy.Discard:
		d.Discard = true
	default:
		d.Reply, d.Err = &InternalError, fmt.Errorf("policy did not decide: %q", v.Action)
	}
	// The last insertion stands topmost, and the first header of the verdict
	// shall stand above the second.
	for i := len(v.Headers) - 1; i >= 0; i-- {
		d.Edits = append(d.Edits, Edit{Op: Insert, Name: v.Headers[i].Name, Value: " " + v.Headers[i].Value})
	}
	if v.Hold {
		d.Edits = append(d.Edits, Edit{Op: Quarantine, Value: "sealmilter: " + v.Rule + "; " + v.Reason})
	}
}

// refuse has v decide in the place of what was decided.
func (d *Decision) refuse(v policy.Verdict) {
	d.Verdict, d.Signed, d.Risks = v, nil, nil
	d.Reply = &d.Verdict.Reply
}

// Tell tells the observer what was decided.
func (m *Message) Tell(d *Decision) { m.set.decided(d) }

// Cancel stops the checks, so that a Finish under way ends soon.
func (m *Message) Cancel() {
	if m.check != nil {
		m.check.Cancel()
	}
	m.sender.stop()
}

// Close ends the message and gives back what it held. Idempotent.
func (m *Message) Close() {
	m.Cancel()
	m.head.account.release()
}
