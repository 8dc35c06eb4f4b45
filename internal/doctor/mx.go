package doctor

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// mx checks that answers and bounces have a way back (RFC 5321 §5.1).
func mx(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	f := Finding{Level: Warn, Check: "mx", Subject: d.Name, Who: Zone}
	a, err := r.LookupMX(ctx, d.Name)
	switch {
	case resolve.Temporary(err):
		return []Finding{unknown("mx", d.Name, err)}
	case err != nil:
		f.Message, f.Seen, f.Want = words.Say("the domain has no MX record: answers and bounces go to its address record, if at all"), voidWord(err), words.Say("an MX record")
		f.Paste = words.Data(d.Name + " MX 10 " + d.host())
		return []Finding{f}
	case len(a.Records) == 1 && a.Records[0].Host == "":
		// RFC 7505 §4.3: such a domain should not be a sender.
		f.Message, f.Want = words.Say("the null MX says that the domain takes no mail: receivers may refuse mail from it (RFC 7505)"), words.Say("an MX record that leads to a host")
		f.Paste = words.Data(d.Name + " MX 10 " + d.host())
		return []Finding{f}
	}
	var all []Finding
	if target := alias(ctx, r, d.Name); target != "" {
		f.Seen, f.Message = words.Data(d.Name+" CNAME "+target), words.Say("the domain is an alias (CNAME) of %s: it has that one's MX, SPF and other records, and none of its own", target)
		f.Want = words.Say("records of its own in place of the CNAME")
		all = append(all, f)
	}
	for _, m := range a.Records[:min(len(a.Records), 10)] {
		all = append(all, mxHost(ctx, r, d, m))
	}
	return all
}

func mxHost(ctx context.Context, r resolve.Resolver, d Domain, m resolve.MX) Finding {
	f := Finding{Level: Fail, Check: "mx", Subject: d.Name, Seen: show(fmt.Sprintf("%d %s", m.Preference, m.Host)), Want: words.Say("the name of a host"), Who: Zone}
	if _, err := netip.ParseAddr(m.Host); err == nil {
		f.Message = words.Say("an MX record names a host, not an address (RFC 5321 section 5.1)")
		return f
	}
	// Before the addresses: where the alias leads to nothing, the name counts as none.
	target := alias(ctx, r, m.Host)
	var addrs []netip.Addr
	for _, look := range []func(context.Context, string) (resolve.Answer[netip.Addr], error){r.LookupA, r.LookupAAAA} {
		a, err := look(ctx, m.Host)
		if resolve.Temporary(err) {
			return unknown("mx", m.Host, err)
		}
		addrs = append(addrs, a.Records...)
	}
	if target != "" {
		f.Level, f.Seen = Warn, words.Data(clip(m.Host)+" CNAME "+target)
		f.Message = words.Say("the MX host %s is an alias (CNAME): mail may not arrive, and some receivers refuse such senders (RFC 5321 section 5.1)", clip(m.Host))
		f.Want, f.Paste = words.Say("an MX record with the name behind the alias"), words.Data(fmt.Sprintf("%s MX %d %s", d.Name, m.Preference, target))
		return f
	}
	if len(addrs) == 0 {
		f.Message = words.Say("%s has no address: mail for the domain cannot be delivered there", clip(m.Host))
		return f
	}
	return Finding{Level: Pass, Check: "mx", Subject: d.Name, Message: words.Say("%s leads to %s", clip(m.Host), addrs[0])}
}

// alias is where a CNAME at the name leads, "" for none, or where it cannot be asked.
func alias(ctx context.Context, r resolve.Resolver, name string) string {
	a, ok := r.(resolve.Aliaser)
	if !ok {
		return ""
	}
	ans, err := a.LookupCNAME(ctx, name)
	if err != nil {
		return ""
	}
	return clip(ans.Records[0])
}
