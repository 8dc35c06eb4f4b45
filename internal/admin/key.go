package admin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
)

// What Key.Proof says where it does not say what went wrong.
const (
	Proved       = "ok"
	ProofPending = "pending"
)

// Key is one key for a script.
type Key struct {
	Domain    string `json:"domain"`
	Selector  string `json:"selector"`
	Algorithm string `json:"algorithm"`
	Bits      int    `json:"bits"`
	Created   string `json:"created"`
	Path      string `json:"path"`
	Signs     bool   `json:"signs"`
	Waits     bool   `json:"waits_for_dns,omitempty"` // it signs when the DNS has shown it
	Proof     string `json:"proof,omitempty"`
	// State is keys.State; Next says what happens to the key next, "" where nothing is to
	// come, and NextAt when, where that is known.
	State  keys.State `json:"state,omitempty"`
	Next   string     `json:"next,omitempty"`
	NextAt *time.Time `json:"next_at,omitempty"`
	// DNS is "shown", "absent" or "unknown", and Asked when that was; "" where nobody asked.
	DNS   string     `json:"dns,omitempty"`
	Asked *time.Time `json:"dns_asked,omitempty"`
	// Alarm: the DNS has shown the record of a key that signs, and does not any more.
	Alarm bool `json:"alarm,omitempty"`
}

// Tell fills in where a key stands in its life.
func (v *Key) Tell(now time.Time, k *keys.Key, set rotate.Settings) {
	l := k.Life()
	v.State = l.State(now)
	v.Waits = v.State == keys.New && (l.Waits || !l.Absent.IsZero()) || v.State == keys.Published && !l.Activate.IsZero()
	what, at := rotate.Outlook(now, set, k)
	if v.Next = what; !at.IsZero() {
		v.NextAt = &at
	}
}

// Describe tells of keys what may be told.
func Describe(list []*keys.Key) []Key {
	out := make([]Key, 0, len(list))
	for _, k := range list {
		out = append(out, Key{
			Domain: k.Domain, Selector: k.Selector, Algorithm: k.Algorithm(), Bits: k.Bits(),
			Created: k.Created().UTC().Format("2006-01-02"), Path: k.Path(),
		})
	}
	return out
}

// Sorted lists a store's keys by domain, the newest first, RSA before Ed25519.
func Sorted(store *keys.Store) []*keys.Key {
	all := store.All()
	slices.SortStableFunc(all, func(a, b *keys.Key) int {
		return cmp.Or(strings.Compare(a.Domain, b.Domain), b.Created().Truncate(24*time.Hour).Compare(a.Created().Truncate(24*time.Hour)),
			strings.Compare(b.Algorithm(), a.Algorithm()))
	})
	return all
}
