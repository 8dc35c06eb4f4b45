package setup

import (
	"context"
	"errors"
	"strings"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
	keyproof "github.com/sealmilter/sealmilter/internal/proof"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// makeKeys makes the keys that are missing, and proves all.
func (c Common) makeKeys(ctx context.Context, cfg *config.Config) (*keys.Store, error) {
	store, _ := assemble.Keys(cfg, nil)
	for _, d := range c.Domains {
		if _, _, err := store.Pick(d); !errors.Is(err, keys.ErrNoKey) {
			continue
		}
		if err := ended(ctx); err != nil {
			return nil, err
		}
		var made []*keys.Key
		stop := c.waiting("making an RSA key for " + d)
		err := asuser.In(cfg.Sign.Keys, func() (err error) {
			made, err = keys.Generate(cfg.Sign.Keys, d, keys.GenerateOptions{})
			return err
		})
		stop()
		if err != nil {
			return nil, fail("the key folder is "+cfg.Sign.Keys+"; sealmilter keys new "+d+" makes keys apart from set-up", "%w", err)
		}
		c.done.keep("keys of " + d + " in " + cfg.Sign.Keys)
		for _, k := range made {
			c.ok("made %s (%s, %d bits)", k.Path(), k.Algorithm(), k.Bits())
		}
	}
	store, broken := assemble.Keys(cfg, nil)
	problems := inspect.Problems(nil, broken)
	c.problems(problems)
	if problem.Faults(problems) {
		return nil, fail("the MTA was not touched", "a key cannot be used")
	}
	for _, k := range store.All() {
		if err := keyproof.Key(k); err != nil {
			return nil, fail("make another: sealmilter keys new "+k.Domain, "%w", err)
		}
	}
	return store, ended(ctx)
}

// records prints what remains to be done by hand. relay is the host that all mail
// leaves through, "" for none.
func (c Common) records(ctx context.Context, cfg *config.Config, store *keys.Store, relay string) {
	c.section("Now publish these DNS records")
	r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, "")
	if err == nil {
		defer closeResolver()
	}
	for _, d := range c.Domains {
		picked, sdid, unknown := store.ToPublish(d)
		if unknown != nil {
			continue
		}
		records := publish.Publication{Domain: sdid, Keys: picked, Egress: cfg.Egress, ViaSES: cfg.Sign.ViaSES(), Relay: relay, Zone: config.Zone}.Records()
		if err == nil {
			inspect.Published(ctx, r, records)
		}
		todo, there := inspect.Unpublished(records)
		publish.Write(c.Out, publish.Plain, todo)
		if len(there) > 0 {
			c.say("published already: %s", strings.Join(there, ", "))
		}
	}
	if cfg.Sign.RequirePublished {
		c.say("Mail is signed as soon as the DNS shows a key's record: the daemon looks twice a minute, and sends unsigned until then.")
	}
	c.say("The records again, in other forms: sealmilter dns %s --format bind|route53", c.Domains[0])
}
