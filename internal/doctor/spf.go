package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// stranger is an address that no mail comes from (RFC 5737): whoever lets it
// pass lets everybody pass.
var stranger = netip.AddrFrom4([4]byte{203, 0, 113, 254})

// manyLookups is where a record comes close to RFC 7208 §4.6.4's ten terms: the
// next include: of a service may break it, or a change of theirs.
const manyLookups = 9

// spfDomain checks MAIL FROM with each of our addresses (RFC 7208 §2.4).
func spfDomain(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	record, several, err := spfRecord(ctx, r, d.Name)
	switch {
	case resolve.Temporary(err):
		return []Finding{unknown("spf", d.Name, err)}
	case several != nil:
		return []Finding{{Level: Fail, Check: "spf", Subject: d.Name,
			Message: fmt.Sprintf("%d SPF records: receivers take none of them (RFC 7208 section 3.2)", len(several)),
			Seen:    clip(strings.Join(several, "  and  ")), Want: "one record with the terms of both", Paste: txt(d.Name, merge(several))}}
	case d.ViaSES:
		return spfSES(d, record)
	case record == "":
		rec := proposal(d)
		f := Finding{Level: Fail, Check: "spf", Subject: d.Name, Message: "there is no SPF record", Want: rec.Value, Paste: txt(d.Name, rec.Value)}
		if a, err := r.LookupTXT(ctx, d.Name); err == nil {
			if text, sentence := likeSPF(a.Records); text != "" {
				f.Message, f.Seen = "a record that looks like SPF is none: "+sentence, clip(text)
			}
		}
		return []Finding{f}
	}
	var all []Finding
	if openEnd(record) {
		all = append(all, Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: clip(record), Message: "the record has no all at its end: everybody whom it does not name is neutral, as if it were not there",
			Want: "~all at the end", Paste: txt(d.Name, clip(strings.TrimSpace(record)+" ~all"))})
	}
	if len(d.Egress) == 0 {
		all = append(all, Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: clip(record),
			Message: "our public addresses are not known (behind NAT this host cannot know them), so that SPF and PTR cannot be checked",
			Want:    "egress: in milter.yaml, or --egress", Paste: "egress: [192.0.2.25]   # your own address, in /etc/sealmilter/milter.yaml"})
	}
	c := spf.Checker{Resolver: r, Receiver: d.Helo}
	var refused []netip.Addr
	first := len(all)
	for _, ip := range d.Egress {
		res := c.Check(ctx, ip, d.Helo, "postmaster@"+d.Name)
		f := Finding{Level: Fail, Check: "spf", Subject: d.Name, Seen: clip(record)}
		switch res.Status {
		case spf.Pass:
			f = Finding{Level: Pass, Check: "spf", Subject: d.Name, Message: fmt.Sprintf("%s may send (%s)", ip, clip(res.Mechanism))}
			if res.Lookups >= manyLookups {
				f.Level, f.Want = Warn, "fewer include:, a: and mx terms"
				f.Message += fmt.Sprintf(", but the record needs %d of the 10 look-ups that receivers do (RFC 7208 section 4.6.4)", res.Lookups)
			}
		case spf.TempError:
			f = unknown("spf", d.Name, res.Err)
		case spf.PermError:
			f.Message, f.Want = fmt.Sprintf("the record is broken: %s", clip(res.Err.Error())), "a record that can be evaluated"
		default:
			refused = append(refused, ip)
			f.Message, f.Want = fmt.Sprintf("%s may not send: %s by %s", ip, res.Status, clip(res.Mechanism)), "pass"
		}
		all = append(all, f)
	}
	for i := first; i < len(all); i++ {
		if all[i].Want == "pass" {
			all[i].Paste = txt(d.Name, withAddresses(record, refused))
		}
	}
	if res := c.Check(ctx, stranger, d.Helo, "postmaster@"+d.Name); res.Status == spf.Pass && !slices.Contains(d.Egress, stranger) {
		all = append(all, Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: clip(record), Want: "~all at the end",
			Message: fmt.Sprintf("everybody may send as %s: %s of the documentation passes by %s", d.Name, stranger, clip(res.Mechanism))})
	}
	return all
}

// spfSES: Amazon SES uses a MAIL FROM of its own unless a custom one is set up;
// the domain's own record then matters only to bounces of other systems.
func spfSES(d Domain, record string) []Finding {
	f := Finding{Level: Pass, Check: "spf", Subject: d.Name, Message: "mail leaves through Amazon SES: SPF is checked for SES's MAIL FROM domain, or your custom one"}
	if record == "" {
		rec := proposal(d)
		f.Level, f.Message = Warn, f.Message+"; the domain itself has no record"
		f.Want, f.Paste = rec.Value, txt(d.Name, rec.Value)
	}
	return []Finding{f}
}

// spfRelay: receivers see the relay's addresses, which only its operator knows.
func spfRelay(ctx context.Context, r resolve.Resolver, d Domain) Finding {
	record, several, err := spfRecord(ctx, r, d.Name)
	f := Finding{Level: Pass, Check: "spf", Subject: d.Name, Seen: clip(record)}
	through := "mail leaves through " + clip(d.Relay)
	switch {
	case resolve.Temporary(err):
		return unknown("spf", d.Name, err)
	case several != nil:
		f.Level, f.Message = Fail, fmt.Sprintf("%d SPF records: receivers take none of them (RFC 7208 section 3.2)", len(several))
		f.Seen, f.Want, f.Paste = clip(strings.Join(several, "  and  ")), "one record with the terms of both", txt(d.Name, merge(several))
	case record == "":
		f.Level, f.Message, f.Want = Fail, through+", and there is no SPF record", "v=spf1, mx, the include: term that the relay's operator names, ~all"
	case !strings.Contains(strings.ToLower(record), "include:") && !strings.Contains(strings.ToLower(record), "redirect="):
		f.Level, f.Message, f.Want = Warn, through+", and the record includes nobody's", "the include: term that the relay's operator names, in front of ~all"
	default:
		f.Message = through + ", and the record includes others: compare with what the relay's operator names"
	}
	return f
}

// spfHelo checks what counts for bounces, whose sender is null (RFC 7208 §2.4),
// and that the name itself leads to us (RFC 5321 §4.1.4).
func spfHelo(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	if d.ViaSES || len(d.Egress) == 0 {
		return nil
	}
	if !strings.Contains(d.Helo, ".") {
		return []Finding{{Level: Fail, Check: "helo", Subject: d.Helo, Message: fmt.Sprintf("%q is no full host name to say in HELO", d.Helo),
			Want: "a name that the DNS knows, as mail." + d.Name, Paste: PostfixConf{Dir: d.PostfixDir}.postconf("-e 'myhostname = mail." + d.Name + "'")}}
	}
	var all []Finding
	record, _, _ := spfRecord(ctx, r, d.Helo)
	c := spf.Checker{Resolver: r, Receiver: d.Helo}
	for _, ip := range d.Egress {
		all = append(all, heloName(ctx, r, d.Helo, ip))
		res := c.Check(ctx, ip, d.Helo, "")
		f := Finding{Level: Fail, Check: "spf", Subject: d.Helo, Message: fmt.Sprintf("bounces (null sender) from %s: %s by %s", ip, res.Status, clip(res.Mechanism)),
			Seen: clip(record), Want: "pass"}
		if record != "" {
			f.Paste = txt(d.Helo, withAddresses(record, []netip.Addr{ip}))
		}
		switch res.Status {
		case spf.Pass:
			f = Finding{Level: Pass, Check: "spf", Subject: d.Helo, Message: fmt.Sprintf("%s may use this name in HELO (%s)", ip, clip(res.Mechanism))}
		case spf.None:
			f.Level = Warn
			f.Message = fmt.Sprintf("no SPF record for the HELO name: bounces from %s, which have a null sender, pass no SPF check", ip)
			f.Paste = txt(d.Helo, heloRecord(d))
		case spf.TempError:
			f = unknown("spf", d.Helo, res.Err)
		case spf.PermError:
			f.Message, f.Paste = "the record is broken: "+clip(res.Err.Error()), txt(d.Helo, heloRecord(d))
		}
		all = append(all, f)
	}
	return all
}

// heloName checks that the HELO name has the address.
func heloName(ctx context.Context, r resolve.Resolver, name string, ip netip.Addr) Finding {
	f := Finding{Level: Warn, Check: "helo", Subject: name, Want: "an address record for " + ip.String()}
	look, typ := r.LookupA, "A"
	if ip.Is6() {
		look, typ = r.LookupAAAA, "AAAA"
	}
	f.Paste = name + " " + typ + " " + ip.String()
	a, err := look(ctx, name)
	switch {
	case resolve.Temporary(err):
		return unknown("helo", name, err)
	case err != nil:
		f.Level, f.Message, f.Seen = Fail, "the name that the MTA says in HELO has no "+typ+" record: some receivers refuse it", voidWord(err)
		return f
	case !slices.Contains(a.Records, ip):
		f.Message, f.Seen = "the HELO name does not lead to "+ip.String(), clip(fmt.Sprint(a.Records))
		return f
	}
	return Finding{Level: Pass, Check: "helo", Subject: name, Message: "leads to " + ip.String()}
}

func heloRecord(d Domain) string {
	terms := make([]string, len(d.Egress))
	for i, ip := range d.Egress {
		terms[i] = term(ip)
	}
	return "v=spf1 " + strings.Join(terms, " ") + " -all"
}

// spfRecord returns the domain's record; several when there are more than one
// (RFC 7208 §4.5).
func spfRecord(ctx context.Context, r resolve.Resolver, name string) (record string, several []string, err error) {
	a, err := r.LookupTXT(ctx, name)
	if resolve.Void(err) {
		return "", nil, nil
	}
	var found []string
	for _, t := range a.Records {
		if l := strings.ToLower(t); l == "v=spf1" || strings.HasPrefix(l, "v=spf1 ") {
			found = append(found, t)
		}
	}
	switch {
	case err != nil || len(found) == 0:
		return "", nil, err
	case len(found) > 1:
		return "", found, nil
	}
	return found[0], nil, nil
}

// proposal is the record of package keys.
func proposal(d Domain) publish.TXT {
	for _, t := range (publish.Publication{Domain: d.Name, Egress: d.Egress, ViaSES: d.ViaSES, Relay: d.Relay}).Records() {
		if t.Name == d.Name {
			return t
		}
	}
	return publish.TXT{}
}

func term(ip netip.Addr) string {
	if ip.Is6() {
		return "ip6:" + ip.String()
	}
	return "ip4:" + ip.String()
}

// withAddresses is the record with terms for the addresses in front.
func withAddresses(record string, ips []netip.Addr) string {
	words := strings.Fields(record)
	out := words[:1:1]
	for _, ip := range ips {
		out = append(out, term(ip))
	}
	return clip(strings.Join(append(out, words[1:]...), " "))
}

// merge makes one record of several: every term once, and one all at the end.
func merge(records []string) string {
	out := []string{"v=spf1"}
	for _, rec := range records {
		for _, w := range strings.Fields(rec)[1:] {
			if !strings.HasSuffix(strings.ToLower(w), "all") && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return clip(strings.Join(append(out, "~all"), " "))
}
