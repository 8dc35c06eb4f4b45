package observe

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"

	"github.com/sealmilter/sealmilter/internal/transaction"
)

// Log writes a line for each message, and what the admin should know beside it.
type Log struct {
	log *slog.Logger

	mu     sync.Mutex
	warned map[netip.Prefix]bool // private networks, and the zero value for MTAs that hide a field
}

// NewLog writes to log.
func NewLog(log *slog.Logger) *Log { return &Log{log: log, warned: map[netip.Prefix]bool{}} }

// Forget has what is said once be said again: the configuration is another one.
func (l *Log) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.warned)
}

// Panicked implements transaction.Observer. The one who caught it has the stack.
func (l *Log) Panicked(string) {}

// Decided implements transaction.Observer.
func (l *Log) Decided(d *transaction.Decision) {
	if d.MTA.HidesFirst {
		l.hidesFirst(d.MTA.Version)
	}
	if d.OwnPrivate {
		l.ownPrivate(d)
	}
	e, r := &d.Envelope, &d.Results
	level, reason := reasonOf(d)
	client := ""
	if e.ClientIP.IsValid() {
		client = e.ClientIP.String()
	}
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("queue_id", e.QueueID),
		slog.String("direction", string(d.Direction)),
		slog.String("client_ip", client),
		slog.String("helo", e.Helo),
		slog.String("mail_from", e.MailFrom),
		slog.String("author_domain", strings.Join(r.Author.Domains, ",")),
	)
	if r.SPF != nil || r.DKIMRan || r.DMARC != nil || r.IPRev != nil { // of mail that was not checked they say nothing
		attrs = append(attrs,
			slog.String("spf", spfWord(r)),
			slog.String("dkim", dkimWords(r)),
			slog.String("dmarc", dmarcWord(r)),
			slog.String("arc", ""),
			slog.String("iprev", iprevWord(r)),
		)
	}
	if e.AuthUser != "" {
		attrs = append(attrs, slog.String("user", e.AuthUser))
	}
	attrs = append(attrs, slog.String("signed", strings.Join(d.Signed, ",")))
	if d.Unsigned.Why != "" && d.Err == nil {
		attrs = append(attrs, slog.String("unsigned", string(d.Unsigned.Why)))
	}
	l.log.LogAttrs(context.Background(), level, "message", append(attrs,
		slog.String("action", string(d.Action())),
		slog.String("rule", d.Verdict.Rule),
		slog.String("reason", reason),
		slog.Duration("dur", d.Duration),
	)...)
	if d.Risks != nil {
		l.log.Info("signature at risk", "queue_id", e.QueueID, "reason", strings.Join(d.Risks, "; "))
	}
	if d.Mismatch != "" {
		l.log.Warn("sender not allowed", "queue_id", e.QueueID, "reason", d.Mismatch, "hint", "sign.senders.on_mismatch is log: nothing else happens")
	}
	for _, o := range d.Verdict.Observed {
		l.log.Info("rule observed", "queue_id", e.QueueID, "rule", o.Rule, "action", string(o.Action), "reason", o.Reason)
	}
}

// reasonOf is why that became of the message, and how much it matters.
func reasonOf(d *transaction.Decision) (slog.Level, string) {
	if d.Err != nil {
		return slog.LevelError, d.Err.Error()
	}
	level, reason := slog.LevelInfo, d.Reason
	if d.Unsigned.Warn {
		level = slog.LevelWarn
	}
	rule, unsigned := d.Verdict.Rule != "", d.Unsigned.Text
	if rule {
		reason = d.Verdict.Reason
	}
	switch {
	case unsigned != "" && rule:
		reason += "; not signed: " + unsigned
	case unsigned != "":
		reason = "not signed: " + unsigned
	}
	return level, reason
}

// maxWarned bounds the networks that are remembered; a client can have many.
const maxWarned = 1000

// once reports whether p is new.
func (l *Log) once(p netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.warned[p] || len(l.warned) >= maxWarned {
		return false
	}
	l.warned[p] = true
	return true
}

// hidesFirst says once what an old Postfix keeps from us, and what to do.
func (l *Log) hidesFirst(mta string) {
	if l.once(netip.Prefix{}) {
		l.log.Warn("this MTA hides the first header field of every message from milters, in the belief that it is its own Received",
			"mta", mta, "hint", "let no header_checks drop Received, and update to Postfix 2.10.5, 2.11.3 or later; docs/decisions/0023")
	}
}

// ownPrivate says once for each network (a /24, or a /64) what to do about a
// machine of ours that is taken for a stranger.
func (l *Log) ownPrivate(d *transaction.Decision) {
	ip, bits := d.Envelope.ClientIP, 24
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err == nil && l.once(p) {
		l.log.Warn("a client in private address space sends as one of sign.domains without authentication; its mail is not signed",
			"client_ip", ip.String(), "author_domain", d.Results.Author.Domains[0], "hint", "add "+p.String()+" to outbound.networks")
	}
}
