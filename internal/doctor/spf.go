package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// stranger is an address that no mail comes from (RFC 5737): whoever lets it
// pass lets everybody pass.
var stranger = netip.AddrFrom4([4]byte{203, 0, 113, 254})

// spfDomain checks MAIL FROM with each of our addresses (RFC 7208 §2.4).
func spfDomain(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	record, several, err := spfRecord(ctx, r, d.Name)
	switch {
	case resolve.Temporary(err):
		return []Finding{unknown("spf", d.Name, err)}
	case several != nil:
		return []Finding{severalSPF(d, several)}
	case d.ViaSES:
		return spfSES(d, record)
	case record == "":
		rec := proposal(d)
		f := Finding{Level: Fail, Check: "spf", Subject: d.Name, Message: words.Say("there is no SPF record"), Want: words.Data(rec.Value), Paste: txt(d.Name, rec.Value), Who: Zone}
		if a, err := r.LookupTXT(ctx, d.Name); err == nil {
			if text, sentence := likeSPF(a.Records); text != "" {
				f.Message, f.Seen = words.Say("a record that looks like SPF is none: %s", sentence), show(text)
			}
		}
		return []Finding{f}
	}
	all := spfEnd(d, record)
	if len(d.Egress) == 0 {
		all = append(all, Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: show(record), Who: You,
			Message: words.Say("our public addresses are not known (behind NAT this host cannot know them), so that SPF and PTR cannot be checked"),
			Want:    words.Say("egress: in milter.yaml, or --egress"),
			Paste:   words.Data("egress: [192.0.2.25]   ").And(words.Say("# your own address, in /etc/sealmilter/milter.yaml"))})
	}
	c := spf.Checker{Resolver: r, Receiver: d.Helo}
	var refused []netip.Addr
	first, told := len(all), false
	for _, ip := range d.Egress {
		res := c.Check(ctx, ip, d.Helo, "postmaster@"+d.Name)
		f := Finding{Level: Fail, Check: "spf", Subject: d.Name, Seen: show(record), Who: Zone}
		switch res.Status {
		case spf.Pass:
			f = Finding{Level: Pass, Check: "spf", Subject: d.Name, Message: words.Say("%s may send (%s)", ip, clip(res.Mechanism))}
			if res.Lookups >= manyLookups {
				told, f.Level, f.Want, f.Who = true, Warn, words.Say("fewer include:, a: and mx terms"), Zone
				f.Message = f.Message.And(words.Say(", but the record needs %d of the 10 look-ups that receivers do (RFC 7208 section 4.6.4)", res.Lookups))
			}
		case spf.TempError:
			f, told = unknown("spf", d.Name, res.Err), true
		case spf.PermError:
			told = true
			f.Message, f.Want = words.Say("the record is broken: %s", clip(res.Err.Error())), words.Say("a record that can be evaluated")
		default:
			refused = append(refused, ip)
			f.Message, f.Want = words.Say("%s may not send: %s by %s", ip, res.Status, clip(res.Mechanism)), words.Data("pass")
		}
		all = append(all, f)
	}
	for i := first; i < len(all); i++ {
		if all[i].Want.String() == "pass" {
			all[i].Paste = txt(d.Name, withAddresses(record, refused))
		}
	}
	res := c.Check(ctx, stranger, d.Helo, "postmaster@"+d.Name)
	if res.Status == spf.Pass && !slices.Contains(d.Egress, stranger) {
		all = append(all, Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: show(record), Want: words.Say("~all at the end"), Who: Zone,
			Message: words.Say("everybody may send as %s: %s of the documentation passes by %s", d.Name, stranger, clip(res.Mechanism))})
	}
	return append(append(all, spfCost(d, record, res, told)...), kisa(d, record)...)
}

func severalSPF(d Domain, several []string) Finding {
	return Finding{Level: Fail, Check: "spf", Subject: d.Name, Message: words.Say("%d SPF records: receivers take none of them (RFC 7208 section 3.2)", len(several)),
		Seen: show(strings.Join(several, "  and  ")), Want: words.Say("one record with the terms of both"), Paste: txt(d.Name, merge(several)), Who: Zone}
}

// spfSES: Amazon SES uses a MAIL FROM of its own unless a custom one is set up;
// the domain's own record then matters only to bounces of other systems.
func spfSES(d Domain, record string) []Finding {
	f := Finding{Level: Pass, Check: "spf", Subject: d.Name, Message: words.Say("mail leaves through Amazon SES: SPF is checked for SES's MAIL FROM domain, or your custom one")}
	if record == "" {
		rec := proposal(d)
		f.Level, f.Message, f.Who = Warn, f.Message.And(words.Say("; the domain itself has no record")), Zone
		f.Want, f.Paste = words.Data(rec.Value), txt(d.Name, rec.Value)
	}
	return []Finding{f}
}

// spfRelay: receivers see the relay's addresses, which only its operator knows.
func spfRelay(ctx context.Context, r resolve.Resolver, d Domain) Finding {
	record, several, err := spfRecord(ctx, r, d.Name)
	f := Finding{Level: Pass, Check: "spf", Subject: d.Name, Seen: show(record)}
	switch {
	case resolve.Temporary(err):
		return unknown("spf", d.Name, err)
	case several != nil:
		return severalSPF(d, several)
	case record == "":
		f.Level, f.Message, f.Who = Fail, words.Say("mail leaves through %s, and there is no SPF record", clip(d.Relay)), Zone
		f.Want = words.Say("v=spf1, mx, the include: term that the relay's operator names, ~all")
	case !strings.Contains(strings.ToLower(record), "include:") && !strings.Contains(strings.ToLower(record), "redirect="):
		f.Level, f.Message, f.Who = Warn, words.Say("mail leaves through %s, and the record includes nobody's", clip(d.Relay)), Zone
		f.Want = words.Say("the include: term that the relay's operator names, in front of ~all")
	default:
		f.Message = words.Say("mail leaves through %s, and the record includes others: compare with what the relay's operator names", clip(d.Relay))
	}
	return f
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
