package inspect

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/mta"
)

// Leaving is how mail leaves this host, as far as its MTA's configuration tells.
type Leaving struct {
	Relay string       // the host that all mail goes through, "" for none
	Helo  string       // the name that the MTA says, "" where the world does not know such names
	IPv6  []netip.Addr // of this host's, where the MTA uses IPv6
}

// HowMailLeaves asks this host's MTA, for what egress: does not say.
func HowMailLeaves(ctx context.Context, cfg *config.Config) Leaving {
	if len(cfg.Egress) == 0 {
		return Leaving{Relay: mta.Relay(ctx, "")}
	}
	helo, ipv6 := hello(ctx, cfg)
	l := Leaving{Helo: worldly(helo)}
	if ipv6 {
		addrs, _ := net.InterfaceAddrs()
		l.IPv6 = publicIPv6(addrs)
	}
	return l
}

// hello is the name that the MTA says, and whether it uses IPv6; "" and false without an MTA.
func hello(ctx context.Context, cfg *config.Config) (name string, ipv6 bool) {
	postconf, found := mta.FindPostconf()
	cf, err := os.ReadFile(sendmailCF)
	switch {
	case found && (cfg.MTA != "sendmail" || err != nil):
		main, _, _ := mta.Postfix(ctx, postconf, "", []string{"myhostname", "smtp_helo_name", "inet_protocols"}) // without master.cf too
		words := strings.FieldsFunc(main["inet_protocols"], func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		return doctor.PostfixConf{Main: main}.Helo(), slices.Contains(words, "all") || slices.Contains(words, "ipv6")
	case err == nil:
		return doctor.SendmailConf{CF: string(cf)}.Helo(), true // Debian's tries AAAA records first
	}
	return "", false
}

// worldly is a host's name in its canonical form, "" when the world's DNS cannot have it.
func worldly(host string) string {
	name, err := resolve.CanonicalName(host)
	if err != nil || !strings.Contains(name, ".") {
		return ""
	}
	for _, own := range []string{".invalid", ".local", ".localdomain", ".localhost", ".internal", ".lan", ".home.arpa", ".test"} {
		if strings.HasSuffix(name, own) {
			return ""
		}
	}
	return name
}

func publicIPv6(addrs []net.Addr) (out []netip.Addr) {
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && !p.Addr().Is4In6() && address.Public(p.Addr()) {
			out = append(out, p.Addr())
		}
	}
	return out
}
