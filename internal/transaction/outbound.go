package transaction

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// seal is a message of ours on its way to its signatures, or to none.
type seal struct {
	set      *Setup
	sendmail bool
	author   auth.Author
	kept     header.Fields // as the MTA will send them
	changes  []Edit        // Sendmail: address fields in the form that is signed
	unclear  []string      // ... and names of those that we do not understand
	unsigned Unsigned      // why there is no signature
	lines    lineMeter

	keys []*keys.Key
	run  *dkim.Signing
	err  error // why it cannot be signed although it should
}

// startSeal finds the keys of the author's domain and starts the signatures.
// From's domain decides, the first author's where there are several. An address
// that only some readers find decides nothing: nobody gets a signature for whom he
// shows in a display name.
func (m *Message) startSeal() *seal {
	mta := m.offer.MTA
	s := &seal{set: m.set, sendmail: mta.Sendmail}
	kept := s.asSent(&m.head, mta.Name)
	author := s.author
	if why := Reinjected(m.set.Rules, m.offer.Hints, m.head.fields, m.set.ownIDs(), s.authors()); why != "" {
		m.keepOwn(s.authors())
		if !m.set.Rules.SignReinjected {
			return s.not(Unsigned{Why: Reinjection, Text: "re-injected: " + why})
		}
		kept = s.asSent(&m.head, mta.Name) // with what stays
	}
	switch {
	case m.head.overLimit != "":
		return s.not(Unsigned{OverLimit, m.head.overLimit, true})
	case author.Err != nil:
		u := Unsigned{Why: NoAuthorDomain, Text: "no author domain: " + author.Err.Error()}
		if mta.HidesFirst && author.Fields == 0 {
			u.Text += ", or it is the first field, which this Postfix hides from milters: let no header_checks drop Received"
			u.Warn = true
		}
		return s.not(u)
	}
	domains := author.Written()
	if d := author.Domain(); len(domains) == 0 && d != "" {
		domains = []string{d}
	}
	if len(domains) == 0 {
		return s.not(Unsigned{Why: NotListed, Text: "no author domain: readers differ about the address in the From field"})
	}
	picked, sdid, err := m.set.pick(domains, kept.Count(m.set.TrialField) > 0)
	switch {
	case errors.Is(err, keys.ErrBroken):
		s.err = fmt.Errorf("%w%s", err, whatToDo(err))
		return s
	case err != nil:
		u := Unsigned{Why: NotListed, Text: err.Error() + whatToDo(err)}
		switch {
		case errors.Is(err, keys.ErrNoKey):
			u.Why, u.Warn = NoKey, true
		case errors.Is(err, keys.ErrUnpublished):
			u.Why, u.Warn = Unpublished, true
		}
		return s.not(u)
	}
	signers := make([]dkim.Signer, len(picked))
	for i, k := range picked {
		signers[i] = s.signer(k, sdid)
		if mta.HidesFirst {
			signers[i].Oversign = seenOnce(signers[i].Oversign, kept)
		}
	}
	s.keys = picked
	s.run, s.err = dkim.NewSigning(kept, signers)
	return s
}

// not is s of a message that is not signed: it is not changed either.
func (s *seal) not(u Unsigned) *seal {
	s.unsigned, s.changes = u, nil
	return s
}

// signs reports whether signatures are under way.
func (s *seal) signs() bool { return s != nil && s.run != nil && s.err == nil }

func (s *seal) write(chunk []byte) {
	if s.run != nil {
		s.run.Write(chunk)
		s.lines.write(chunk)
	}
}

// finish adds the signatures to d, whose verdict is known.
func (s *seal) finish(d *Decision) {
	d.Unsigned = s.unsigned
	if s.run == nil && s.err == nil {
		return
	}
	var values []string
	err := s.err
	if err == nil {
		values, err = s.run.Finish()
	}
	if err != nil {
		// Never sent unsigned silently: the MTA keeps it and tries again.
		d.failed(fmt.Errorf("signing: %w", err))
		d.Unsigned = Unsigned{Why: SignError}
		return
	}
	d.Edits = append(d.Edits, s.changes...)
	// The last insertion stands topmost: the first key's, which is RSA.
	for i := len(values) - 1; i >= 0; i-- {
		d.Edits = append(d.Edits, Edit{Op: Insert, Name: "DKIM-Signature", Value: values[i]})
	}
	for _, k := range s.keys {
		d.Signed = append(d.Signed, k.Name())
	}
	if d.Reply == nil && !d.Discard {
		d.Risks = s.risks()
	}
}

// risks says what may break the signatures on the way out.
func (s *seal) risks() (risks []string) {
	if containsFold(s.unclear, "From") {
		risks = append(risks, "From is written in a way that Sendmail may change")
	}
	if limit := lineLimit(s.sendmail); s.lines.longest > limit {
		risks = append(risks, fmt.Sprintf("a body line of %d bytes, where the MTA cuts after %d", s.lines.longest, limit))
	}
	if s.lines.eightBit {
		risks = append(risks, "8-bit body, which is recoded for a next hop without 8BITMIME")
	}
	return risks
}

// asSent is the header section as the MTA, whose name is host, will send it, with
// the changes that bring it there. It reads the author.
func (s *seal) asSent(h *head, host string) (kept header.Fields) {
	kept = h.kept()
	if s.sendmail {
		kept, s.changes, s.unclear = rewriteAddresses(kept, append([]string{"From"}, s.set.Sign.Headers...), host)
	}
	s.kept, s.author = kept, auth.ParseAuthor(kept)
	return kept
}

// authors are the author domains, those that only some readers show included.
func (s *seal) authors() []string { return slices.Concat(s.author.Domains, s.author.Shown) }

// keepOwn lets our results and labels stay in mail that is handed back. A
// program of this host has them where we put them, above the field of our MTA,
// and what stands below that is the sender's (RFC 8601 §5). Where another host's
// fields name this one nobody can tell the place: of its mail only what speaks
// against the message stays.
func (m *Message) keepOwn(authors []string) {
	if m.offer.Client.onThisHost() {
		place, _ := cameIn(m.set.Rules, m.head.fields)
		m.head.unclaim(func(at int) bool { return place < 0 || at < place })
		return
	}
	m.head.unclaim(func(at int) bool {
		f := m.head.fields[at]
		if !auth.IsAuthResults(f.Name) {
			return f.Is(policy.QuarantineField)
		}
		res, _ := auth.OwnDMARC(f.Value, m.set.ownIDs(), authors)
		return res != "" && res != "pass"
	})
}
