package publish

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/address"
)

// terms are the SPF terms for addresses that the world can see.
func terms(addrs []netip.Addr) []string {
	var all []string
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		term := "ip4:" + a.String()
		if a.Is6() {
			term = "ip6:" + a.String()
		}
		if address.Public(a) && !slices.Contains(all, term) {
			all = append(all, term)
		}
	}
	return all
}

// spf proposes the domain's SPF record (RFC 9989 §5.1.1).
func (p Publication) spf() Entry {
	t := Entry{Name: p.Domain, Need: Advice,
		Why: "SPF: who may send for " + p.Domain + ". There may be only one (RFC 7208 section 3.2): if the name has a record that begins with v=spf1, " +
			"add the ip4: and ip6: terms to that one. Add the include: of every other service that sends for you."}
	terms := terms(p.Egress)
	if p.ViaSES {
		// The MAIL FROM that receivers check is SES's own, or a custom one below
		// the domain: mx does not speak of SES, and without Egress nobody else sends.
		if len(terms) > 0 {
			terms = append([]string{"mx"}, terms...)
		}
		t.Value = "v=spf1 " + strings.Join(append(terms, "include:amazonses.com"), " ") + " ~all"
		t.Why += " A custom MAIL FROM domain needs a record of its own: v=spf1 include:amazonses.com ~all"
		return t
	}
	switch {
	case p.Relay != "":
		terms, t.Placeholder = nil, true
		t.Why += " Mail leaves through " + p.Relay + ": put the include: term in front of ~all that its operator names. Addresses of this host need not be in it."
	case len(terms) == 0:
		t.Placeholder = true
		t.Why += " We cannot know the address that the world sees: behind NAT or a cloud's gateway it is none of this host's own. " +
			"Put ip4: and that address in front of ~all, or set egress: in milter.yaml and ask again."
	}
	if lacks := p.LacksIPv6(); len(lacks) > 0 {
		t.Why += " " + lackOfIPv6(lacks)
	}
	// ~all and not -all: under DMARC both count the same, and a receiver that
	// rejects on -all at MAIL FROM never sees the DKIM signature that survives
	// forwarding (RFC 9989 §7.1).
	t.Value = "v=spf1 " + strings.Join(append(append([]string{"mx"}, terms...), "~all"), " ")
	return t
}

// LacksIPv6 are this host's public IPv6 addresses where Egress has IPv4 ones only:
// mail that leaves over IPv6 then fails SPF.
func (p Publication) LacksIPv6() []netip.Addr {
	known := terms(p.Egress)
	if p.ViaSES || p.Relay != "" || len(known) == 0 || slices.ContainsFunc(known, func(t string) bool { return strings.HasPrefix(t, "ip6:") }) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.OwnIPv6), func(a netip.Addr) bool { return !a.Is6() || !address.Public(a) })
}

func lackOfIPv6(own []netip.Addr) string {
	return "WARNING: this host has the IPv6 address " + own[0].String() + " and its MTA uses IPv6, and egress: has IPv4 addresses only: what leaves over IPv6 fails SPF. " +
		"Add the address to egress:, or keep the MTA to IPv4 (Postfix: inet_protocols = ipv4)."
}

// helo proposes the record of the MTA's name, which bounces are checked by, since
// their sender is null (RFC 7208 §2.4, §10.1.3). Nothing is guessed: without Egress
// there is none, and through somebody else the world sees their name.
func (p Publication) helo() (Entry, bool) {
	terms := terms(p.Egress)
	if p.Helo == "" || p.Helo == p.Domain || len(terms) == 0 || p.ViaSES || p.Relay != "" {
		return Entry{}, false
	}
	why := "SPF of the name that this host says in HELO: bounces have no sender, and receivers check this name in its place (RFC 7208 section 10.1.3). "
	if !strings.HasSuffix(p.Helo, "."+p.Domain) {
		why += "It belongs into the zone of " + p.Helo + ", which is not " + p.Domain + "'s. "
	}
	return Entry{Name: p.Helo, Need: Advice, Value: "v=spf1 " + strings.Join(terms, " ") + " -all",
		Why: why + "-all, since nobody else says this name (section 10.1.2). If the name has a record that begins with v=spf1, add the terms to that one."}, true
}

// dmarc proposes the record to begin with, and the way on from it (RFC 9989
// §5.1.4).
func (p Publication) dmarc() Entry {
	record := func(policy string) string {
		// An address below the domain needs no permission of another one's
		// (RFC 9990 §4).
		return "v=DMARC1; " + policy + "; rua=mailto:dmarc@" + p.Domain
	}
	return Entry{Name: "_dmarc." + p.Domain, Need: Advice, Value: record("p=none"),
		// RFC 9989 §4.7: t=y asks for the policy one level below. There is no pct=
		// any more (appendix A.6), and who knows RFC 7489 only passes over t=.
		Then: []string{record("p=quarantine; t=y"), record("p=quarantine"), record("p=reject; t=y"), record("p=reject")},
		Why: "DMARC: begin with p=none, which changes nothing and brings you reports; the mailbox dmarc@" + p.Domain + " must exist. " +
			"When a month of reports shows only your own mail passing, go on to the next step, and so on; stop at p=quarantine if your users write to mailing lists " +
			"(RFC 9989 section 7.4). t=y asks receivers for the policy one level lower (quarantine: none, reject: quarantine); those that know only " +
			"RFC 7489 overlook it and apply p= in full. pct= is no longer part of DMARC. Keep a record that is there already."}
}
