package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// ptr checks that the name of an address leads back to it (RFC 8601 §3).
func ptr(ctx context.Context, r resolve.Resolver, d Domain, ip netip.Addr) Finding {
	c := iprev.Checker{Resolver: r}
	res := c.Check(ctx, ip)
	want := d.host()
	f := Finding{Level: Fail, Check: "ptr", Subject: ip.String(), Want: want,
		Paste: resolve.ReverseName(ip) + " PTR " + want + "   # at whoever gave you the address: provider, cloud"}
	switch res.Status {
	case iprev.Pass:
		return Finding{Level: Pass, Check: "ptr", Subject: ip.String(), Message: res.Name + " leads back"}
	case iprev.TempError:
		return unknown("ptr", ip.String(), res.Err)
	case iprev.PermError:
		f.Message = "the address has no name: Gmail and others refuse mail from it"
	default:
		f.Message, f.Seen = "the name of the address does not lead back to it: Gmail and others refuse mail from it", clip(strings.Join(res.Names, " "))
		if len(res.Names) > 0 {
			typ := "A"
			if ip.Is6() {
				typ = "AAAA"
			}
			f.Want = "a name with the address " + ip.String()
			f.Paste = clip(res.Names[0]) + " " + typ + " " + ip.String()
		}
	}
	return f
}

// dmarcRecord evaluates DMARC for a message that we sign (RFC 9989 §5.3).
func dmarcRecord(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	name := "_dmarc." + d.Name
	f := Finding{Level: Warn, Check: "dmarc", Subject: name}
	for _, t := range (publish.Publication{Domain: d.Name}).Records() {
		if t.Name == name {
			f.Want, f.Paste = t.Value, txt(t.Name, t.Value)
		}
	}
	var ids []dmarc.Identifier
	if len(d.Keys) > 0 {
		ids = []dmarc.Identifier{{Method: "dkim", Domain: d.SDID}}
	}
	e := dmarc.Evaluator{Resolver: r}
	res := e.Evaluate(ctx, d.Name, ids)
	if own := dmarcTexts(ctx, r, name); len(own) > 1 {
		f.Level, f.Message, f.Seen = Fail, fmt.Sprintf("%d DMARC records at one name: receivers discard them all (RFC 9989 section 4.10)", len(own)), clip(strings.Join(own, "  and  "))
		f.Want, f.Paste = "one of them", ""
		return []Finding{f}
	}
	switch {
	case res.Status == dmarc.TempError:
		return []Finding{unknown("dmarc", name, res.Err)}
	case res.Record == nil:
		f.Message = "there is no DMARC record: Google, Yahoo and Microsoft want one from whoever sends much"
		if sentence, seen := misplacedDMARC(ctx, r, d.Name); sentence != "" {
			f.Level, f.Message, f.Seen = Fail, sentence, seen
		}
		return []Finding{f}
	}
	f.Seen = clip(res.Record.Raw)
	f.Subject = "_dmarc." + res.RecordDomain
	if uri := withoutMailto(res.Record.Raw); uri != "" {
		f.Level, f.Message = Fail, "the address "+uri+" gets no reports: write mailto:"+uri
		f.Want = "rua=mailto:" + uri
		f.Paste = txt("_dmarc."+res.RecordDomain, clip(strings.Replace(res.Record.Raw, uri, "mailto:"+uri, 1)))
		return []Finding{f}
	}
	if err := res.Record.Err; err != nil { // also where it still counts as p=none (§4.10.1)
		f.Level, f.Message = Fail, "the record is broken: "+clip(err.Error())
		return []Finding{f}
	}
	all := []Finding{policyFinding(f, d, res)}
	if len(ids) > 0 && res.Status != dmarc.Pass {
		all = append(all, Finding{Level: Fail, Check: "dmarc", Subject: d.Name, Seen: f.Seen,
			Message: fmt.Sprintf("our signatures (d=%s) do not align with %s", d.SDID, d.Name),
			Want:    "keys of its own for " + d.Name + ", or adkim=r", Paste: "sealmilter keys new " + d.Name})
	}
	return append(all, reports(ctx, r, res)...)
}

func policyFinding(f Finding, d Domain, res dmarc.Result) Finding {
	f.Level, f.Want, f.Paste = Pass, "", ""
	f.Message = fmt.Sprintf("p=%s applies to %s", res.Policy, d.Name)
	if res.Policy == dmarc.PolicyNone {
		f.Message += ": good to begin with; when a month of reports shows only your own mail passing, go on to p=quarantine"
	}
	if res.Record.Testing {
		f.Message += " (t=y: a test)"
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
		return []Finding{{Level: Warn, Check: "dmarc", Subject: subject, Message: "no rua=: nobody tells you whether your mail passes", Seen: clip(res.Record.Raw),
			Want: "rua=mailto:dmarc@" + res.RecordDomain}}
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
		name := res.RecordDomain + "._report._dmarc." + host
		a, err := r.LookupTXT(ctx, name)
		switch {
		case resolve.Temporary(err):
			all = append(all, unknown("dmarc", name, err))
		case err != nil || !slices.ContainsFunc(a.Records, isDMARC1):
			all = append(all, Finding{Level: Warn, Check: "dmarc", Subject: name, Want: "v=DMARC1", Paste: txt(name, "v=DMARC1"),
				Message: host + " has not agreed to get the reports for " + res.RecordDomain + " (RFC 9990 section 4)"})
		}
	}
	return all
}

func isDMARC1(t string) bool {
	v, _, _ := strings.Cut(t, ";")
	return strings.TrimSpace(v) == "v=DMARC1"
}

// mx checks that answers and bounces have a way back (RFC 5321 §5.1).
func mx(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	f := Finding{Level: Warn, Check: "mx", Subject: d.Name}
	a, err := r.LookupMX(ctx, d.Name)
	switch {
	case resolve.Temporary(err):
		return []Finding{unknown("mx", d.Name, err)}
	case err != nil:
		f.Message, f.Seen, f.Want = "the domain has no MX record: answers and bounces go to its address record, if at all", voidWord(err), "an MX record"
		f.Paste = d.Name + " MX 10 " + d.host()
		return []Finding{f}
	case len(a.Records) == 1 && a.Records[0].Host == "":
		// RFC 7505 §4.3: such a domain should not be a sender.
		f.Message, f.Want = "the null MX says that the domain takes no mail: receivers may refuse mail from it (RFC 7505)", "an MX record that leads to a host"
		return []Finding{f}
	}
	var all []Finding
	for _, m := range a.Records[:min(len(a.Records), 10)] {
		all = append(all, mxHost(ctx, r, d, m))
	}
	return all
}

func mxHost(ctx context.Context, r resolve.Resolver, d Domain, m resolve.MX) Finding {
	f := Finding{Level: Fail, Check: "mx", Subject: d.Name, Seen: clip(fmt.Sprintf("%d %s", m.Preference, m.Host)), Want: "the name of a host"}
	if _, err := netip.ParseAddr(m.Host); err == nil {
		f.Message = "an MX record names a host, not an address (RFC 5321 section 5.1)"
		return f
	}
	var addrs []netip.Addr
	for _, look := range []func(context.Context, string) (resolve.Answer[netip.Addr], error){r.LookupA, r.LookupAAAA} {
		a, err := look(ctx, m.Host)
		if resolve.Temporary(err) {
			return unknown("mx", m.Host, err)
		}
		addrs = append(addrs, a.Records...)
	}
	if len(addrs) == 0 {
		f.Message = clip(m.Host) + " has no address: mail for the domain cannot be delivered there"
		return f
	}
	return Finding{Level: Pass, Check: "mx", Subject: d.Name, Message: clip(fmt.Sprintf("%s leads to %s", m.Host, addrs[0]))}
}
