// Package auth finds out what is true about a message: who its author claims
// to be and which of SPF, DKIM, DMARC and iprev say so. It writes the
// Authentication-Results field and recognises forged ones.
//
// It knows no milter protocol, no configuration and no policy: what is done
// about a result is package policy's business.
package auth

import (
	"errors"
	"net/netip"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// Direction says what a message is to us. Who decides it is transaction.Classify.
type Direction string

const (
	Inbound  Direction = "inbound"  // from outside: authenticate it
	Outbound Direction = "outbound" // ours: sign it
	Relayed  Direction = "relayed"  // from outside, handed over by one of our own hosts
)

// Envelope is what the SMTP dialogue said, and the header section.
type Envelope struct {
	Direction     Direction
	Authenticated bool
	AuthUser      string     // {auth_authen}
	ClientIP      netip.Addr // unmapped; invalid when unknown
	ClientName    string     // as the MTA verified it; "" or "[ip]" when it could not
	Helo          string
	MailFrom      string   // without angle brackets; "" is the null reverse-path
	Recipients    []string // without angle brackets
	QueueID       string
	Header        header.Fields
	Size          int64 // bytes of header section and body on the wire
	Signed        bool  // outbound: we sign it
	// FirstHidden: the MTA may have kept the first field of the header section
	// from us, where it took that for its own Received.
	FirstHidden bool
}

// Author is RFC5322.From, read as DMARC needs it (RFC 9989 §4.2, §5.3.1).
type Author struct {
	Fields    int      // how many From fields there are
	Mailboxes []string // addr-specs of all mailboxes, as written, comments removed
	// Domains are those of every address that some reader may show as an author's,
	// distinct: A-labels, lower case, at most dmarc.MaxAuthors. A pass must hold for
	// all. Those of mailboxes that all readers find come first, in order.
	Domains []string
	// Shown are the rest of Domains: of addresses that only some readers take for
	// an author's, or of a field in which no mailbox is plain. They never decide
	// who signs.
	Shown []string
	// Addresses are those of all readings whose domain is one of Domains, distinct,
	// in no order that means anything.
	Addresses []Address
	// Err says why there is no Author Domain; nil when Domains is usable. It is
	// ErrNoAuthor where no reading has an address with a domain.
	Err error
}

// ErrNoAuthor is wrapped by Author.Err where no reading of the one From field
// gives a domain: root (Cron Daemon), <>, root@[192.0.2.1]. Programs of one's
// own hosts write such mail, and it is in nobody's name.
var ErrNoAuthor = errors.New("no author domain")

// noAuthor is a reason that wraps ErrNoAuthor and says it better.
type noAuthor string

func (e noAuthor) Error() string { return string(e) }
func (e noAuthor) Unwrap() error { return ErrNoAuthor }

// Domainless reports whether the one From field names no domain to any reader,
// as opposed to none that all readers agree on.
func (a Author) Domainless() bool {
	return errors.Is(a.Err, ErrNoAuthor) && a.Fields == 1 && len(a.Domains) == 0 && len(a.Shown) == 0
}

// Written are the domains of mailboxes that all readers find, Domains without
// Shown.
func (a Author) Written() []string { return a.Domains[:len(a.Domains)-len(a.Shown)] }

// Domain is the Author Domain when there is exactly one, else "".
func (a Author) Domain() string {
	if a.Err != nil || len(a.Domains) != 1 {
		return ""
	}
	return a.Domains[0]
}

// Results is what the checks found. A nil pointer is a check that did not run.
type Results struct {
	Author Author
	IPRev  *iprev.Result
	SPF    *spf.Result
	// DKIM has one entry a signature, top first; DKIMRan tells "no signature"
	// from "not checked".
	DKIM    []dkim.Result
	DKIMRan bool
	// DMARC is the verdict that counts: of several author domains, the one with
	// the strictest failing policy.
	DMARC *dmarc.Result
	// Indirect is the mark of forwarding that was found, "" for none (Indirect);
	// "unknown-origin" is relayed mail whose first hop nobody can tell.
	Indirect string
}
