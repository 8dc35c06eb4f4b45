package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
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

// Text writes it for people.
func (x *Report) Text(w io.Writer) {
	q := x.Question
	fmt.Fprintf(w, "MESSAGE  %s: %s\n", x.Direction, show(x.Reason))
	if x.NoConfig != "" {
		plain.Line(w, "config", "there is no "+x.NoConfig+": the defaults decide")
	}
	client := "unknown"
	if q.Client.IP.IsValid() {
		client = q.Client.IP.String()
	}
	if x.Guessed {
		client += ", from the topmost Received field that names a client"
	}
	plain.Line(w, "client", client)
	if q.Helo != "" {
		plain.Line(w, "helo", show(q.Helo))
	}
	plain.Line(w, "mail from", "<"+show(q.MailFrom)+">")
	if q.AuthUser != "" {
		plain.Line(w, "logged in", show(q.AuthUser))
	}
	if a := x.Results.Author; a.Err != nil {
		plain.Line(w, "from", "no Author Domain: "+errText(a.Err))
	} else {
		plain.Line(w, "from", show(strings.Join(a.Domains, ", ")))
	}
	if x.LeftOut > 0 {
		plain.Line(w, "left out", fmt.Sprintf("%d fields on top, added on arrival", x.LeftOut))
	}
	if x.Direction == auth.Outbound {
		x.printSigned(w)
	} else {
		x.printChecks(w)
	}
	x.printVerdict(w)
}

func (x *Report) printChecks(w io.Writer) {
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
			plain.Line(w, "record", "_dmarc."+show(d.RecordDomain)+": "+show(d.Record.Raw))
			plain.Line(w, "policy", string(d.Policy))
		}
		if d.OrgDomain != "" {
			plain.Line(w, "org domain", show(d.OrgDomain))
		}
		for _, id := range d.Aligned {
			plain.Line(w, "aligned", id.Method+" "+show(id.Domain))
		}
		if r.Indirect != "" {
			plain.Line(w, "indirect", show(r.Indirect))
		}
	}
	fmt.Fprintf(w, "\nAuthentication-Results:%s\n", strings.ReplaceAll(auth.FormatResults(x.AuthservID, *r, &x.Envelope), "\r\n", "\n"))
}

// opinion is the second implementation's verdict of signature i.
func (x *Report) opinion(i int) string {
	switch {
	case x.SecondErr != nil:
		return errText(x.SecondErr)
	case i >= len(x.Second):
		return "none"
	}
	return x.Second[i].Status + because(x.Second[i].Err)
}

func (x *Report) printSigned(w io.Writer) {
	switch {
	case x.Err != nil:
		fmt.Fprintf(w, "\nSIGNED  no: %s\n", errText(x.Err))
	case len(x.Signed) == 0:
		text := x.Unsigned.Text
		if text == "" && x.Verdict.Rule != "" {
			text = x.Verdict.Reason // it does not go out
		}
		fmt.Fprintf(w, "\nSIGNED  no: %s\n", show(text))
	default:
		fmt.Fprintf(w, "\nSIGNED  with %d keys\n", len(x.Signed))
		for i, name := range x.Signed {
			fmt.Fprintf(w, "  %d. %s\n     a receiver would say: %s\n", i+1, show(name), x.opinion(i))
		}
	}
	if x.Mismatch != "" {
		plain.Line(w, "sender", show(x.Mismatch)+" (on_mismatch: log)")
	}
}

func (x *Report) printVerdict(w io.Writer) {
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
		plain.Line(w, "reply", replyLine(v.Reply))
	}
	if v.Hold {
		plain.Line(w, "hold", "goes to the MTA's hold queue")
	}
	for _, o := range v.Observed {
		plain.Line(w, "observed", fmt.Sprintf("%s would %s: %s", show(o.Rule), o.Action, show(o.Reason)))
	}
	for _, e := range x.Edits {
		switch text := show(e.Name + ":" + strings.ReplaceAll(e.Value, "\r\n", "")); {
		case e.Op == transaction.Delete:
			plain.Line(w, "remove", fmt.Sprintf("%s, number %d", show(e.Name), e.Index))
		case e.Op == transaction.Change:
			plain.Line(w, "change", text)
		case e.Op == transaction.Insert && !strings.EqualFold(e.Name, "Authentication-Results"):
			plain.Line(w, "add", text)
		}
	}
}

func replyLine(r policy.Reply) string {
	return show(fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text))
}
