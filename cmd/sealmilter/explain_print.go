package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/policy"
)

// show makes text of a message or the DNS fit for a terminal, and for one line.
func show(s string) string { return plain.Text(s) }

func errText(err error) string {
	if err == nil {
		return ""
	}
	return show(err.Error())
}

// because puts a reason in parentheses.
func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + errText(err) + ")"
}

func (x *explained) print(w io.Writer) {
	q := x.question
	fmt.Fprintf(w, "MESSAGE  %s: %s\n", x.Direction, show(x.Reason))
	if x.noFile {
		line(w, "config", "there is no "+defaultConfig+": the defaults decide")
	}
	client := "unknown"
	if q.Client.IP.IsValid() {
		client = q.Client.IP.String()
	}
	if x.guessed {
		client += ", from the topmost Received field that names a client"
	}
	line(w, "client", client)
	if q.Helo != "" {
		line(w, "helo", show(q.Helo))
	}
	line(w, "mail from", "<"+show(q.MailFrom)+">")
	if q.AuthUser != "" {
		line(w, "logged in", show(q.AuthUser))
	}
	if a := x.Results.Author; a.Err != nil {
		line(w, "from", "no Author Domain: "+errText(a.Err))
	} else {
		line(w, "from", show(strings.Join(a.Domains, ", ")))
	}
	if x.left > 0 {
		line(w, "left out", fmt.Sprintf("%d fields on top, added on arrival", x.left))
	}
	if x.Direction == auth.Outbound {
		x.printSigned(w)
	} else {
		x.printChecks(w)
	}
	x.printVerdict(w)
}

func line(w io.Writer, label, text string) { fmt.Fprintf(w, "  %-10s %s\n", show(label), show(text)) }

func (x *explained) printChecks(w io.Writer) {
	r := &x.Results
	if r.IPRev != nil {
		fmt.Fprintf(w, "\nIPREV  %s %s%s\n", r.IPRev.Status, show(strings.Join(r.IPRev.Names, " ")), because(r.IPRev.Err))
	}
	if s := r.SPF; s != nil {
		fmt.Fprintf(w, "\nSPF  %s for %s (%s)", s.Status, show(s.Domain), s.Identity)
		if s.Mechanism != "" {
			fmt.Fprintf(w, " by %s", show(s.Mechanism))
		}
		fmt.Fprintf(w, "%s, %d of 10 look-ups, %d of 2 void\n", because(s.Err), s.Lookups, s.VoidLookups)
		for _, t := range s.Trace {
			indent := strings.Repeat("  ", t.Depth+1)
			term := "  " + t.Term
			if t.Term == "" {
				term = t.Domain
			}
			if t.Target != "" && t.Target != t.Domain {
				term += " [" + t.Target + "]"
			}
			fmt.Fprintf(w, "%s%s: %s\n", indent, show(term), show(t.Note))
		}
	}
	if r.DKIMRan {
		fmt.Fprintf(w, "\nDKIM  %d signatures\n", len(r.DKIM))
		for i, d := range r.DKIM {
			fmt.Fprintf(w, "  %d. %s%s  %s._domainkey.%s, %s", i+1, d.Status, because(d.Err), show(d.Selector), show(d.Domain), show(d.Algorithm))
			if d.KeyBits > 0 {
				fmt.Fprintf(w, ", %d bits", d.KeyBits)
			}
			if d.Testing {
				fmt.Fprint(w, ", t=y")
			}
			fmt.Fprintf(w, "\n     second opinion: %s\n", x.opinion(i))
		}
	}
	if d := r.DMARC; d != nil {
		fmt.Fprintf(w, "\nDMARC  %s for %s%s\n", d.Status, show(d.AuthorDomain), because(d.Err))
		if d.Record != nil {
			line(w, "record", "_dmarc."+show(d.RecordDomain)+": "+show(d.Record.Raw))
			line(w, "policy", string(d.Policy))
		}
		if d.OrgDomain != "" {
			line(w, "org domain", show(d.OrgDomain))
		}
		for _, id := range d.Aligned {
			line(w, "aligned", id.Method+" "+show(id.Domain))
		}
		if r.Indirect != "" {
			line(w, "indirect", show(r.Indirect))
		}
	}
	fmt.Fprintf(w, "\nAuthentication-Results:%s\n", strings.ReplaceAll(auth.FormatResults(x.authservID, *r, &x.Envelope), "\r\n", "\n"))
}

// opinion is the second implementation's verdict of signature i.
func (x *explained) opinion(i int) string {
	switch {
	case x.secondErr != nil:
		return errText(x.secondErr)
	case i >= len(x.second):
		return "none"
	}
	return x.second[i].Status + because(x.second[i].Err)
}

func (x *explained) printSigned(w io.Writer) {
	switch {
	case x.Err != nil:
		fmt.Fprintf(w, "\nSIGNED  no: %s\n", errText(x.Err))
	case len(x.Signed) == 0:
		fmt.Fprintf(w, "\nSIGNED  no: %s\n", show(x.Unsigned.Text))
	default:
		fmt.Fprintf(w, "\nSIGNED  with %d keys\n", len(x.Signed))
		for i, name := range x.Signed {
			fmt.Fprintf(w, "  %d. %s\n     a receiver would say: %s\n", i+1, show(name), x.opinion(i))
		}
	}
}

func (x *explained) printVerdict(w io.Writer) {
	v := x.Verdict
	if x.Err != nil {
		fmt.Fprintf(w, "\nVERDICT  tempfail: the MTA is told to try again (451)\n")
		return
	}
	fmt.Fprintf(w, "\nVERDICT  %s", v.Action)
	if v.Rule != "" {
		fmt.Fprintf(w, " by rule %s: %s\n", show(v.Rule), show(v.Reason))
	} else {
		fmt.Fprint(w, ": no rule holds\n")
	}
	if v.Reply != (policy.Reply{}) {
		line(w, "reply", replyLine(v.Reply))
	}
	if v.Hold {
		line(w, "hold", "goes to the MTA's hold queue")
	}
	for _, o := range v.Observed {
		line(w, "observed", fmt.Sprintf("%s would %s: %s", show(o.Rule), o.Action, show(o.Reason)))
	}
	for _, e := range x.Edits {
		switch text := show(e.Name + ":" + strings.ReplaceAll(e.Value, "\r\n", "")); {
		case e.Op == transaction.Delete:
			line(w, "remove", fmt.Sprintf("%s, number %d", show(e.Name), e.Index))
		case e.Op == transaction.Change:
			line(w, "change", text)
		case e.Op == transaction.Insert && !strings.EqualFold(e.Name, "Authentication-Results"):
			line(w, "add", text)
		}
	}
}

func replyLine(r policy.Reply) string {
	return show(fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text))
}

// The JSON form. Names are those of RFC 8601 where it has some.
type explainReport struct {
	Direction string             `json:"direction"`
	Reason    string             `json:"reason"`
	Defaults  bool               `json:"defaults,omitempty"` // there is no configuration
	ClientIP  string             `json:"client_ip"`
	Helo      string             `json:"helo"`
	MailFrom  string             `json:"mail_from"`
	Author    []string           `json:"author_domains"`
	AuthorErr string             `json:"author_error,omitempty"`
	LeftOut   int                `json:"fields_left_out"`
	IPRev     *methodJSON        `json:"iprev,omitempty"`
	SPF       *spfJSON           `json:"spf,omitempty"`
	DKIM      []dkimJSON         `json:"dkim"`
	DMARC     *dmarcJSON         `json:"dmarc,omitempty"`
	Indirect  string             `json:"indirect,omitempty"`
	Results   string             `json:"authentication_results,omitempty"`
	Signed    []string           `json:"signed,omitempty"`
	Unsigned  string             `json:"unsigned,omitempty"`
	Error     string             `json:"error,omitempty"`
	Second    []opinionJSON      `json:"second_opinion"`
	Verdict   verdictJSON        `json:"verdict"`
	Edits     []transaction.Edit `json:"edits"`
}

type methodJSON struct {
	Result string   `json:"result"`
	Names  []string `json:"names,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

type spfJSON struct {
	methodJSON
	Domain    string     `json:"domain"`
	Identity  string     `json:"identity"`
	Mechanism string     `json:"mechanism"`
	Lookups   int        `json:"lookups"`
	Void      int        `json:"void_lookups"`
	Trace     []stepJSON `json:"trace"`
}

type stepJSON struct {
	Depth  int    `json:"depth"`
	Domain string `json:"domain"`
	Term   string `json:"term"`
	Target string `json:"target,omitempty"`
	Note   string `json:"note"`
}

type dkimJSON struct {
	methodJSON
	Domain    string `json:"domain"`
	Selector  string `json:"selector"`
	Algorithm string `json:"algorithm"`
	Bits      int    `json:"bits"`
	Testing   bool   `json:"testing,omitempty"`
}

type opinionJSON struct {
	Result string `json:"result"`
	Domain string `json:"domain"`
	Reason string `json:"reason,omitempty"`
}

type dmarcJSON struct {
	methodJSON
	Author       string   `json:"author_domain"`
	Policy       string   `json:"policy"`
	RecordDomain string   `json:"record_domain"`
	Record       string   `json:"record"`
	OrgDomain    string   `json:"organizational_domain"`
	Aligned      []string `json:"aligned"`
}

type verdictJSON struct {
	Action string `json:"action"`
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	Reply  string `json:"reply,omitempty"`
	Hold   bool   `json:"hold,omitempty"`
}

func (x *explained) report() explainReport {
	r := &x.Results
	out := explainReport{
		Direction: string(x.Direction), Reason: x.Reason, Defaults: x.noFile, Helo: x.question.Helo, MailFrom: x.question.MailFrom,
		Author: append([]string{}, r.Author.Domains...), AuthorErr: errText(r.Author.Err), LeftOut: x.left,
		DKIM: []dkimJSON{}, Indirect: r.Indirect, Signed: x.Signed, Unsigned: x.Unsigned.Text, Error: errText(x.Err),
		Second: []opinionJSON{}, Edits: append([]transaction.Edit{}, x.Edits...),
	}
	if x.question.Client.IP.IsValid() {
		out.ClientIP = x.question.Client.IP.String()
	}
	if r.IPRev != nil {
		out.IPRev = &methodJSON{string(r.IPRev.Status), r.IPRev.Names, errText(r.IPRev.Err)}
	}
	if s := r.SPF; s != nil {
		out.SPF = &spfJSON{methodJSON{string(s.Status), nil, errText(s.Err)}, s.Domain, string(s.Identity), s.Mechanism, s.Lookups, s.VoidLookups, []stepJSON{}}
		for _, t := range s.Trace {
			out.SPF.Trace = append(out.SPF.Trace, stepJSON(t))
		}
	}
	for _, d := range r.DKIM {
		out.DKIM = append(out.DKIM, dkimReport(d))
	}
	for _, v := range x.second {
		out.Second = append(out.Second, opinionJSON{v.Status, v.Domain, errText(v.Err)})
	}
	if d := r.DMARC; d != nil {
		out.DMARC = &dmarcJSON{methodJSON: methodJSON{string(d.Status), nil, errText(d.Err)}, Author: d.AuthorDomain, Policy: string(d.Policy),
			RecordDomain: d.RecordDomain, OrgDomain: d.OrgDomain, Aligned: []string{}}
		if d.Record != nil {
			out.DMARC.Record = d.Record.Raw
		}
		for _, id := range d.Aligned {
			out.DMARC.Aligned = append(out.DMARC.Aligned, id.Method+" "+id.Domain)
		}
	}
	if x.Direction != auth.Outbound {
		out.Results = strings.TrimSpace(strings.ReplaceAll(auth.FormatResults(x.authservID, *r, &x.Envelope), "\r\n", ""))
	}
	v := x.Verdict
	out.Verdict = verdictJSON{Action: string(v.Action), Rule: v.Rule, Reason: v.Reason, Hold: v.Hold}
	if x.Err != nil {
		out.Verdict.Action = string(policy.Tempfail)
	}
	if v.Reply != (policy.Reply{}) {
		out.Verdict.Reply = replyLine(v.Reply)
	}
	return out
}

func dkimReport(d dkim.Result) dkimJSON {
	return dkimJSON{methodJSON{string(d.Status), nil, errText(d.Err)}, d.Domain, d.Selector, d.Algorithm, d.KeyBits, d.Testing}
}
