package doctor

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// ptr checks that the name of an address leads back to it (RFC 8601 §3), and that it
// is the one of HELO.
func ptr(ctx context.Context, r resolve.Resolver, d Domain, ip netip.Addr) Finding {
	c := iprev.Checker{Resolver: r}
	res := c.Check(ctx, ip)
	want := d.host()
	rec := resolve.ReverseName(ip) + " PTR " + want
	f := Finding{Level: Fail, Check: "ptr", Subject: ip.String(), Want: words.Data(want), Who: Provider, Ask: askForPTR(ip, want, d.Name),
		Paste: words.Data(rec + "   ").And(words.Say("# at whoever gave you the address: provider, cloud"))}
	switch res.Status {
	case iprev.Pass:
		return nameOfHelo(ctx, r, d, ip, res.Name)
	case iprev.TempError:
		return unknown("ptr", ip.String(), res.Err)
	case iprev.PermError:
		f.Message = words.Say("the address has no name: Gmail and others refuse mail from it")
		if name := ownReverse(ctx, r, d, ip); name != "" {
			f.Message = words.Say("the address has no name, and a record at %s has no effect: reverse names are asked for below in-addr.arpa and ip6.arpa, which belong to whoever gave you the address", name)
			f.Seen = words.Data(name)
		}
	default:
		f.Message, f.Seen = words.Say("the name of the address does not lead back to it: Gmail and others refuse mail from it"), show(strings.Join(res.Names, " "))
		if len(res.Names) > 0 {
			f.Want, f.Who = words.Say("a name with the address %s", ip), Zone
			f.Paste = words.Data(clip(res.Names[0]) + " " + addressType(ip) + " " + ip.String())
		}
	}
	return f
}

func addressType(ip netip.Addr) string {
	if ip.Is6() {
		return "AAAA"
	}
	return "A"
}

// nameOfHelo compares the name that leads back with the one of HELO. RFC 5321 §4.1.4
// forbids to refuse mail for it; filters count it all the same.
func nameOfHelo(ctx context.Context, r resolve.Resolver, d Domain, ip netip.Addr, name string) Finding {
	pass := Finding{Level: Pass, Check: "ptr", Subject: ip.String(), Message: words.Say("%s leads back", name)}
	if !strings.Contains(d.Helo, ".") || name == d.Helo {
		return pass
	}
	// The check ends at the first name that leads back.
	if a, err := r.LookupPTR(ctx, ip); err == nil && slices.ContainsFunc(a.Records, func(n string) bool { return strings.EqualFold(n, d.Helo) }) {
		return pass
	}
	return Finding{Level: Warn, Check: "ptr", Subject: ip.String(), Who: Provider, Ask: askForPTR(ip, d.Helo, d.Name),
		Message: words.Say("%s leads back, and the MTA says %s in HELO: some filters want one name", name, clip(d.Helo)), Want: words.Data(d.Helo),
		Paste: words.Data(resolve.ReverseName(ip) + " PTR " + d.Helo + "   ").And(words.Say("# at whoever gave you the address; or have the MTA say %s", name))}
}

// ownReverse is where a reverse record stands in a zone of ours, "" for nowhere: a name
// that exists there without any text, while one of the same form for an address that is
// nobody's does not exist (a wildcard would answer for both).
func ownReverse(ctx context.Context, r resolve.Resolver, d Domain, ip netip.Addr) string {
	zones := []string{d.Name, d.SDID}
	if _, parent, ok := strings.Cut(d.Helo, "."); ok && strings.Contains(parent, ".") {
		zones = append(zones, parent)
	}
	slices.Sort(zones)
	for _, zone := range slices.Compact(zones) {
		for _, form := range []func(netip.Addr) string{
			resolve.ReverseName,
			func(ip netip.Addr) string {
				return strings.TrimSuffix(strings.TrimSuffix(resolve.ReverseName(ip), ".in-addr.arpa"), ".ip6.arpa")
			},
			func(ip netip.Addr) string { return strings.ReplaceAll(ip.String(), ":", ".") },
		} {
			name := strings.Trim(form(ip), ".") + "." + zone
			if exists(ctx, r, name) && !exists(ctx, r, strings.Trim(form(stranger), ".")+"."+zone) {
				return name
			}
		}
	}
	return ""
}

// exists reports whether the DNS positively has the name, whatever stands there.
func exists(ctx context.Context, r resolve.Resolver, name string) bool {
	if resolve.CheckName(name) != nil {
		return false
	}
	_, err := r.LookupTXT(ctx, name)
	return err == nil || errors.Is(err, resolve.ErrNoData)
}

// askForPTR is what to write to those who can set a reverse name.
func askForPTR(ip netip.Addr, name, domain string) []words.Text {
	return []words.Text{
		words.Say("to a cloud (in its console at the address: reverse DNS; else by a ticket): Please set the reverse DNS (PTR) of our public address %s to %s. "+
			"Its forward record is %s %s %s. This host sends the mail of %s; please also lift the block of outgoing TCP port 25 if there is one.",
			ip, name, name, addressType(ip), ip, domain),
		words.Say("to an Internet provider: Please set the PTR record of the fixed address %s of our line to %s (%s PTR %s), or delegate its reverse zone to our name servers. "+
			"It is the address of our mail server for %s.", ip, name, resolve.ReverseName(ip), name, domain),
	}
}
