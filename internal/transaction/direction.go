package transaction

import (
	"net/netip"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
)

// Rules are the configuration of outbound and inbound.relays.
type Rules struct {
	Local         bool
	Authenticated bool
	DaemonNames   []string
	Networks      []netip.Prefix
	Relays        []netip.Prefix
	// SignReinjected signs unauthenticated mail that came from outside.
	SignReinjected bool
}

// Client is what the connection says about the peer of the MTA.
type Client struct {
	Family byte       // '4', '6', 'L' (unix), 'U' (unknown)
	IP     netip.Addr // unmapped, without zone; invalid when missing or unparsable
	Port   uint16
	Name   string
}

// local reports whether the client is a program on this host: a unix socket,
// Postfix's made-up loopback client with port 0, or exactly 127.0.0.1 or ::1.
func (c Client) local() bool {
	switch {
	case c.Family == 'L':
		return true
	case !c.IP.IsValid():
		return false
	case c.IP.IsLoopback() && c.Port == 0:
		return true
	}
	return c.IP == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || c.IP == netip.IPv6Loopback()
}

// Hints is everything that the direction of a message depends on.
type Hints struct {
	Listener   auth.Direction // "" for auto
	Client     Client
	AuthUser   string // {auth_authen}
	DaemonName string
}

// Classified is a direction with its reason, for the log.
type Classified struct {
	Direction auth.Direction
	Reason    string
}

// Classify decides what a message is to us. It is final at MAIL; only
// Reinjected needs the header as well.
func Classify(r Rules, h Hints) Classified {
	switch h.Listener {
	case auth.Outbound:
		return Classified{auth.Outbound, "listener"}
	case auth.Inbound:
		// Our own hosts hand foreign mail over at whichever socket there is.
		if p, ok := within(r.Relays, h.Client.IP); ok {
			return Classified{auth.Relayed, "relay " + p.String()}
		}
		return Classified{auth.Inbound, "listener"}
	}
	switch {
	case r.Authenticated && h.AuthUser != "":
		return Classified{auth.Outbound, "authenticated"}
	case h.DaemonName != "" && containsFold(r.DaemonNames, h.DaemonName):
		return Classified{auth.Outbound, "daemon name " + h.DaemonName}
	}
	if p, ok := within(r.Networks, h.Client.IP); ok {
		return Classified{auth.Outbound, "network " + p.String()}
	}
	if p, ok := within(r.Relays, h.Client.IP); ok {
		return Classified{auth.Relayed, "relay " + p.String()}
	}
	switch {
	case r.Local && h.Client.local():
		return Classified{auth.Outbound, "local program"}
	case h.Client.Family != 'L' && !h.Client.IP.IsValid():
		return Classified{auth.Inbound, "no client address"}
	}
	return Classified{auth.Inbound, "from outside"}
}

func containsFold(list []string, s string) bool {
	for _, e := range list {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

func within(nets []netip.Prefix, ip netip.Addr) (netip.Prefix, bool) {
	for _, p := range nets {
		if p.Contains(ip) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// onThisHost reports whether the client may be a program on this host, in
// whatever way it comes: outbound.networks may hold all of 127.0.0.0/8, and of a
// client without an address nobody knows.
func (c Client) onThisHost() bool {
	return c.local() || !c.IP.IsValid() || c.IP.IsLoopback()
}

// Reinjected reports why outbound mail of an unauthenticated client is not our
// own but came from outside and is being handed back, by a program of this host
// (a Sieve redirect, a pipe alias, a content filter, Mailman) or by another
// host of ours: signing it would launder a spoof. "" means that nothing says
// so. ids are the authserv-ids of ours, domains the message's author domains.
//
// Received fields that name outsiders count for programs of this host only: a
// list server relays the mail of others, and that is what it is for
// (docs/decisions/0013).
func Reinjected(r Rules, h Hints, fields header.Fields, ids, domains []string) string {
	if h.AuthUser != "" {
		return ""
	}
	for _, f := range fields {
		if !auth.IsAuthResults(f.Name) {
			continue
		}
		switch res, ok := auth.OwnDMARC(f.Value, ids, domains); {
		case !ok:
			return "our own results cannot be read"
		case res != "" && res != "pass":
			return "our own results say dmarc=" + res
		}
	}
	if !h.Client.onThisHost() {
		return ""
	}
	switch at, rec := cameIn(r, fields); {
	case at < 0:
		return ""
	case rec.Client.IsValid():
		return "a Received field names " + rec.Client.String()
	}
	return "a Received field does not tell the client"
}

// ParseIP reads an address as either MTA writes it: Sendmail puts "IPv6:" in
// front. Invalid when it is none.
func ParseIP(s string) netip.Addr {
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}
