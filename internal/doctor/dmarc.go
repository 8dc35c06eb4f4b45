package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// dmarcRecord evaluates DMARC for a message that we sign (RFC 9989 §5.3).
func dmarcRecord(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	name := "_dmarc." + d.Name
	f := Finding{Level: Warn, Check: "dmarc", Subject: name, Who: Zone}
	for _, t := range (publish.Publication{Domain: d.Name}).Records() {
		if t.Name == name {
			f.Want, f.Paste = words.Data(t.Value), txt(t.Name, t.Value)
		}
	}
	var ids []dmarc.Identifier
	if len(d.Keys) > 0 {
		ids = []dmarc.Identifier{{Method: "dkim", Domain: d.SDID}}
	}
	e := dmarc.Evaluator{Resolver: r}
	res := e.Evaluate(ctx, d.Name, ids)
	if own := dmarcTexts(ctx, r, name); len(own) > 1 {
		f.Level, f.Message, f.Seen = Fail, words.Say("%d DMARC records at one name: receivers discard them all (RFC 9989 section 4.10)", len(own)), show(strings.Join(own, "  and  "))
		f.Want, f.Paste = words.Say("one of them"), words.Text{}
		return []Finding{f}
	}
	switch {
	case res.Status == dmarc.TempError:
		return []Finding{unknown("dmarc", name, res.Err)}
	case res.Record == nil:
		f.Message = words.Say("there is no DMARC record: Google, Yahoo and Microsoft want one from whoever sends much")
		if sentence, seen := misplacedDMARC(ctx, r, d.Name); !sentence.Empty() {
			f.Level, f.Message, f.Seen = Fail, sentence, seen
		}
		return []Finding{f}
	}
	f.Seen = show(res.Record.Raw)
	f.Subject = "_dmarc." + res.RecordDomain
	if uri := withoutMailto(res.Record.Raw); uri != "" {
		f.Level, f.Message = Fail, words.Say("the address %s gets no reports: write %s", uri, "mailto:"+uri)
		f.Want = words.Data("rua=mailto:" + uri)
		f.Paste = txt("_dmarc."+res.RecordDomain, clip(strings.Replace(res.Record.Raw, uri, "mailto:"+uri, 1)))
		return []Finding{f}
	}
	if err := res.Record.Err; err != nil { // also where it still counts as p=none (§4.10.1)
		f.Level, f.Message = Fail, words.Say("the record is broken: %s", clip(err.Error()))
		return []Finding{f}
	}
	all := []Finding{policyFinding(f, d, res)}
	if len(ids) > 0 && res.Status != dmarc.Pass {
		all = append(all, Finding{Level: Fail, Check: "dmarc", Subject: d.Name, Seen: f.Seen, Who: You,
			Message: words.Say("our signatures (d=%s) do not align with %s", d.SDID, d.Name),
			Want:    words.Say("keys of its own for %s, or adkim=r", d.Name), Paste: words.Data("sealmilter keys new " + d.Name)})
	}
	return append(all, reports(ctx, r, res)...)
}

func policyFinding(f Finding, d Domain, res dmarc.Result) Finding {
	f.Level, f.Want, f.Paste, f.Who = Pass, words.Text{}, words.Text{}, Nobody
	f.Message = words.Say("p=%s applies to %s", res.Policy, d.Name)
	if res.Policy == dmarc.PolicyNone {
		f.Message = f.Message.And(words.Say(": good to begin with; when a month of reports shows only your own mail passing, go on to p=quarantine"))
	}
	if res.Record.Testing {
		f.Message = f.Message.And(words.Say(" (t=y: a test)"))
	}
	return f
}

func dmarcTexts(ctx context.Context, r resolve.Resolver, name string) []string {
	a, err := r.LookupTXT(ctx, name)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.Records), func(t string) bool {
		_, err := dmarc.ParseRecord(t)
		return err != nil
	})
}

// maxReports bounds the domains that are asked whether they want reports.
const maxReports = 10

// reports checks that somebody gets the reports, and that a mailbox elsewhere
// has agreed to (RFC 9990 §4).
func reports(ctx context.Context, r resolve.Resolver, res dmarc.Result) []Finding {
	subject := "_dmarc." + res.RecordDomain
	if len(res.Record.RUA) == 0 {
		return []Finding{{Level: Warn, Check: "dmarc", Subject: subject, Message: words.Say("no rua=: nobody tells you whether your mail passes"), Seen: show(res.Record.Raw), Who: Zone,
			Want: words.Data("rua=mailto:dmarc@" + res.RecordDomain), Paste: withReports(res)}}
	}
	var all []Finding
	seen := map[string]bool{}
	for _, uri := range res.Record.RUA {
		// What is no mailbox has a colon in it, and is no name.
		host, err := resolve.CanonicalName(uri[strings.LastIndexByte(uri, '@')+1:])
		if err != nil || seen[host] || len(seen) == maxReports || host == res.RecordDomain || strings.HasSuffix(host, "."+res.RecordDomain) || strings.HasSuffix(res.RecordDomain, "."+host) {
			continue
		}
		seen[host] = true
		if exampleHost(host) {
			all = append(all, Finding{Level: Fail, Check: "dmarc", Subject: subject, Seen: show(res.Record.Raw), Who: Zone,
				Message: words.Say("the reports go to %s, which stands in an example and is nobody's mailbox of yours", clip(uri)),
				Want:    words.Data("rua=mailto:dmarc@" + res.RecordDomain),
				Paste:   txt(subject, clip(strings.Replace(res.Record.Raw, uri, "mailto:dmarc@"+res.RecordDomain, 1)))})
			continue
		}
		name := res.RecordDomain + "._report._dmarc." + host
		a, err := r.LookupTXT(ctx, name)
		switch {
		case resolve.Temporary(err):
			all = append(all, unknown("dmarc", name, err))
		case err != nil || !slices.ContainsFunc(a.Records, isDMARC1):
			all = append(all, Finding{Level: Warn, Check: "dmarc", Subject: name, Want: words.Data("v=DMARC1"), Paste: txt(name, "v=DMARC1"), Who: Reports,
				Message: words.Say("%s has not agreed to get the reports for %s (RFC 9990 section 4)", host, res.RecordDomain)})
		}
	}
	return all
}

func isDMARC1(t string) bool {
	v, _, _ := strings.Cut(t, ";")
	return strings.TrimSpace(v) == "v=DMARC1"
}

// withReports is the record with a mailbox for reports, nothing where it has a rua= that
// cannot be read.
func withReports(res dmarc.Result) words.Text {
	raw := strings.TrimRight(strings.TrimSpace(res.Record.Raw), "; ")
	if strings.Contains(strings.ToLower(raw), "rua") {
		return words.Text{}
	}
	return txt("_dmarc."+res.RecordDomain, clip(raw+"; rua=mailto:dmarc@"+res.RecordDomain))
}

// exampleHosts are the names that guides use (RFC 2606 §2, §3), and what people copy.
var exampleHosts = []string{"example.com", "example.net", "example.org", "test", "invalid", "localhost",
	"yourdomain.com", "your-domain.com", "yourdomain.tld", "mydomain.com", "domain.tld"}

func exampleHost(host string) bool {
	return slices.ContainsFunc(exampleHosts, func(e string) bool { return host == e || strings.HasSuffix(host, "."+e) })
}
