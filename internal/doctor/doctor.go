// Package doctor looks at a mail domain as its receivers will: are the keys on
// disk in the DNS, may our addresses send for the domain and for the HELO name,
// do their names lead back, is there a DMARC record that aligns, and does the
// MTA hand its mail to us.
//
// The checks are pure: they ask a resolve.Resolver, read the MTA's configuration
// from text, and connect through a Dialer that they are given. They change
// nothing and send no mail. Block lists (RFC 5782) and port 25 are looked at only
// when that is asked for, since strangers then learn our address; they
// deliberately know no other reputation of an address.
package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// Level says how bad a finding is.
type Level string

const (
	Pass Level = "PASS"
	Warn Level = "WARN" // mail flows; some receivers may mind, or we could not find out
	Fail Level = "FAIL" // receivers will not believe our mail, or it does not reach us
)

// Finding is one thing that was looked at. Texts may hold what strangers
// published in the DNS: they are clipped and printable.
type Finding struct {
	Level   Level
	Check   string // config, daemon, key, dkim, spf, helo, ptr, dmarc, mx, dnsbl, port25, mta, socket, host
	Subject string // the name, address or file that it is about
	Message words.Text
	Seen    words.Text
	Want    words.Text
	// Paste is what mends it: a DNS record as NAME TYPE DATA, a command, or a letter.
	Paste words.Text
	// Who has to do it, and what to write to them where they are not you.
	Who Who
	Ask []words.Text

	unknown bool // the DNS did not answer
}

// Told is a finding in one language. Its JSON is the command's.
type Told struct {
	Level   Level  `json:"level"`
	Check   string `json:"check"`
	Subject string `json:"subject"`
	Message string `json:"message"`
	Seen    string `json:"seen,omitempty"`
	Want    string `json:"want,omitempty"`
	Paste   string `json:"paste,omitempty"`
	Who     Who    `json:"who,omitempty"`
	// Ask is what to write to whoever has to do it, a text for each kind of them.
	Ask []string `json:"ask,omitempty"`
}

// In tells the finding.
func (f Finding) In(l words.Lang) Told {
	t := Told{Level: f.Level, Check: f.Check, Subject: subject(f.Subject).In(l), Message: f.Message.In(l), Seen: f.Seen.In(l), Want: f.Want.In(l), Paste: f.Paste.In(l), Who: f.Who}
	for _, a := range f.Ask {
		t.Ask = append(t.Ask, a.In(l))
	}
	return t
}

// subject is that of a finding; a few are no names.
func subject(name string) words.Text {
	switch name {
	case "this host":
		return words.Say("this host")
	case "the resolver":
		return words.Say("the resolver")
	case "clock":
		return words.Say("clock")
	}
	return words.Data(name)
}

// Tell tells them all.
func Tell(all []Finding, l words.Lang) []Told {
	out := make([]Told, len(all))
	for i, f := range all {
		out[i] = f.In(l)
	}
	return out
}

// Domain is what is known here about the domain to look at.
type Domain struct {
	Name string // as asked for: A-labels, lower case
	// SDID is the d= of its signatures: Name, or a listed parent of it.
	SDID string
	Keys []*keys.Key // that sign
	// Foreign are the selectors below Name whose keys somebody else holds.
	Foreign []string
	// Egress are the addresses from which our mail reaches the world.
	Egress []netip.Addr
	Helo   string // the name that the MTA says in HELO; "" when unknown
	// PostfixDir is where main.cf lies, where that is not Postfix's own; else "".
	PostfixDir string
	// ViaSES: Amazon SES hands our mail on, so that Egress, PTR and HELO are theirs.
	ViaSES bool
	// Relay is the host that all mail leaves through (relayhost), "" for none: what
	// the world sees is then its address.
	Relay string
	// Korean: its owner may want to register it with KISA.
	Korean bool
	// Servers names the resolver, for when it answers nothing.
	Servers string
}

// host is what to call the mail host where it needs a name.
func (d Domain) host() string {
	if strings.Contains(d.Helo, ".") {
		return d.Helo
	}
	return "mail." + d.Name
}

// DNS looks at everything that receivers find out about the domain.
func DNS(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	c := &answers{Resolver: r}
	all := d.look(ctx, c)
	if f, none := c.noDNS(d.Servers); none {
		// What was found without the DNS stays.
		return append([]Finding{f}, slices.DeleteFunc(all, func(f Finding) bool { return f.unknown })...)
	}
	return append(all, c.longAnswers(ctx, d.Servers)...)
}

func (d Domain) look(ctx context.Context, r resolve.Resolver) []Finding {
	var all []Finding
	for _, selector := range d.Foreign {
		all = append(all, ForeignKey(ctx, r, d.Name, selector))
	}
	for _, k := range d.Keys {
		all = append(all, dkimKey(ctx, r, d, k))
	}
	if d.Relay != "" {
		all = append(all, spfRelay(ctx, r, d))
		all = append(all, dmarcRecord(ctx, r, d)...)
		return append(all, mx(ctx, r, d)...)
	}
	all = append(all, spfDomain(ctx, r, d)...)
	all = append(all, spfHelo(ctx, r, d)...)
	if !d.ViaSES {
		for _, ip := range d.Egress {
			all = append(all, ptr(ctx, r, d, ip))
		}
	}
	all = append(all, dmarcRecord(ctx, r, d)...)
	return append(all, mx(ctx, r, d)...)
}

// Worst is the highest level among the findings; Pass for none.
func Worst(all []Finding) Level {
	worst := Pass
	for _, f := range all {
		if f.Level == Fail || f.Level == Warn && worst == Pass {
			worst = f.Level
		}
	}
	return worst
}

// unknown is the finding for a question that the DNS did not answer.
func unknown(check, subject string, err error) Finding {
	return Finding{Level: Warn, Check: check, Subject: subject, unknown: true, Who: You,
		Message: words.Say("the DNS did not answer, so that nothing is known: %s", clip(err.Error())), Want: words.Say("run doctor again in a minute")}
}

// maxText bounds what is shown of other people's text.
const maxText = 700

// clip makes text of the DNS fit for a terminal.
func clip(s string) string {
	b := []byte(s[:min(len(s), maxText)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	if len(s) > maxText {
		return string(b) + "..."
	}
	return string(b)
}

// txt is a TXT record to paste, in strings of at most 255 bytes.
func txt(name, value string) words.Text { return words.Data(record(name, value)) }

func record(name, value string) string {
	return name + " TXT \"" + strings.Join(publish.TXT{Value: value}.Chunks(), "\" \"") + "\""
}

// show is text of the DNS, as a finding shows it.
func show(s string) words.Text { return words.Data(clip(s)) }
