// Package doctor looks at a mail domain as its receivers will: are the keys on
// disk in the DNS, may our addresses send for the domain and for the HELO name,
// do their names lead back, is there a DMARC record that aligns, and does the
// MTA hand its mail to us.
//
// The checks are pure: they ask a resolve.Resolver, and read the MTA's
// configuration from text. They change nothing, send nothing, and deliberately
// know neither block lists nor the reputation of an address.
package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
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
	Level   Level  `json:"level"`
	Check   string `json:"check"`   // config, key, dkim, spf, helo, ptr, dmarc, mx, mta, socket
	Subject string `json:"subject"` // the name, address or file that it is about
	Message string `json:"message"`
	Seen    string `json:"seen,omitempty"`
	Want    string `json:"want,omitempty"`
	// Paste is what mends it: a DNS record as NAME TYPE DATA, or a command.
	Paste string `json:"paste,omitempty"`

	unknown bool // the DNS did not answer
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
	return all
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
	return Finding{Level: Warn, Check: check, Subject: subject, unknown: true,
		Message: "the DNS did not answer, so that nothing is known: " + clip(err.Error()), Want: "run doctor again in a minute"}
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
func txt(name, value string) string {
	return name + " TXT \"" + strings.Join(publish.TXT{Value: value}.Chunks(), "\" \"") + "\""
}
