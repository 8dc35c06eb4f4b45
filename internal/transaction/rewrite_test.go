package transaction

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/keys"
)

func TestRewriteAddresses(t *testing.T) {
	fields := header.Fields{
		{Name: "To", Value: " a@x.example"},
		{Name: "to ", Value: " a@x.example,b@y.example"},
		{Name: "From", Value: " app"},
		{Name: "Subject", Value: " a,b"},
		{Name: "Cc", Value: " c@x.example,d@x.example"},
		{Name: "Reply-To", Value: " kim x@x.example"},
		{Name: "TO", Value: " (c)c@z.example"},
	}
	before := slices.Clone(fields)
	got, edits, unclear := rewriteAddresses(fields, []string{"From", "To", "Reply-To", "Subject"}, "app.good.example")
	if !slices.Equal(fields, before) {
		t.Error("the fields given were changed")
	}
	want := []Edit{
		{Change, 2, "to", " a@x.example, b@y.example"},
		{Change, 1, "From", " app@app.good.example"},
		{Change, 3, "TO", " (c) c@z.example"},
	}
	if !slices.Equal(edits, want) {
		t.Errorf("%+v", edits)
	}
	for i, f := range fields {
		switch {
		case i == 1 || i == 2 || i == 6:
			if got[i].Name != f.Name || got[i].Value == f.Value {
				t.Errorf("%+v", got[i])
			}
		case got[i] != f:
			t.Errorf("%+v was changed to %+v", f, got[i])
		}
	}
	if !slices.Equal(unclear, []string{"Reply-To"}) {
		t.Errorf("unclear: %q", unclear)
	}
}

// Changes come before deletions, so that every index is the one that the MTA
// showed, whether it renumbers (Postfix) or not (Sendmail).
func TestChangesComeFirst(t *testing.T) {
	got := order([]Edit{{Op: Insert, Name: "DKIM-Signature"}, {Op: Delete, Index: 1, Name: "X"}, {Op: Quarantine}, {Op: Delete, Index: 2, Name: "X"}, {Op: Change, Index: 3, Name: "X"}})
	var ops []string
	for _, e := range got {
		ops = append(ops, string(e.Op))
	}
	if s := strings.Join(ops, " "); s != "change delete delete insert quarantine" || got[1].Index != 2 {
		t.Error(s)
	}
}

// A From in which a receiver finds other authors is left alone.
func TestSameAuthors(t *testing.T) {
	for _, tt := range []struct {
		before, after string
		want          bool
	}{
		{" a@x.example", " <a@x.example>", true},
		{" app", " app@app.good.example", true},
		{" a@localhost", " a@app.good.example", true},
		{" a@x.example", " a@y.example", false},
		{" a@x.example", " a@x.example, b@y..example", false},
	} {
		if got := sameAuthors(tt.before, tt.after); got != tt.want {
			t.Errorf("%q -> %q: %v", tt.before, tt.after, got)
		}
	}
}

// A bare From is completed with the MTA's own name before the key is chosen.
func TestBareFromIsCompleted(t *testing.T) {
	m := Begin(t.Context(), newSetup(t), Offer{Hints: ours, MTA: MTA{Sendmail: true, Name: "host.good.example"}})
	defer m.Close()
	m.Field("From", " app", true)
	m.Field("Reply-To", " x y@z.example", true)
	d := m.Finish("")
	if len(d.Signed) != 2 || d.Edits[0].Op != Change || d.Edits[0].Value != " app@host.good.example" || d.Edits[1].Op == Change {
		t.Fatalf("%+v: %+v", d.Edits, d.Unsigned)
	}
	for _, e := range d.Edits[1:] {
		if !strings.Contains(e.Value, "d=good.example") || strings.Contains(strings.ToLower(e.Value), "reply-to") {
			t.Errorf("%+v", e)
		}
	}
}

// What Sendmail adds, removes or rewrites is in no signature of ours.
func TestNeverSignedOnSendmail(t *testing.T) {
	m := &seal{set: &Setup{Sign: Sign{Headers: []string{"From", "To", "Bcc", "Return-Path", "Content-Length", "Full-Name", "received", "Authentication-Results"}, Oversign: []string{"From", "To", "Date", "Received"}, HeaderCanon: dkim.Simple}}, sendmail: true}
	s := m.signer(&keys.Key{}, "good.example")
	if !slices.Equal(s.Headers, []string{"From", "To"}) || !slices.Equal(s.Oversign, []string{"From"}) || s.HeaderCanon != dkim.Relaxed {
		t.Errorf("%+v", s)
	}
}
