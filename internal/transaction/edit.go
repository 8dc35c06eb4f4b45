package transaction

import "slices"

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
