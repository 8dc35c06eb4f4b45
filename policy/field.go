package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// kind is what may stand beside a field in a condition.
type kind uint8

const (
	kWord    kind = iota // one of field.words
	kText                // compared without case
	kAddress             // text with an @
	kDomain              // compared as A-labels
	kIP
	kNumber
)

// facts is what conditions and texts are about.
type facts struct {
	env        *auth.Envelope
	res        *auth.Results
	ownPrivate bool
	ownHost    bool
}

// field is something that a condition may ask for. All values are text; a
// field without a value is the empty text.
type field struct {
	name  string
	kind  kind
	words []string
	get   func(*facts) []string
	text  func(*facts) string // how {field} shows it; nil: the values, comma between
}

func (f *field) show(x *facts) string {
	if f.text != nil {
		return f.text(x)
	}
	v := f.get(x)
	return strings.Join(v[:min(len(v), maxText)], ", ")
}

const (
	headerPrefix = "header."
	maxHeader    = 64 << 10 // bytes of one header field that are looked at
)

var (
	boolWords   = []string{"true", "false"}
	spfWords    = []string{"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
	dkimWords   = []string{"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"}
	dmarcWords  = []string{"none", "pass", "fail", "temperror", "permerror"}
	policyWords = []string{"none", "quarantine", "reject"}
	arcWords    = []string{"none", "pass", "fail"}
	iprevWords  = []string{"none", "pass", "fail", "temperror", "permerror"}
	directions  = []string{string(auth.Inbound), string(auth.Outbound), string(auth.Relayed)}
)

// fields is the whole vocabulary of conditions, header.NAME apart. A check
// that did not run is "none".
var fields = []field{
	{name: "direction", words: directions, get: func(f *facts) []string { return one(string(f.env.Direction)) }},
	{name: "authenticated", words: boolWords, get: func(f *facts) []string { return yes(f.env.Authenticated) }},
	{name: "auth.user", kind: kText, get: func(f *facts) []string { return one(f.env.AuthUser) }},
	{name: "client.ip", kind: kIP, get: clientIP},
	{name: "client.name", kind: kText, get: func(f *facts) []string { return one(f.env.ClientName) }},
	{name: "helo", kind: kText, get: func(f *facts) []string { return one(f.env.Helo) }},
	{name: "mail_from", kind: kAddress, get: func(f *facts) []string { return one(f.env.MailFrom) }},
	{name: "mail_from.domain", kind: kDomain, get: func(f *facts) []string { return one(domainOf(f.env.MailFrom)) }},
	{name: "rcpt", kind: kAddress, get: func(f *facts) []string { return f.env.Recipients }},
	{name: "rcpt.domain", kind: kDomain, get: rcptDomains},
	{name: "from", kind: kAddress, get: func(f *facts) []string { return f.res.Author.Mailboxes }},
	{name: "from.domain", kind: kDomain, get: fromDomains, text: fromDomainText},
	{name: "from.count", kind: kNumber, get: func(f *facts) []string { return one(strconv.Itoa(fromCount(f))) }},
	{name: "from.addresses", kind: kNumber, get: func(f *facts) []string { return one(strconv.Itoa(len(f.res.Author.Mailboxes))) }},
	{name: "from.error", kind: kText, get: fromError},
	{name: "from.domainless", words: boolWords, get: func(f *facts) []string { return yes(f.res.Author.Domainless()) }},
	{name: "from.hidden", words: boolWords, get: func(f *facts) []string { return yes(f.env.FirstHidden && fromCount(f) == 0) }},
	{name: "spf", words: spfWords, get: spfStatus},
	{name: "spf.domain", kind: kDomain, get: spfDomain},
	{name: "spf.explanation", kind: kText, get: spfExplanation},
	{name: "dkim", words: dkimWords, get: dkimStatuses},
	{name: "dkim.domain", kind: kDomain, get: dkimDomains},
	{name: "dkim.aligned", words: boolWords, get: dkimAligned},
	{name: "dmarc", words: dmarcWords, get: dmarcStatus},
	{name: "dmarc.policy", words: policyWords, get: dmarcPolicy},
	{name: "dmarc.record", kind: kText, get: dmarcRecord},
	{name: "dmarc.crowded", words: boolWords, get: dmarcCrowded},
	{name: "arc", words: arcWords, get: func(*facts) []string { return one("none") }},
	{name: "arc.domain", kind: kDomain, get: func(*facts) []string { return nil }},
	{name: "iprev", words: iprevWords, get: iprevStatus},
	{name: "dnsbl", kind: kDomain, get: func(*facts) []string { return nil }},
	{name: "indirect", words: boolWords, get: func(f *facts) []string { return yes(f.res.Indirect != "") }, text: indirectText},
	{name: "own_private", words: boolWords, get: func(f *facts) []string { return yes(f.ownPrivate) }},
	{name: "own_host", words: boolWords, get: func(f *facts) []string { return yes(f.ownHost) }},
	{name: "size", kind: kNumber, get: func(f *facts) []string { return one(strconv.FormatInt(f.env.Size, 10)) }},
	{name: "signed", words: boolWords, get: func(f *facts) []string { return yes(f.env.Signed) }},
}

// FieldNames lists what conditions and texts may ask for, "header.NAME" last.
func FieldNames() []string {
	names := make([]string, 0, len(fields)+1)
	for i := range fields {
		names = append(names, fields[i].name)
	}
	return append(names, headerPrefix+"NAME")
}

// ActionNames lists the actions of a rule.
func ActionNames() []string { return append([]string(nil), actions...) }

// headerField is header.NAME: the unfolded raw text of each field called NAME.
func headerField(name string) *field {
	return &field{name: headerPrefix + name, kind: kText, get: func(f *facts) []string {
		var v []string
		for _, h := range f.env.Header {
			if h.Is(name) {
				v = append(v, header.Unfold(h.Value[:min(len(h.Value), maxHeader)]))
			}
		}
		return v
	}}
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func yes(b bool) []string { return []string{strconv.FormatBool(b)} }

// domainOf is the domain of an address as names are compared, "" without one.
func domainOf(addr string) string {
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return ""
	}
	d := addr[at+1:]
	if c, err := resolve.CanonicalName(d); err == nil {
		return c
	}
	return strings.ToLower(d)
}

func clientIP(f *facts) []string {
	if !f.env.ClientIP.IsValid() {
		return nil
	}
	return one(f.env.ClientIP.Unmap().WithZone("").String())
}

func rcptDomains(f *facts) []string {
	var v []string
	for _, r := range f.env.Recipients {
		if d := domainOf(r); d != "" && (len(v) == 0 || v[len(v)-1] != d) {
			v = append(v, d)
		}
	}
	return v
}

func fromDomains(f *facts) []string {
	if f.res.Author.Err != nil {
		return nil
	}
	return f.res.Author.Domains
}

// fromDomainText names the author domain whose policy counts, where there are
// several.
func fromDomainText(f *facts) string {
	if d := f.res.DMARC; d != nil && d.AuthorDomain != "" {
		return d.AuthorDomain
	}
	v := fromDomains(f)
	return strings.Join(v[:min(len(v), maxText)], ", ")
}

// fromCount asks the header section itself where no author was parsed: a
// fault of ours must not look like a message without From.
func fromCount(f *facts) int {
	if n := f.res.Author.Fields; n > 0 {
		return n
	}
	return f.env.Header.Count("From")
}

func fromError(f *facts) []string {
	if f.res.Author.Err == nil {
		return nil
	}
	return one(f.res.Author.Err.Error())
}

func spfStatus(f *facts) []string {
	if f.res.SPF == nil {
		return one("none")
	}
	return one(string(f.res.SPF.Status))
}

func spfDomain(f *facts) []string {
	if f.res.SPF == nil {
		return nil
	}
	return one(f.res.SPF.Domain)
}

func spfExplanation(f *facts) []string {
	if f.res.SPF == nil {
		return nil
	}
	return one(f.res.SPF.Explanation)
}

func dkimStatuses(f *facts) []string {
	if len(f.res.DKIM) == 0 {
		return one(string(dkim.None))
	}
	v := make([]string, len(f.res.DKIM))
	for i := range f.res.DKIM {
		v[i] = string(f.res.DKIM[i].Status)
	}
	return v
}

// dkimDomains are the domains of the signatures that verify: what others
// claim is no fact.
func dkimDomains(f *facts) []string {
	var v []string
	for i := range f.res.DKIM {
		if f.res.DKIM[i].Status == dkim.Pass {
			v = append(v, f.res.DKIM[i].Domain)
		}
	}
	return v
}

func dkimAligned(f *facts) []string {
	if f.res.DMARC != nil {
		for _, id := range f.res.DMARC.Aligned {
			if id.Method == "dkim" {
				return yes(true)
			}
		}
	}
	return yes(false)
}

func dmarcStatus(f *facts) []string {
	if f.res.DMARC == nil {
		return one("none")
	}
	return one(string(f.res.DMARC.Status))
}

func dmarcPolicy(f *facts) []string {
	if f.res.DMARC == nil {
		return nil
	}
	return one(string(f.res.DMARC.Policy))
}

func dmarcRecord(f *facts) []string {
	if f.res.DMARC == nil || f.res.DMARC.Record == nil {
		return nil
	}
	return one(f.res.DMARC.Record.Raw)
}

// dmarcCrowded: the policy is unknown because the client's network has too many
// questions in flight.
func dmarcCrowded(f *facts) []string {
	d := f.res.DMARC
	return yes(d != nil && d.Status == dmarc.TempError && d.Policy == "" && errors.Is(d.Err, resolve.ErrCrowded))
}

func iprevStatus(f *facts) []string {
	if f.res.IPRev == nil {
		return one("none")
	}
	return one(string(f.res.IPRev.Status))
}

func indirectText(f *facts) string {
	if f.res.Indirect == "" {
		return "false"
	}
	return f.res.Indirect
}
