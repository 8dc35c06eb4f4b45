package milter

import (
	"slices"
	"strings"

	gomilter "github.com/emersion/go-milter"
)

// Op is what an Edit does.
type Op string

const (
	Change     Op = "change" // the value of a field, which stays where it is
	Delete     Op = "delete"
	Insert     Op = "insert"     // at the very top, above the MTA's own Received
	Quarantine Op = "quarantine" // the MTA's hold queue; Value is the reason
)

// Edit is one planned change. Value has the form in which the field is signed:
// a leading space, folds as CRLF + white space.
type Edit struct {
	Op    Op
	Index int // Change, Delete: 1-based, among the fields of this name
	Name  string
	Value string
}

// order sorts edits into the only order that is right on both MTAs: changes
// first, while every field still has the index that the MTA showed it under;
// then deletions, the highest index of a name first (Postfix renumbers at once,
// Sendmail does not), then insertions as planned, the last one topmost.
func order(edits []Edit) []Edit {
	rank := func(e Edit) int {
		switch e.Op {
		case Change:
			return 0
		case Delete:
			return 1
		case Insert:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(edits, func(a, b Edit) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		if a.Op == Delete {
			return b.Index - a.Index
		}
		return 0
	})
	return edits
}

// apply sends the edits. It may be called only between the end of body and
// the answer to it.
func apply(w *wire, t terms, edits []Edit) error {
	for _, e := range order(edits) {
		switch e.Op {
		case Change:
			w.begin(byte(gomilter.ActChangeHeader))
			w.u32(uint32(e.Index))
			w.str(e.Name)
			w.str(wireValue(e.Value, t.leadingSpace()))
		case Delete:
			w.begin(byte(gomilter.ActChangeHeader))
			w.u32(uint32(e.Index))
			w.str(e.Name)
			w.str("")
		case Insert:
			w.begin(byte(gomilter.ActInsertHeader))
			w.u32(0)
			w.str(e.Name)
			w.str(wireValue(e.Value, t.leadingSpace()))
		case Quarantine:
			if !t.quarantine() {
				continue
			}
			w.begin(byte(gomilter.ActQuarantine))
			w.str(e.Value)
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

// wireValue turns a field value into what the MTA wants: LF for folds, and no
// leading space where the MTA adds it (without SMFIP_HDR_LEADSPC).
func wireValue(v string, leadingSpace bool) string {
	v = strings.NewReplacer("\r\n", "\n", "\r", "", "\x00", "").Replace(v)
	if !leadingSpace {
		v = strings.TrimPrefix(v, " ")
	}
	return v
}
