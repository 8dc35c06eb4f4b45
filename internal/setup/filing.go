package setup

import (
	"context"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/filing"
)

// tagged says how to file mail that the policy only tags, unless this host
// does. checks is Postfix's milter_header_checks.
func (c Common) tagged(ctx context.Context, cfg *config.Config, checks string) {
	if cfg.Policy.Quarantine != "tag" {
		return
	}
	dovecot, err := runProgram(ctx, "doveconf", "-n")
	if err != nil {
		dovecot = "" // none here, or one that does not work: procmail's lines, then
	}
	c.adviseFiling(filing.Host{Dovecot: dovecot, Checks: checks})
}

func (c Common) adviseFiling(h filing.Host) {
	if h.Look() != "" {
		return
	}
	c.section("Where forged mail goes")
	c.block(h.Advice())
}
