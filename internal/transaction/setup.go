package transaction

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// Setup is the running configuration: made by internal/assemble, never changed
// afterwards, swapped as a whole. A message uses the one that runs at its MAIL FROM.
type Setup struct {
	AuthservID string
	Rules      Rules
	// MTA is "auto", "postfix" or "sendmail".
	MTA string
	// TrustedIDs are authserv-ids of our own upstream hosts.
	TrustedIDs []TrustedID
	// RemovedIDs are authserv-ids that nobody may use: a former daemon's.
	RemovedIDs []string
	Sign       Sign
	Senders    *Senders // nil: whoever sends may write as everybody
	Keys       KeyStore
	Auth       *auth.Authenticator
	Policy     Decider
	Limits     Limits
	Observer   Observer // nil: nobody is told
	// TrialField is in messages of ours with which set-up proves itself.
	TrialField string
}

// TrustedID lets Authentication-Results of ID stay when they come from
// Networks.
type TrustedID struct {
	ID       string
	Networks []netip.Prefix
}

// Sign says how outbound mail is signed.
type Sign struct {
	Headers, Oversign      []string
	HeaderCanon, BodyCanon dkim.Canonicalization
	Expire                 time.Duration
}

// Limits of one message.
type Limits struct {
	FieldSize    int // bytes of one header field
	HeaderSize   int // bytes of the header section
	HeaderFields int
	HeaderMemory int // bytes that all messages hold together, see Memory
}

// KeyStore finds the keys of an author domain.
type KeyStore interface {
	// Pick returns the signing keys, the RSA key first, and the Signing Domain
	// Identifier. Errors: see package keys.
	Pick(authorDomain string) ([]*keys.Key, string, error)
	// PickTrial is Pick that does not mind the DNS.
	PickTrial(authorDomain string) ([]*keys.Key, string, error)
}

// Decider decides about a message: *policy.Policy.
type Decider interface {
	Decide(policy.Input) policy.Verdict
}

// ownIDs are the authserv-ids of this host and of our other ones.
func (set *Setup) ownIDs() []string {
	ids := []string{set.AuthservID}
	for _, t := range set.TrustedIDs {
		ids = append(ids, t.ID)
	}
	return ids
}

// foreignIDs lists the authserv-ids that only we and our own upstream hosts
// may use, as far as this client is none of them (RFC 8601 §5).
func (set *Setup) foreignIDs(client netip.Addr) []string {
	trusted := map[string]bool{}
	for _, t := range set.TrustedIDs {
		if _, ok := within(t.Networks, client); ok {
			trusted[strings.ToLower(t.ID)] = true
		}
	}
	out := slices.Clone(set.RemovedIDs)
	for _, id := range set.ownIDs() {
		if !trusted[strings.ToLower(id)] {
			out = append(out, id)
		}
	}
	return out
}
