package transaction

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEditOrder(t *testing.T) {
	got := order([]Edit{
		{Op: Insert, Name: "A"}, {Op: Delete, Index: 1, Name: "X"}, {Op: Quarantine}, {Op: Delete, Index: 3, Name: "X"},
		{Op: Insert, Name: "B"}, {Op: Delete, Index: 2, Name: "Y"},
	})
	want := []Edit{
		{Op: Delete, Index: 3, Name: "X"}, {Op: Delete, Index: 2, Name: "Y"}, {Op: Delete, Index: 1, Name: "X"},
		{Op: Insert, Name: "A"}, {Op: Insert, Name: "B"}, {Op: Quarantine},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
