package milter

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// Setup is the running configuration: built by cmd, never changed afterwards,
// swapped as a whole. A message uses the one that runs at its MAIL FROM.
type Setup struct {
	AuthservID string
	Rules      Rules
	// MTA is "auto", "postfix" or "sendmail".
	MTA string
	// TrustedIDs are authserv-ids of our own upstream hosts.
	TrustedIDs []TrustedID
	Sign       Sign
	Keys       KeyStore
	Auth       *auth.Authenticator
	Policy     Decider
	Limits     Limits
	Log        *slog.Logger
	Metrics    *telemetry.Metrics

	// warned holds the private networks, and MTAs, that were warned about.
	warned sync.Map
}

// warnHidden says once what an old Postfix keeps from us, and what to do.
func (set *Setup) warnHidden(mta string) {
	if _, again := set.warned.LoadOrStore("first field", true); !again {
		set.Log.Warn("this MTA hides the first header field of every message from milters, in the belief that it is its own Received",
			"mta", mta, "hint", "let no header_checks drop Received, and update to Postfix 2.10.5, 2.11.3 or later; docs/decisions/0023")
	}
}

// warnPrivate says once for each network (a /24, or a /64) what to do about a
// machine of ours that is taken for a stranger.
func (set *Setup) warnPrivate(ip netip.Addr, domain string) {
	bits := 24
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return
	}
	if _, again := set.warned.LoadOrStore(p, true); !again {
		set.Log.Warn("a client in private address space sends as one of sign.domains without authentication; its mail is not signed",
			"client_ip", ip.String(), "author_domain", domain, "hint", "add "+p.String()+" to outbound.networks")
	}
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

// Limits of one message (DESIGN §10).
type Limits struct {
	FieldSize    int // bytes of one header field
	HeaderSize   int // bytes of the header section
	HeaderFields int
	HeaderMemory int // bytes that all messages hold together, see headerMemory
}

// KeyStore finds the keys of an author domain.
type KeyStore interface {
	// Pick returns the signing keys, the RSA key first, and the Signing Domain
	// Identifier. Errors: see package keys.
	Pick(authorDomain string) ([]*keys.Key, string, error)
}

// Decider decides about a message: *policy.Policy.
type Decider interface {
	Decide(policy.Input) policy.Verdict
}
