package transaction

import (
	"errors"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/keys"
)

// neverSigned are fields that an MTA removes or rewrites on the way out
// (Sendmail), and trace fields, which RFC 6376 §5.4.1 advises against.
var neverSigned = []string{"Bcc", "Return-Path", "Content-Length", "Full-Name", "Received", "Authentication-Results"}

// pick returns the keys of the first of the domains that has some. A trial shows that
// signing works before anything is in the DNS; it harms nobody, since a signature
// without a record is as good as none (RFC 6376 §6.1.2).
func (set *Setup) pick(domains []string, trial bool) ([]*keys.Key, string, error) {
	pick := set.Keys.Pick
	if trial {
		pick = set.Keys.PickTrial
	}
	var first error
	for _, d := range domains {
		picked, sdid, err := pick(d)
		if err == nil {
			return picked, sdid, nil
		}
		if first == nil || errors.Is(first, keys.ErrNotListed) {
			first = err
		}
	}
	return nil, "", first
}

// whatToDo is the hint of the key store for the log line, "" without one.
func whatToDo(err error) string {
	pe := (*keys.PickError)(nil)
	switch {
	case !errors.As(err, &pe) || pe.Hint == "":
		return ""
	case errors.Is(err, keys.ErrNoKey):
		return ": run " + pe.Hint
	}
	return "; hint: " + pe.Hint
}

// signer is how k signs this message.
func (s *seal) signer(k *keys.Key, sdid string) dkim.Signer {
	cfg := s.set.Sign
	r := dkim.Signer{
		Domain: sdid, Selector: k.Selector, Key: k,
		HeaderCanon: cfg.HeaderCanon, BodyCanon: cfg.BodyCanon,
		Headers: without(cfg.Headers, neverSigned), Oversign: without(cfg.Oversign, neverSigned),
		Expire: cfg.Expire,
	}
	if s.sendmail {
		// Sendmail folds, trims and adds fields after us: simple would break, and
		// so would oversigning a field that it may still add.
		r.HeaderCanon = dkim.Relaxed
		r.Oversign = []string{"From"}
		// A field that we cannot foresee is better not signed; From must be.
		r.Headers = without(r.Headers, slices.DeleteFunc(slices.Clone(s.unclear), func(n string) bool { return strings.EqualFold(n, "From") }))
	}
	return r
}

// seenOnce keeps the names that may be oversigned where the first field of the
// message is hidden: of a field that occurs once (RFC 5322 §3.6, RFC 2045 §3), and
// is seen, no instance is hidden. Any other may be the first, and a signature that
// says it is not there would break.
func seenOnce(names []string, fields header.Fields) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !containsFold(occurOnce, n) || fields.Count(n) != 1 })
}

var occurOnce = []string{
	"Date", "From", "Sender", "Reply-To", "To", "Cc", "Message-ID", "In-Reply-To", "References", "Subject",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID", "Content-Description",
}

func without(list, drop []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return containsFold(drop, s) })
}
