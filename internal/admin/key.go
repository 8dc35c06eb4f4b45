package admin

import (
	"cmp"
	"slices"
	"strings"
	"time"

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
	Waits     bool   `json:"waits_for_dns,omitempty"` // made beside others, and not seen in the DNS yet
	Proof     string `json:"proof,omitempty"`
}

// Describe tells of keys what may be told.
func Describe(list []*keys.Key) []Key {
	out := make([]Key, 0, len(list))
	for _, k := range list {
		out = append(out, Key{
			Domain: k.Domain, Selector: k.Selector, Algorithm: k.Algorithm(), Bits: k.Bits(),
			Created: k.Created().UTC().Format("2006-01-02"), Path: k.Path(), Waits: k.Waits(),
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

// Signs reports whether the key is among those that sign for its domain now.
func Signs(store *keys.Store, key *keys.Key) bool {
	picked, _, _ := store.Pick(key.Domain)
	return slices.ContainsFunc(picked, func(k *keys.Key) bool { return k.Selector == key.Selector })
}
