package setup

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/keys"
)

// judge wants signatures that verify, in the message as the witness saw it. Where
// Postfix connects from an address that is not loopback the message is a
// stranger's to us, and carries our results.
//
// A Postfix that hides the first field of a message hides the topmost of what we
// insert from the witness, and nothing else: its own Received is seen then
// (docs/decisions/0024).
func (p *proof) judge(raw string) error {
	err := provesItself(raw, p.signing)
	if err == nil {
		return nil
	}
	m, merr := mail.ReadMessage(strings.NewReader(raw))
	if merr != nil {
		return err
	}
	results := slices.ContainsFunc(m.Header["Authentication-Results"], func(v string) bool { return strings.HasPrefix(strings.TrimSpace(v), p.id+";") })
	if results {
		return nil
	}
	if !p.host.Values.HidesFirst() || len(p.signing) == 0 {
		return err
	}
	version := "Postfix " + p.host.Values["mail_version"]
	top, rest := p.signing[0], p.signing[1:]
	// The one field that stands above the own Received is ours, or no other milter's.
	added := p.alone && ownReceivedFirst(raw)
	switch {
	case signedBy(m, top):
	case len(rest) > 0 && provesItself(raw, rest) == nil, len(rest) == 0 && added:
		p.notes = append(p.notes, fmt.Sprintf("%s hides the topmost field from a milter behind sealmilter, so the signature of %s was seen through the socket only", version, top.Name()))
		return nil
	case p.stranger && added && !slices.ContainsFunc(rest, func(k *keys.Key) bool { return signedBy(m, k) }):
		p.notes = append(p.notes, version+" hides the topmost field from a milter behind sealmilter: one was added there to mail from this host's own address, and nothing else of sealmilter's is to be seen")
		return nil
	}
	if checks := p.host.HeaderChecks(); checks != "" {
		return fmt.Errorf("%w; %s hides the first field of every message from milters, and header_checks = %s may have dropped the Received that it is meant for", err, version, checks)
	}
	return err
}

// signedBy reports whether the message carries a signature of the key, good or bad.
func signedBy(m *mail.Message, k *keys.Key) bool {
	return slices.ContainsFunc(m.Header["Dkim-Signature"], func(v string) bool {
		tags := strings.Split(strings.Join(strings.Fields(v), ""), ";")
		return slices.Contains(tags, "s="+k.Selector) && slices.Contains(tags, "d="+k.Domain)
	})
}

// ownReceivedFirst reports whether the first field that was seen is a Received
// field: the test message has none, so it is this host's, which Postfix shows only
// when something stands above it.
func ownReceivedFirst(raw string) bool {
	name, _, ok := strings.Cut(raw, ":")
	return ok && strings.EqualFold(strings.TrimSpace(name), "Received")
}

var errNoProof = errors.New("it did not pass sealmilter; the mail log says why")
