package transaction

import (
	"net/netip"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// maxReceived bounds how many Received fields are looked at; RFC 5321 §6.3
// wants loops cut at 100.
const maxReceived = 100

// FirstOutside finds the topmost Received field that says that the message
// came from outside: it names a client for which ours is false, or nobody can
// tell whom it names. at is its place, -1 without one. A loopback client is a
// program of the host that wrote the field; what programs write without a
// client says nothing, and so does a hand-over to LMTP without an address, as
// long as a field below it tells where the message came from, and what was local
// to an Exim (docs/decisions/0013).
func FirstOutside(fields header.Fields, ours func(netip.Addr) bool) (at int, r header.Received) {
	return firstOutside(fields, ours, false)
}

// firstOutside is FirstOutside. With webMail the first client may be a browser.
func firstOutside(fields header.Fields, ours func(netip.Addr) bool, webMail bool) (at int, r header.Received) {
	seen, lmtp := 0, -1
	for i, f := range fields {
		if !f.Is("Received") {
			continue
		}
		if seen++; seen > maxReceived {
			return i, header.Received{FromClient: true}
		}
		r = header.ParseReceived(f.Value)
		known := r.Client.IsValid()
		switch {
		case !r.FromClient:
			lmtp = -1
		case !known && r.With == "LOCAL": // Exim: from root by host with local
			lmtp, webMail = -1, false
		case webMail && (r.With == "HTTP" || r.With == "HTTPS"):
			webMail = false
		case known && (r.Client.IsLoopback() || ours(r.Client)):
			lmtp, webMail = -1, false
		case !known && strings.HasPrefix(r.With, "LMTP"):
			lmtp, webMail = i, false
		default:
			return i, r
		}
	}
	return lmtp, header.Received{FromClient: true}
}

// cameIn is firstOutside for mail that a program of this host hands back. It may
// be a web mailer.
func cameIn(r Rules, fields header.Fields) (at int, rec header.Received) {
	ours := func(ip netip.Addr) bool {
		_, yes := within(r.Networks, ip)
		return yes
	}
	return firstOutside(fields, ours, true)
}

// origin finds the first hop outside of our own hosts in mail that one of our
// relays handed over. The topmost Received field is that relay's own and says
// who connected to it; each further one is believed only while the host that
// it names is a relay of ours as well.
func origin(r Rules, fields header.Fields) (at int, rec header.Received) {
	return FirstOutside(fields, func(ip netip.Addr) bool {
		_, ours := within(r.Relays, ip)
		return ours
	})
}
