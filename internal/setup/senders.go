package setup

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
)

// provable: set-up proves itself with messages of postmaster, as a program of this
// host, which sign.senders may not allow.
func provable(cfg *config.Config, domains []string) error {
	for _, d := range domains {
		if from := "postmaster@" + d; !assemble.LocalMay(cfg, from) {
			return fail(fmt.Sprintf("add {local: true, from: [%s]} to sign.senders.rules", from),
				"sign.senders lets no program of this host sign as %s, and set-up proves itself with such a message", from)
		}
	}
	return nil
}

// maxAdvised networks are written out.
const maxAdvised = 20

// adviseSenders says how to keep users apart, where there is more than one domain
// to take for one's own.
func (c Common) adviseSenders(cfg *config.Config) {
	if len(cfg.Sign.Domains) < 2 && !cfg.Sign.DomainsFrom.Asked() || cfg.Sign.Senders.Asked() {
		return
	}
	var b strings.Builder
	b.WriteString("Whoever logs in may sign as each of these domains. So that everybody signs as himself only, and\n" +
		"machines and programs as before, write below sign in milter.yaml (on_mismatch: log only tells):\n\n" +
		"  senders:\n    on_mismatch: sign_not\n    rules:\n      - {user: \"*\", from: [\"{user}\"]}\n      - {local: true, from: [\"*\"]}\n")
	nets := cfg.Outbound.Networks
	for _, n := range nets[:min(len(nets), maxAdvised)] {
		fmt.Fprintf(&b, "      - {client: %s, from: [\"*\"]}\n", network(n))
	}
	if len(nets) > maxAdvised {
		b.WriteString("\nand the other networks in the same way.\n")
	}
	c.section("Who may sign as whom")
	c.block(b.String())
}

// network is quoted where YAML needs it.
func network(n netip.Prefix) string {
	if n.Addr().Is6() {
		return fmt.Sprintf("%q", n)
	}
	return n.String()
}
