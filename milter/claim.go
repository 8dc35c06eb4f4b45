package milter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/policy"
)

// maxBeyond bounds what is looked at beyond the limits, in header sections of
// the largest size. Nobody's mail has so much, and what was not looked at may
// hold results in our name.
const maxBeyond = 4

// claim is a field that only we may write, and that is to go.
type claim struct {
	Edit
	place int // in fields, or behind them
}

// claim plans the removal of a field that only we may write, and reports
// whether f is one. It is asked for every field, those over the limits included,
// until the message is to be refused.
func (m *message) claim(f header.Field) bool {
	results := auth.IsAuthResults(f.Name)
	counted := results || f.Is(policy.QuarantineField)
	beyond := m.overLimit != ""
	var ours bool
	switch {
	case results: // beyond the limits nobody's results are read any more, and none stay
		ours = beyond || auth.ClaimsID(f.Value, m.foreign) || auth.HidesResults(f, m.foreign)
	case counted:
		ours = true
	default: // any name, with forged results in the value
		ours = auth.HidesResults(f, m.foreign)
	}
	if beyond && !counted {
		m.misplaced = m.misplaced || ours
		return ours
	}
	// The MTA counts the fields of exactly this name (SMFIR_CHGHEADER), and we
	// take more spellings than one for ours.
	name := strings.TrimRight(f.Name, " \t\r\n")
	if len(name) < len(f.Name) {
		name = strings.Clone(name) // beyond the limits nothing else of it is kept
	}
	key := strings.ToLower(name)
	if m.seen[key] == 0 && !m.hold(len(key)) || ours && !m.hold(len(name)) {
		return ours
	}
	m.seen[key]++
	if ours {
		m.claimed = append(m.claimed, claim{Edit{Op: Delete, Index: m.seen[key], Name: name}, len(m.fields)})
	}
	return ours
}

// deletions are the edits that remove what is claimed.
func (m *message) deletions() []Edit {
	edits := make([]Edit, len(m.claimed))
	for i, c := range m.claimed {
		edits[i] = c.Edit
	}
	return edits
}

// unclaim lets the claimed fields stay that keep is true of, by their places.
func (m *message) unclaim(keep func(place int) bool) {
	m.claimed = slices.DeleteFunc(m.claimed, func(c claim) bool {
		stays := c.place < len(m.fields) && keep(c.place)
		if stays {
			delete(m.dropped, c.place)
		}
		return stays
	})
}

func (m *message) tooMany() bool  { return m.misplaced || len(m.claimed) > m.set.Limits.HeaderFields }
func (m *message) tooLarge() bool { return m.beyond > maxBeyond*m.set.Limits.HeaderSize }

// refused: the message cannot be accepted, whatever its checks and the policy
// say. None of the fields that only we may write may stay, and an MTA looks
// through the whole header for each one that goes.
func (m *message) refused() bool { return m.tooMany() || m.tooLarge() }

// refusal is the verdict about a message that is refused.
func (m *message) refusal() policy.Verdict {
	lim := m.set.Limits
	if m.tooMany() {
		return policy.Verdict{Action: policy.Reject, Rule: "forged-results",
			Reply:  policy.Reply{Code: 550, Enhanced: "5.7.1", Text: "too many header fields that only this host may add"},
			Reason: fmt.Sprintf("more than %d fields that only this host may add", lim.HeaderFields)}
	}
	return policy.Verdict{Action: policy.Reject, Rule: "header-size",
		// RFC 3463 §3.4: x.3.4 = message too big for system.
		Reply:  policy.Reply{Code: 552, Enhanced: "5.3.4", Text: "the header section is too large"},
		Reason: fmt.Sprintf("a header section of more than %d bytes", (maxBeyond+1)*lim.HeaderSize)}
}
