package transaction

import (
	"slices"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

// TestEdited: the header as an MTA has it after the edits, each at the place that
// it showed; what is not there is not edited.
func TestEdited(t *testing.T) {
	h := header.Fields{{Name: "To", Value: " 1"}, {Name: "X", Value: " 2"}, {Name: "to ", Value: " 3"}, {Name: "x", Value: " 4"}}
	before := slices.Clone(h)
	got := edited(h, []Edit{
		{Op: Change, Index: 2, Name: "To", Value: " c"}, {Op: Change, Index: 3, Name: "To", Value: " none"}, {Op: Change, Index: 1, Name: "Y", Value: " none"},
		{Op: Delete, Index: 3, Name: "X"}, {Op: Delete, Index: 1, Name: "X"}, {Op: Delete, Name: "X"}, {Op: Quarantine, Value: "why"},
		{Op: Insert, Name: "A", Value: " a"}, {Op: Insert, Name: "B", Value: " b"},
	})
	want := header.Fields{{Name: "B", Value: " b"}, {Name: "A", Value: " a"}, {Name: "To", Value: " 1"}, {Name: "to ", Value: " c"}, {Name: "x", Value: " 4"}}
	if !slices.Equal(got, want) || !slices.Equal(h, before) {
		t.Errorf("%q of %q, want %q", got, h, want)
	}
}

// TestExplainKnowsTheRecipients: a rule may ask for them.
func TestExplainKnowsTheRecipients(t *testing.T) {
	x := Explain(t.Context(), newSetup(t), Question{Hints: ours, Recipients: []string{"b@c.example"}, Header: header.Fields{{Name: "From", Value: " a@good.example"}}})
	if !slices.Equal(x.Envelope.Recipients, []string{"b@c.example"}) || len(x.Signed) != 2 || x.Header[0].Name != "DKIM-Signature" {
		t.Errorf("%+v", x)
	}
}
