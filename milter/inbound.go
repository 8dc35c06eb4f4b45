package milter

import (
	"errors"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/keys"
)

// finishInbound joins the checks, plans the removal of forged fields and the
// one field of ours, and asks the policy.
func (m *message) finishInbound() outcome {
	r := m.check.Finish()
	m.count(&r)
	if m.ownPrivate(&r) {
		m.set.warnPrivate(m.env.ClientIP, r.Author.Domains[0])
	}
	o := m.decide(outcome{edits: m.deletions(), results: r})
	// Inserted last, so that it stands at the very top (RFC 8601 §4).
	o.edits = append(o.edits, Edit{
		Op: Insert, Name: "Authentication-Results",
		Value: auth.FormatResults(m.set.AuthservID, r, &m.env),
	})
	return o
}

// ownPrivate reports whether an unauthenticated client in private address
// space claims to write for us, and for nobody else: probably one of our
// machines that is missing in outbound.networks.
func (m *message) ownPrivate(r *auth.Results) bool {
	if m.env.Direction != auth.Inbound || m.env.Authenticated || !m.env.ClientIP.IsPrivate() {
		return false
	}
	for _, d := range r.Author.Domains {
		if _, _, err := m.set.Keys.Pick(d); errors.Is(err, keys.ErrNotListed) {
			return false
		}
	}
	return len(r.Author.Domains) > 0
}

// ownHost reports whether a machine of ours hands the message over, at a
// listener for inbound mail as well.
func (m *message) ownHost() bool {
	r, c := m.set.Rules, m.hints.Client
	_, network := within(r.Networks, c.IP)
	return m.env.Direction == auth.Relayed || network || r.Local && c.local()
}

// findOrigin tells the check whom SPF has to judge in relayed mail.
func (m *message) findOrigin() {
	switch at, rec := origin(m.set.Rules, m.fields); {
	case at < 0: // the relay's own mail, or one that adds no trace
	case rec.Client.IsValid():
		m.check.Origin(rec.Client, rec.Helo)
	default:
		m.check.OriginUnknown()
	}
}

func (m *message) count(r *auth.Results) {
	mt := m.set.Metrics
	for method, word := range map[string]string{
		"spf": spfWord(r), "dmarc": dmarcWord(r), "iprev": iprevWord(r),
	} {
		if word != "" {
			mt.Result(method, word)
		}
	}
	for _, d := range r.DKIM {
		mt.Result("dkim", string(d.Status))
	}
	if r.DKIMRan && len(r.DKIM) == 0 {
		mt.Result("dkim", "none")
	}
}

// The words of the log line; "" is a check that did not run.

func spfWord(r *auth.Results) string {
	if r.SPF == nil {
		return ""
	}
	return string(r.SPF.Status)
}

func iprevWord(r *auth.Results) string {
	if r.IPRev == nil {
		return ""
	}
	return string(r.IPRev.Status)
}

func dmarcWord(r *auth.Results) string {
	if r.DMARC == nil {
		return ""
	}
	return string(r.DMARC.Status)
}

// dkimWords lists each signature as result:domain.
func dkimWords(r *auth.Results) string {
	if r.DKIMRan && len(r.DKIM) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, d := range r.DKIM {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(d.Status))
		if d.Domain != "" {
			b.WriteString(":" + d.Domain)
		}
	}
	return b.String()
}
