package transaction

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// Senders say who may write, and be signed, as whom (docs/decisions/0028).
type Senders struct {
	Rules      *signing.Senders
	OnMismatch signing.Action
	// Directory has more addresses of a user; nil: none.
	Directory Directory
}

// Directory knows the addresses of users. It answers within seconds, and at the
// latest when ctx ends; an error means that nobody can tell.
type Directory interface {
	Addresses(ctx context.Context, user string) (*signing.Addresses, error)
}

// Sender is the kind of reason of mail that its principal may not write.
const Sender Why = "sender"

// sender is the question who may write a message of ours.
type sender struct {
	set       *Senders
	principal signing.Principal
	more      chan grant // nil: nobody is asked
	ctx       context.Context
	cancel    context.CancelFunc
}

// senderPatience is how long a look-up may take from MAIL FROM on. The directory
// gives up before that, and then has its last answer.
const senderPatience = 3 * time.Second

type grant struct {
	more *signing.Addresses
	err  error
}

// askSender begins to ask what the user of m may write as; nil where everybody
// may write as everybody.
func (m *Message) askSender() *sender {
	set, o := m.set.Senders, m.offer
	if set == nil {
		return nil
	}
	s := &sender{set: set, principal: signing.Principal{User: o.AuthUser, Client: o.Client.IP, Local: o.Client.local()}}
	if set.Directory == nil || o.AuthUser == "" {
		return s
	}
	s.more = make(chan grant, 1)
	s.ctx, s.cancel = context.WithTimeout(m.ctx, senderPatience)
	go func() {
		var g grant
		defer func() {
			if v := recover(); v != nil {
				m.set.Panicked("check")
				g = grant{err: panicError(v)}
			}
			s.more <- g
		}()
		g.more, g.err = set.Directory.Addresses(s.ctx, o.AuthUser)
	}()
	return s
}

// granted waits for the directory. It is asked once.
func (s *sender) granted() (*signing.Addresses, error) {
	if s.more == nil {
		return nil, nil
	}
	select {
	case g := <-s.more:
		return g.more, g.err
	case <-s.ctx.Done():
		return nil, fmt.Errorf("the database does not answer: %w", s.ctx.Err())
	}
}

// stop ends the look-up. Idempotent.
func (s *sender) stop() {
	if s != nil && s.cancel != nil {
		s.cancel()
	}
}

// ruling is what the rules say about a message. The zero value: it may be written.
type ruling struct {
	text    string // for the log, "" where nothing is wrong
	reply   string // for the one who sends it
	unknown bool   // nobody can tell
}

// judge says whether the message's principal may write it. It waits for the
// directory where the rules alone do not allow it.
func (m *Message) judge() ruling {
	s := m.sender
	if s == nil || m.seal == nil || m.seal.unsigned.Why == Reinjection {
		return ruling{}
	}
	user := s.principal.User != ""
	addrs, from, err := m.written()
	switch {
	case err != nil && user:
		why := bounded(err.Error())
		return ruling{text: fmt.Sprintf("whom %s writes as cannot be told: %s", s.who(), why), reply: "whom this message is from cannot be told: " + why}
	case err != nil: // nothing of it is signed
		return ruling{}
	}
	denied, ok := s.set.Rules.Denied(s.principal, nil, addrs)
	var unknown error
	if !ok && s.more != nil {
		var more *signing.Addresses
		more, unknown = s.granted()
		denied, ok = s.set.Rules.Denied(s.principal, more, addrs)
	}
	// Of a machine's other mail nothing is signed, and cron's root@host is no
	// mismatch that anybody should hear of.
	if ok || !user && !m.claimsOurs(addrs) {
		return ruling{}
	}
	field := "Sender"
	if slices.Contains(addrs[:from], denied) {
		field = "From"
	}
	whom := fmt.Sprintf("%s (%s)", bounded(denied.String()), field)
	if unknown != nil {
		return ruling{text: fmt.Sprintf("whether %s may write as %s cannot be told: %s", s.who(), whom, bounded(unknown.Error())), unknown: true}
	}
	return ruling{text: fmt.Sprintf("%s may not write as %s", s.who(), whom), reply: fmt.Sprintf("%s may not send as %s", s.toItself(), whom)}
}

// written are the addresses of From, how many those are, and behind them those of
// Sender.
func (m *Message) written() (all []auth.Address, from int, err error) {
	author := m.seal.author
	switch {
	case m.head.overLimit != "":
		return nil, 0, errors.New(m.head.overLimit)
	case author.Err != nil && author.Fields > 0 && !errors.Is(author.Err, auth.ErrNoAuthor):
		return nil, 0, author.Err
	}
	senders, err := auth.ParseSender(m.seal.kept)
	return slices.Concat(author.Addresses, senders), len(author.Addresses), err
}

// claimsOurs: one of the addresses is in a domain that we sign.
func (m *Message) claimsOurs(addrs []auth.Address) bool {
	asked := map[string]bool{}
	for _, a := range addrs {
		if asked[a.Domain] {
			continue
		}
		asked[a.Domain] = true
		if _, _, err := m.set.Keys.Pick(a.Domain); !errors.Is(err, keys.ErrNotListed) {
			return true
		}
	}
	return false
}

// who is the principal, for the log.
func (s *sender) who() string {
	p := s.principal
	switch {
	case p.User != "":
		return "user " + bounded(p.User)
	case p.Local:
		return "a program of this host"
	case p.Client.IsValid():
		return "client " + p.Client.String()
	}
	return "a client without address"
}

// toItself is the principal in its own eyes.
func (s *sender) toItself() string {
	switch {
	case s.principal.User != "":
		return "this login"
	case s.principal.Local:
		return "a program of this host"
	}
	return "this client"
}

// maxShown bounds an address in a log line and in a reply.
const maxShown = 120

// bounded is s in printable ASCII.
func bounded(s string) string {
	cut := len(s) > maxShown
	b := []byte(s[:min(len(s), maxShown)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	if cut {
		return string(b) + "..."
	}
	return string(b)
}

// onMismatch is what becomes of m where its principal may not write it. What the
// MTA itself reports (RFC 5321 §4.5.5) would be lost with a refusal.
func (m *Message) onMismatch() signing.Action {
	if a := m.sender.set.OnMismatch; a != signing.Reject || m.sender.principal.User != "" || m.env.MailFrom != "" {
		return a
	}
	return signing.SignNot
}

// obey takes the signatures away from a message that must not have them.
func (m *Message) obey(r ruling) {
	if r.text == "" || m.onMismatch() == signing.Log {
		return
	}
	if s := m.seal; s.run != nil || s.err != nil {
		s.run, s.err, s.keys = nil, nil, nil
		s.not(Unsigned{Sender, r.text, true})
	}
}

// follow puts into d what r means beside that, where the message is to go out.
func (m *Message) follow(d *Decision, r ruling) {
	if r.text == "" {
		return
	}
	action := m.onMismatch()
	if action == signing.Log {
		d.Mismatch = r.text
		return
	}
	if d.Reply != nil || d.Discard || action == signing.SignNot && (!r.unknown || d.Unsigned.Why != Sender) {
		return
	}
	v := policy.Verdict{Action: policy.Reject, Rule: "sender", Reason: r.text, Reply: policy.Reply{Code: 550, Enhanced: "5.7.1", Text: r.reply}}
	if r.unknown {
		v.Action = policy.Tempfail
		// RFC 3463 §3.5: x.4.3 = directory server failure.
		v.Reply = policy.Reply{Code: 451, Enhanced: "4.4.3", Text: "whom this login may send as cannot be told at the moment, try again later"}
	}
	d.refuse(v)
	d.Unsigned = Unsigned{Why: Sender, Warn: r.unknown} // the verdict has the text
}
