package transaction

import (
	"net/netip"
	"testing"
)

// TestRemovedIDs: results under the name of a former daemon of ours go, whoever brings
// them, and others stay (RFC 8601 §5).
func TestRemovedIDs(t *testing.T) {
	for id, removed := range map[string]bool{"old.example": true, "OLD.example": true, "other.example": false, "older.example": false} {
		set := newSetup(t)
		set.RemovedIDs = []string{"old.example"}
		set.TrustedIDs = []TrustedID{{ID: "old.example", Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}}
		m := Begin(t.Context(), set, Offer{})
		m.Field("Authentication-Results", " "+id+"; dmarc=pass header.from=good.example", true)
		m.Field("From", " a@elsewhere.example", true)
		d := m.Finish("")
		m.Close()
		got := false
		for _, e := range d.Edits {
			got = got || e.Op == Delete
		}
		if got != removed {
			t.Errorf("%s: removed %v", id, got)
		}
	}
}
