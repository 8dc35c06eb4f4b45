package explain

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/policy"
)

// form is the JSON form. Names are those of RFC 8601 where it has some.
type form struct {
	Direction string             `json:"direction"`
	Reason    string             `json:"reason"`
	Defaults  bool               `json:"defaults,omitempty"` // there is no configuration
	ClientIP  string             `json:"client_ip"`
	Guessed   bool               `json:"client_guessed,omitempty"` // from Received
	Helo      string             `json:"helo"`
	MailFrom  string             `json:"mail_from"`
	AuthUser  string             `json:"auth_user,omitempty"`
	Author    []string           `json:"author_domains"`
	AuthorErr string             `json:"author_error,omitempty"`
	LeftOut   int                `json:"fields_left_out"`
	IPRev     *methodJSON        `json:"iprev,omitempty"`
	SPF       *spfJSON           `json:"spf,omitempty"`
	DKIM      []dkimJSON         `json:"dkim"`
	DKIMRan   bool               `json:"dkim_checked"`
	DMARC     *dmarcJSON         `json:"dmarc,omitempty"`
	Indirect  string             `json:"indirect,omitempty"`
	Results   string             `json:"authentication_results,omitempty"`
	Signed    []string           `json:"signed,omitempty"`
	Unsigned  string             `json:"unsigned,omitempty"`
	Mismatch  string             `json:"sender_mismatch,omitempty"` // signed all the same
	Error     string             `json:"error,omitempty"`
	Second    []opinionJSON      `json:"second_opinion"`
	SecondErr string             `json:"second_opinion_error,omitempty"`
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
	// Observed are the rules that would have acted, and only observe.
	Observed []observedJSON `json:"observed,omitempty"`
}

type observedJSON struct {
	Rule   string `json:"rule"`
	Action string `json:"action"`
	Reason string `json:"reason"`
}

// JSON is it for programs, to be marshalled.
func (x *Report) JSON() any {
	r := &x.Results
	out := form{
		Direction: string(x.Direction), Reason: x.Reason, Defaults: x.NoConfig != "", Helo: x.Question.Helo, MailFrom: x.Question.MailFrom,
		Author: append([]string{}, r.Author.Domains...), AuthorErr: errText(r.Author.Err), LeftOut: x.LeftOut,
		DKIM: []dkimJSON{}, Indirect: r.Indirect, Signed: x.Signed, Unsigned: x.Unsigned.Text, Mismatch: x.Mismatch, Error: errText(x.Err),
		Second: []opinionJSON{}, Edits: append([]transaction.Edit{}, x.Edits...),
	}
	if x.Question.Client.IP.IsValid() {
		out.ClientIP = x.Question.Client.IP.String()
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
	for _, v := range x.Second {
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
		out.Results = strings.TrimSpace(strings.ReplaceAll(auth.FormatResults(x.AuthservID, *r, &x.Envelope), "\r\n", ""))
	}
	out.Guessed, out.AuthUser, out.DKIMRan, out.SecondErr = x.Guessed, x.Question.AuthUser, r.DKIMRan, errText(x.SecondErr)
	v := x.Verdict
	out.Verdict = verdictJSON{Action: string(v.Action), Rule: v.Rule, Reason: v.Reason, Hold: v.Hold}
	if x.Err != nil {
		out.Verdict.Action = string(policy.Tempfail)
	}
	for _, o := range v.Observed {
		out.Verdict.Observed = append(out.Verdict.Observed, observedJSON{o.Rule, string(o.Action), o.Reason})
	}
	if v.Reply != (policy.Reply{}) {
		out.Verdict.Reply = replyLine(v.Reply)
	}
	return out
}

func dkimReport(d dkim.Result) dkimJSON {
	return dkimJSON{methodJSON{string(d.Status), nil, errText(d.Err)}, d.Domain, d.Selector, d.Algorithm, d.KeyBits, d.Testing}
}
