package transaction

import (
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
func (h *head) claim(f header.Field) bool {
	results := auth.IsAuthResults(f.Name)
	counted := results || f.Is(policy.QuarantineField)
	beyond := h.overLimit != ""
	var ours bool
	switch {
	case results: // beyond the limits nobody's results are read any more, and none stay
		ours = beyond || auth.ClaimsID(f.Value, h.foreign) || auth.HidesResults(f, h.foreign)
	case counted:
		ours = true
	default: // any name, with forged results in the value
		ours = auth.HidesResults(f, h.foreign)
	}
	if beyond && !counted {
		h.misplaced = h.misplaced || ours
		return ours
	}
	// The MTA counts the fields of exactly this name (SMFIR_CHGHEADER), and we
	// take more spellings than one for ours.
	name := strings.TrimRight(f.Name, " \t\r\n")
	if len(name) < len(f.Name) {
		name = strings.Clone(name) // beyond the limits nothing else of it is kept
	}
	key := strings.ToLower(name)
	if h.seen[key] == 0 && !h.hold(len(key)) || ours && !h.hold(len(name)) {
		return ours
	}
	h.seen[key]++
	if ours {
		h.claimed = append(h.claimed, claim{Edit{Op: Delete, Index: h.seen[key], Name: name}, len(h.fields)})
	}
	return ours
}

// deletions are the edits that remove what is claimed.
func (h *head) deletions() []Edit {
	edits := make([]Edit, len(h.claimed))
	for i, c := range h.claimed {
		edits[i] = c.Edit
	}
	return edits
}

// unclaim lets the claimed fields stay that keep is true of, by their places.
func (h *head) unclaim(keep func(place int) bool) {
	h.claimed = slices.DeleteFunc(h.claimed, func(c claim) bool {
		stays := c.place < len(h.fields) && keep(c.place)
		if stays {
			delete(h.dropped, c.place)
		}
		return stays
	})
}

func (h *head) tooMany() bool  { return h.misplaced || len(h.claimed) > h.lim.HeaderFields }
func (h *head) tooLarge() bool { return h.beyond > maxBeyond*h.lim.HeaderSize }

// refused: the message cannot be accepted, whatever its checks and the policy
// say. None of the fields that only we may write may stay, and an MTA looks
// through the whole header for each one that goes.
func (h *head) refused() bool { return h.tooMany() || h.tooLarge() }
