package transaction

import (
	"errors"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/keys"
)

// startChecks gives the checks the header section.
func (m *Message) startChecks() {
	if m.class.Direction == auth.Relayed {
		m.findOrigin()
	}
	m.check.Headers(m.head.fields)
	if m.head.overLimit != "" {
		m.check.Incomplete(errors.New(m.head.overLimit))
	}
}

// findOrigin tells the check whom SPF has to judge in relayed mail.
func (m *Message) findOrigin() {
	switch at, rec := origin(m.set.Rules, m.head.fields); {
	case at < 0: // the relay's own mail, or one that adds no trace
	case rec.Client.IsValid():
		m.check.Origin(rec.Client, rec.Helo)
	default:
		m.check.OriginUnknown()
	}
}

// ownPrivate reports whether an unauthenticated client in private address
// space claims to write for us, and for nobody else: probably one of our
// machines that is missing in outbound.networks.
func (m *Message) ownPrivate(r *auth.Results) bool {
	if m.env.Direction != auth.Inbound || m.env.Authenticated || !m.env.ClientIP.IsPrivate() {
		return false
	}
	for _, d := range r.Author.Domains {
		if _, _, err := m.set.Keys.Pick(d); errors.Is(err, keys.ErrNotListed) {
			return false
		}
	}
	return len(r.Author.Domains) > 0
}

// ownHost reports whether a machine of ours hands the message over, at a
// listener for inbound mail as well.
func (m *Message) ownHost() bool {
	r, c := m.set.Rules, m.offer.Client
	_, network := within(r.Networks, c.IP)
	return m.env.Direction == auth.Relayed || network || r.Local && c.local()
}
