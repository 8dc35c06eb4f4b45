package milter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/policy"
)

// message is one transaction, from MAIL FROM to the end of body.
type message struct {
	ctx      context.Context
	set      *Setup
	peer     *auth.Peer
	env      auth.Envelope
	hints    Hints
	class    Classified
	sendmail bool   // the MTA rewrites address fields after us
	mtaName  string // its own host name (the j macro)
	// hidesFirst: the MTA shows all fields but the first, mostly its own Received
	// (docs/decisions/0023).
	hidesFirst bool
	start      time.Time

	fields    header.Fields
	size      int            // of the header section so far
	overLimit string         // why the header section is not complete
	claimed   []claim        // deletions: results that claim our id, labels that are ours to give
	dropped   map[int]bool   // the same, as places in fields
	seen      map[string]int // how many fields of each name there were; beyond the limits, of those that only we may write
	beyond    int            // bytes of the fields beyond the limits
	misplaced bool           // a field that hides results lies there, where its index is not known
	foreign   []string       // the authserv-ids that this client may not use

	// memory is the server's account of header bytes, nil without one. Of held
	// bytes, charged are on it. starved: there was no room.
	memory        *headerMemory
	held, charged int64
	starved       bool

	complete bool // the header section is

	// One of the two, or neither for re-injected mail.
	check   *auth.Check
	signing *signing
	author  auth.Author // outbound
	changes []Edit      // outbound, Sendmail: address fields in the form that is signed
	unclear []string    // ... and names of those that we do not understand
	lines   lineMeter   // outbound
	why     string      // outbound: why it is not signed
	warn    bool        // ... and that the admin should do something about it
}

// outcome is what is done with the message.
type outcome struct {
	edits   []Edit
	reply   *policy.Reply
	discard bool

	results auth.Results
	verdict policy.Verdict
	signed  []string // names of the keys
	err     error    // ours, for the log
}

// newMessage begins a transaction. Its checks start with authenticate, at the
// latest with the end of the header section.
func newMessage(ctx context.Context, set *Setup, h Hints, c conn, mailFrom string) *message {
	m := &message{ctx: ctx, set: set, peer: c.peer, hints: h, start: time.Now(), seen: map[string]int{}, dropped: map[int]bool{}}
	m.class = Classify(set.Rules, h)
	m.env = auth.Envelope{
		Direction:     m.class.Direction,
		Authenticated: h.AuthUser != "",
		AuthUser:      h.AuthUser,
		ClientIP:      c.client.IP,
		ClientName:    c.client.Name,
		Helo:          c.helo,
		MailFrom:      mailFrom,
	}
	m.foreign = set.foreignIDs(c.client.IP)
	return m
}

// authenticate starts the checks, of mail that is not ours. Idempotent.
func (m *message) authenticate() {
	if m.check == nil && m.class.Direction != auth.Outbound {
		m.check = m.set.Auth.Begin(m.ctx, &m.env, m.peer)
	}
}

// foreignIDs lists the authserv-ids that only we and our own upstream hosts
// may use, as far as this client is none of them (RFC 8601 §5).
func (set *Setup) foreignIDs(client netip.Addr) []string {
	trusted := map[string]bool{}
	ids := []string{set.AuthservID}
	for _, t := range set.TrustedIDs {
		ids = append(ids, t.ID)
		if _, ok := within(t.Networks, client); ok {
			trusted[strings.ToLower(t.ID)] = true
		}
	}
	var out []string
	for _, id := range ids {
		if !trusted[strings.ToLower(id)] {
			out = append(out, id)
		}
	}
	return out
}

// addField takes one header field as the MTA shows it: folds are LF, and
// without SMFIP_HDR_LEADSPC the MTA has eaten the space after the colon.
func (m *message) addField(name, value string, leadingSpace bool) {
	if m.starved || m.refused() { // whatever else comes
		m.size += len(name) + len(value) + 3
		return
	}
	f := header.Field{Name: name, Value: crlf(value)}
	if !leadingSpace {
		f.Value = " " + f.Value
	}
	ours := m.claim(f)
	switch lim := m.set.Limits; {
	case m.starved:
	case m.overLimit != "":
		m.beyond += f.Len()
	case len(m.fields) >= lim.HeaderFields:
		m.overLimit = fmt.Sprintf("more than %d header fields", lim.HeaderFields)
	case f.Len() > lim.FieldSize:
		m.overLimit = fmt.Sprintf("a header field of more than %d bytes", lim.FieldSize)
	case m.size+f.Len() > lim.HeaderSize:
		m.overLimit = fmt.Sprintf("a header section of more than %d bytes", lim.HeaderSize)
	case !m.hold(f.Len()):
	default:
		if ours {
			m.dropped[len(m.fields)] = true
		}
		m.fields = append(m.fields, f)
	}
	m.size += f.Len()
}

// crlf makes CRLF of every line end; the MTAs send LF.
func crlf(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// headersDone starts what needs the header section. Idempotent.
func (m *message) headersDone() {
	if m.complete {
		return
	}
	m.complete = true
	if m.starved {
		m.cancel()
		return
	}
	m.env.Header = m.fields
	m.env.FirstHidden = m.hidesFirst && m.overLimit == "" // a limit is the sender's doing
	m.authenticate()
	if m.check != nil {
		if m.class.Direction == auth.Relayed {
			m.findOrigin()
		}
		m.check.Headers(m.fields)
		if m.overLimit != "" {
			m.check.Incomplete(errors.New(m.overLimit))
		}
		return
	}
	m.startSigning()
}

// write takes a piece of the body.
func (m *message) write(chunk []byte) {
	m.env.Size += int64(len(chunk))
	switch {
	case m.starved:
	case m.check != nil:
		m.check.Write(chunk)
	case m.signing != nil:
		m.signing.write(chunk)
		m.lines.write(chunk)
	}
}

// finish joins everything and plans the edits.
func (m *message) finish() (o outcome) {
	defer func() {
		if v := recover(); v != nil {
			m.set.Metrics.Panic("message")
			o = outcome{reply: &internalError, err: fmt.Errorf("panic: %v\n%s", v, debug.Stack())}
		}
	}()
	m.env.Size += int64(m.size) + 2 // the empty line
	if m.starved {
		o.verdict = m.comeAgain()
		o.reply = &o.verdict.Reply
		return o
	}
	if m.check != nil {
		o = m.finishInbound()
	} else {
		o = m.finishOutbound()
	}
	if m.refused() && o.reply == nil && !o.discard {
		o.verdict = m.refusal()
		o.reply, o.signed = &o.verdict.Reply, nil
	}
	return o
}

// decide asks the policy and turns its verdict into edits on top of those that
// are planned.
func (m *message) decide(o outcome) outcome {
	o.verdict = m.set.Policy.Decide(policy.Input{
		Env: &m.env, Results: &o.results, OwnPrivate: m.ownPrivate(&o.results), OwnHost: m.ownHost(),
	})
	v := o.verdict
	switch v.Action {
	case policy.Accept, policy.Tag, policy.Quarantine:
	case policy.Reject, policy.Tempfail:
		o.reply = &v.Reply
	case policy.Discard:
		o.discard = true
	default:
		o.reply, o.err = &internalError, fmt.Errorf("policy did not decide: %q", v.Action)
	}
	// The last insertion stands topmost, and the first header of the verdict
	// shall stand above the second.
	for i := len(v.Headers) - 1; i >= 0; i-- {
		o.edits = append(o.edits, Edit{Op: Insert, Name: v.Headers[i].Name, Value: " " + v.Headers[i].Value})
	}
	if v.Hold {
		o.edits = append(o.edits, Edit{Op: Quarantine, Value: "sealmilter: " + v.Rule + "; " + v.Reason})
	}
	return o
}

// cancel stops the checks, so that a finish under way ends soon.
func (m *message) cancel() {
	if m.check != nil {
		m.check.Cancel()
	}
}

func (m *message) close() {
	m.cancel()
	m.release()
}

// log writes the one line of this message.
func (m *message) logLine(o outcome) {
	level := slog.LevelInfo
	reason := m.class.Reason
	if o.verdict.Rule != "" {
		reason = o.verdict.Reason
	}
	switch {
	case o.err != nil:
		level, reason = slog.LevelError, o.err.Error()
	case m.why != "" && o.verdict.Rule != "":
		reason += "; not signed: " + m.why
	case m.why != "":
		reason = "not signed: " + m.why
	}
	if m.warn && o.err == nil {
		level = slog.LevelWarn
	}
	action := string(o.verdict.Action)
	if o.err != nil {
		action = string(policy.Tempfail)
	}
	m.set.Metrics.Message(string(m.env.Direction), action)
	m.set.Log.LogAttrs(context.Background(), level, "message",
		slog.String("queue_id", m.env.QueueID),
		slog.String("direction", string(m.env.Direction)),
		slog.String("client_ip", addrString(m.env.ClientIP)),
		slog.String("helo", m.env.Helo),
		slog.String("mail_from", m.env.MailFrom),
		slog.String("author_domain", strings.Join(o.results.Author.Domains, ",")),
		slog.String("spf", spfWord(&o.results)),
		slog.String("dkim", dkimWords(&o.results)),
		slog.String("dmarc", dmarcWord(&o.results)),
		slog.String("arc", ""),
		slog.String("iprev", iprevWord(&o.results)),
		slog.String("signed", strings.Join(o.signed, ",")),
		slog.String("action", action),
		slog.String("rule", o.verdict.Rule),
		slog.String("reason", reason),
		slog.Duration("dur", time.Since(m.start)),
	)
	if risks := m.risks(o); risks != nil {
		m.set.Log.Info("signature at risk", "queue_id", m.env.QueueID, "reason", strings.Join(risks, "; "))
	}
	for _, obs := range o.verdict.Observed {
		m.set.Metrics.Observed(obs.Rule, string(obs.Action))
		m.set.Log.Info("rule observed", "queue_id", m.env.QueueID, "rule", obs.Rule, "action", string(obs.Action), "reason", obs.Reason)
	}
}

func addrString(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
