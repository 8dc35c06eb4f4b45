package milter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// signing is one outbound message on its way to its signatures.
type signing struct {
	keys []*keys.Key
	run  *dkim.Signing
	err  error // why it cannot be signed although it should
}

func (s *signing) write(chunk []byte) {
	if s.run != nil {
		s.run.Write(chunk)
	}
}

// neverSigned are fields that an MTA removes or rewrites on the way out
// (mta-notes, Sendmail), and trace fields, which RFC 6376 §5.4.1 advises against.
var neverSigned = []string{"Bcc", "Return-Path", "Content-Length", "Full-Name", "Received", "Authentication-Results"}

// startSigning finds the keys of the author's domain and starts the signatures.
// From's domain decides, the first author's where there are several. An address
// that only some readers find decides nothing: nobody gets a signature for whom he
// shows in a display name.
func (m *message) startSigning() {
	kept, changes := m.asSent()
	author := m.author
	if why := Reinjected(m.set.Rules, m.hints, m.fields, m.set.ownIDs(), m.authors()); why != "" {
		m.keepOwn()
		if !m.set.Rules.SignReinjected {
			m.why = "re-injected: " + why
			return
		}
		kept, changes = m.asSent() // with what stays
	}
	switch {
	case m.overLimit != "":
		m.why, m.warn = m.overLimit, true // docs/decisions/0004
		return
	case author.Err != nil:
		m.why = "no author domain: " + author.Err.Error()
		if m.hidesFirst && author.Fields == 0 {
			m.why, m.warn = m.why+", or it is the first field, which this Postfix hides from milters: let no header_checks drop Received", true
		}
		return
	}
	domains := author.Written()
	if d := author.Domain(); len(domains) == 0 && d != "" {
		domains = []string{d}
	}
	if len(domains) == 0 {
		m.why = "no author domain: readers differ about the address in the From field"
		return
	}
	picked, sdid, err := m.pick(domains)
	switch {
	case errors.Is(err, keys.ErrBroken):
		m.signing = &signing{err: fmt.Errorf("%w%s", err, whatToDo(err))}
		return
	case err != nil:
		m.why, m.warn = err.Error()+whatToDo(err), errors.Is(err, keys.ErrNoKey)
		return
	}
	signers := make([]dkim.Signer, len(picked))
	for i, k := range picked {
		signers[i] = m.signer(k, sdid)
		if m.hidesFirst {
			signers[i].Oversign = seenOnce(signers[i].Oversign, kept)
		}
	}
	run, err := dkim.NewSigning(kept, signers)
	m.changes = changes
	m.signing = &signing{keys: picked, run: run, err: err}
}

// asSent is the header section as the MTA will send it, with the changes that
// bring it there. It reads the author.
func (m *message) asSent() (kept header.Fields, changes []Edit) {
	kept = m.keptFields()
	if m.sendmail {
		kept, changes, m.unclear = rewriteAddresses(kept, append([]string{"From"}, m.set.Sign.Headers...), m.mtaName)
	}
	m.author = auth.ParseAuthor(kept)
	return kept, changes
}

// keepOwn lets our results and labels stay in mail that is handed back. A
// program of this host has them where we put them, above the field of our MTA,
// and what stands below that is the sender's (RFC 8601 §5). Where another host's
// fields name this one nobody can tell the place: of its mail only what speaks
// against the message stays.
func (m *message) keepOwn() {
	if m.hints.Client.onThisHost() {
		place, _ := cameIn(m.set.Rules, m.fields)
		m.unclaim(func(at int) bool { return place < 0 || at < place })
		return
	}
	m.unclaim(func(at int) bool {
		f := m.fields[at]
		if !auth.IsAuthResults(f.Name) {
			return f.Is(policy.QuarantineField)
		}
		res, _ := auth.OwnDMARC(f.Value, m.set.ownIDs(), m.authors())
		return res != "" && res != "pass"
	})
}

// authors are the author domains, those that only some readers show included.
func (m *message) authors() []string { return slices.Concat(m.author.Domains, m.author.Shown) }

// ownIDs are the authserv-ids of this host and of our other ones.
func (set *Setup) ownIDs() []string {
	ids := []string{set.AuthservID}
	for _, t := range set.TrustedIDs {
		ids = append(ids, t.ID)
	}
	return ids
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

// pick returns the keys of the first of the domains that has some.
func (m *message) pick(domains []string) ([]*keys.Key, string, error) {
	var first error
	for _, d := range domains {
		picked, sdid, err := m.set.Keys.Pick(d)
		if err == nil {
			return picked, sdid, nil
		}
		if first == nil || errors.Is(first, keys.ErrNotListed) {
			first = err
		}
	}
	return nil, "", first
}

func (m *message) signer(k *keys.Key, sdid string) dkim.Signer {
	cfg := m.set.Sign
	s := dkim.Signer{
		Domain: sdid, Selector: k.Selector, Key: k,
		HeaderCanon: cfg.HeaderCanon, BodyCanon: cfg.BodyCanon,
		Headers: without(cfg.Headers, neverSigned), Oversign: without(cfg.Oversign, neverSigned),
		Expire: cfg.Expire,
	}
	if m.sendmail {
		// Sendmail folds, trims and adds fields after us: simple would break, and
		// so would oversigning a field that it may still add.
		s.HeaderCanon = dkim.Relaxed
		s.Oversign = []string{"From"}
		// A field that we cannot foresee is better not signed; From must be.
		s.Headers = without(s.Headers, slices.DeleteFunc(slices.Clone(m.unclear), func(n string) bool { return strings.EqualFold(n, "From") }))
	}
	return s
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

// keptFields is the header section as the MTA will send it: without the fields
// that we are about to remove.
func (m *message) keptFields() header.Fields {
	if len(m.dropped) == 0 {
		return m.fields
	}
	kept := make(header.Fields, 0, len(m.fields))
	for i, f := range m.fields {
		if !m.dropped[i] {
			kept = append(kept, f)
		}
	}
	return kept
}

func (m *message) finishOutbound() outcome {
	o := outcome{results: auth.Results{Author: m.author}}
	m.env.Signed = m.signing != nil && m.signing.err == nil
	o = m.decide(o)
	o.edits = append(m.deletions(), o.edits...)
	if s := m.signing; s != nil {
		values, err := s.finish()
		if err != nil {
			// Never sent unsigned silently: the MTA keeps it and tries again.
			m.set.Metrics.Unsigned("error")
			return outcome{reply: &internalError, err: fmt.Errorf("signing: %w", err), results: o.results}
		}
		o.edits = append(o.edits, m.changes...)
		// The last insertion stands topmost: the first key's, which is RSA.
		for i := len(values) - 1; i >= 0; i-- {
			o.edits = append(o.edits, Edit{Op: Insert, Name: "DKIM-Signature", Value: values[i]})
		}
		for _, k := range s.keys {
			o.signed = append(o.signed, k.Name())
		}
	} else {
		m.set.Metrics.Unsigned(m.unsignedLabel())
	}
	return o
}

func (s *signing) finish() ([]string, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.run.Finish()
}

// unsignedLabel keeps the metric's label to a few words.
func (m *message) unsignedLabel() string {
	switch {
	case strings.HasPrefix(m.why, "re-injected"):
		return "reinjected"
	case m.overLimit != "":
		return "over_limit"
	case m.author.Err != nil:
		return "no_author_domain"
	case m.warn:
		return "no_key"
	}
	return "not_listed"
}
