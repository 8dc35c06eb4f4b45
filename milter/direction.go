package milter

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
)

// Rules are the configuration of outbound and inbound.relays (DESIGN §5).
type Rules struct {
	Local         bool
	Authenticated bool
	DaemonNames   []string
	Networks      []netip.Prefix
	Relays        []netip.Prefix
	// SignReinjected signs unauthenticated loopback mail that came from outside.
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

// maxReceived bounds how many Received fields are looked at; RFC 5321 §6.3
// wants loops cut at 100.
const maxReceived = 100

// Reinjected reports why outbound mail of an unauthenticated loopback client
// is not our own but came from outside and is being handed back by a program
// of ours (a Sieve redirect, a pipe alias, a content filter, Mailman): signing
// it would launder a spoof. "" means that nothing says so. domains are the
// message's author domains.
func Reinjected(r Rules, h Hints, fields header.Fields, ids, domains []string) string {
	if h.AuthUser != "" || !h.Client.local() {
		return ""
	}
	seen := 0
	for _, f := range fields {
		switch {
		case f.Is("Received"):
			if seen++; seen > maxReceived {
				return fmt.Sprintf("more than %d Received fields", maxReceived)
			}
			ip, ok := ReceivedFrom(f.Value)
			if !ok || ip.IsLoopback() {
				continue
			}
			if _, ours := within(r.Networks, ip); !ours {
				return "a Received field names " + ip.String()
			}
		case auth.IsAuthResults(f.Name) && auth.ClaimsID(f.Value, ids):
			if res := ownDMARC(f.Value, domains); res != "" && res != "pass" {
				return "our own results say dmarc=" + res
			}
		}
	}
	return ""
}

// ownDMARC returns the dmarc result for one of the domains in an
// Authentication-Results field that we wrote on the message's way in.
func ownDMARC(value string, domains []string) string {
	// What a reason quotes may come from the sender's DNS.
	value = quotedText.ReplaceAllString(header.Unfold(value), `""`)
	for part := range strings.SplitSeq(value, ";") {
		m := dmarcResult.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		if from := headerFrom.FindStringSubmatch(part); from != nil && !containsFold(domains, from[1]) {
			continue
		}
		return strings.ToLower(m[1])
	}
	return ""
}

var (
	quotedText  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	dmarcResult = regexp.MustCompile(`(?i)^\s*dmarc\s*=\s*([a-z]{1,16})`)
	headerFrom  = regexp.MustCompile(`(?i)\sheader\.from=([^\s";]{1,253})`)
	// The address literal in the from clause's comment or instead of its name:
	// "from helo (name [192.0.2.1])", "from [IPv6:2001:db8::1] (...)".
	addressLiteral = regexp.MustCompile(`(?i)\[(?:IPv6:)?([0-9a-f.:]{2,45})\]`)
	// An address alone in its comment: "from helo (192.0.2.1)".
	addressComment = regexp.MustCompile(`(?i)^(?:IPv6:)?([0-9a-f.:]{2,45})\)`)
	// What the client says of itself inside the comment: "(helo=[192.0.2.1])",
	// "(HELO [192.0.2.1])", "(ident=...)".
	clientSays = regexp.MustCompile(`(?i)\b(?:e?helo[= ]|ident=)\s*[^\s)]*`)
)

// ReceivedFrom returns the client's address in a Received field: that in the
// comments of its from clause, which is what the receiving MTA vouches for
// (RFC 5321 §4.4, TCP-info). The name before them is the client's own
// word. It counts only where there is nothing else, and never when it claims
// this host.
func ReceivedFrom(value string) (netip.Addr, bool) {
	v := header.Unfold(value)
	if len(v) > 4096 {
		v = v[:4096]
	}
	if len(v) < 5 || !strings.EqualFold(v[:5], "from ") && !strings.EqualFold(v[:5], "from\t") {
		return netip.Addr{}, false
	}
	if i := strings.Index(strings.ToLower(v), " by "); i >= 0 {
		v = v[:i]
	}
	word, comments, _ := strings.Cut(v, "(")
	comments = clientSays.ReplaceAllString(comments, "")
	// The first that has one: behind it come the names in the client's
	// certificate and such.
	for c := range strings.SplitSeq(comments, "(") {
		if ip, ok := lastAddress(addressLiteral, c); ok {
			return ip, true
		}
		if ip, ok := lastAddress(addressComment, c); ok {
			return ip, true
		}
	}
	ip, ok := lastAddress(addressLiteral, word)
	if !ok || ip.IsLoopback() {
		return netip.Addr{}, false
	}
	return ip, true
}

func lastAddress(form *regexp.Regexp, s string) (netip.Addr, bool) {
	m := form.FindAllStringSubmatch(s, -1)
	for i := len(m) - 1; i >= 0; i-- {
		if ip, err := netip.ParseAddr(m[i][1]); err == nil {
			return ip.Unmap(), true
		}
	}
	return netip.Addr{}, false
}
