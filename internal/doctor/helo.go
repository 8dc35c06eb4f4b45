package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// spfHelo checks what counts for bounces, whose sender is null (RFC 7208 §2.4),
// and that the name itself leads to us (RFC 5321 §4.1.4).
func spfHelo(ctx context.Context, r resolve.Resolver, d Domain) []Finding {
	if d.ViaSES || len(d.Egress) == 0 {
		return nil
	}
	if !strings.Contains(d.Helo, ".") {
		return []Finding{{Level: Fail, Check: "helo", Subject: d.Helo, Message: words.Say("%q is no full host name to say in HELO", d.Helo), Who: You,
			Want: words.Say("a name that the DNS knows, as %s", "mail."+d.Name), Paste: PostfixConf{Dir: d.PostfixDir}.postconf("-e 'myhostname = mail." + d.Name + "'")}}
	}
	var all []Finding
	record, _, _ := spfRecord(ctx, r, d.Helo)
	c := spf.Checker{Resolver: r, Receiver: d.Helo}
	for _, ip := range d.Egress {
		all = append(all, heloName(ctx, r, d.Helo, ip))
		res := c.Check(ctx, ip, d.Helo, "")
		f := Finding{Level: Fail, Check: "spf", Subject: d.Helo, Message: words.Say("bounces (null sender) from %s: %s by %s", ip, res.Status, clip(res.Mechanism)),
			Seen: show(record), Want: words.Data("pass"), Who: Zone}
		if record != "" {
			f.Paste = txt(d.Helo, withAddresses(record, []netip.Addr{ip}))
		}
		switch res.Status {
		case spf.Pass:
			f = Finding{Level: Pass, Check: "spf", Subject: d.Helo, Message: words.Say("%s may use this name in HELO (%s)", ip, clip(res.Mechanism))}
		case spf.None:
			f.Level = Warn
			f.Message = words.Say("no SPF record for the HELO name: bounces from %s, which have a null sender, pass no SPF check", ip)
			f.Paste = txt(d.Helo, heloRecord(d))
		case spf.TempError:
			f = unknown("spf", d.Helo, res.Err)
		case spf.PermError:
			f.Message, f.Paste = words.Say("the record is broken: %s", clip(res.Err.Error())), txt(d.Helo, heloRecord(d))
		}
		all = append(all, f)
	}
	return all
}

// heloName checks that the HELO name has the address.
func heloName(ctx context.Context, r resolve.Resolver, name string, ip netip.Addr) Finding {
	f := Finding{Level: Warn, Check: "helo", Subject: name, Want: words.Say("an address record for %s", ip), Who: Zone}
	look, typ := r.LookupA, addressType(ip)
	if ip.Is6() {
		look = r.LookupAAAA
	}
	f.Paste = words.Data(name + " " + typ + " " + ip.String())
	a, err := look(ctx, name)
	switch {
	case resolve.Temporary(err):
		return unknown("helo", name, err)
	case err != nil:
		f.Level, f.Message, f.Seen = Fail, words.Say("the name that the MTA says in HELO has no %s record: some receivers refuse it", typ), voidWord(err)
		return f
	case !slices.Contains(a.Records, ip):
		f.Message, f.Seen = words.Say("the HELO name does not lead to %s", ip), show(fmt.Sprint(a.Records))
		return f
	}
	return Finding{Level: Pass, Check: "helo", Subject: name, Message: words.Say("leads to %s", ip)}
}

func heloRecord(d Domain) string {
	terms := make([]string, len(d.Egress))
	for i, ip := range d.Egress {
		terms[i] = term(ip)
	}
	return "v=spf1 " + strings.Join(terms, " ") + " -all"
}
