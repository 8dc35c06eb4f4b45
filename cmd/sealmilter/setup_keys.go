package main

import (
	"errors"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/keys"
)

// makeKeys makes the keys that are missing, and proves all.
func (t talk) makeKeys(cfg *config.Config, domains []string) (*keys.Store, error) {
	store, _ := loadKeys(cfg, nil)
	for _, d := range domains {
		if _, _, err := store.Pick(d); !errors.Is(err, keys.ErrNoKey) {
			continue
		}
		made, err := keys.Generate(cfg.Sign.Keys, d, keys.GenerateOptions{})
		if err != nil {
			return nil, generateFailed(err, cfg.Sign.Keys)
		}
		for _, k := range made {
			t.ok("made %s (%s, %d bits)", k.Path(), k.Algorithm(), k.Bits())
		}
	}
	store, problems := loadKeys(cfg, nil)
	printKeyProblems(t.err, problems)
	if countErrors(problems) > 0 {
		return nil, fail("the MTA was not touched", "a key cannot be used")
	}
	for _, k := range store.All() {
		if err := prove(k); err != nil {
			return nil, fail("make another: sealmilter keys new "+k.Domain, "%w", err)
		}
	}
	return store, nil
}

// records prints what remains to be done by hand.
func (t talk) records(cfg *config.Config, domains []string, store *keys.Store) {
	t.section("Now publish these DNS records")
	for _, d := range domains {
		picked, sdid, err := store.Pick(d)
		if err == nil {
			keys.Write(t.out, keys.Plain, keys.Publication{Domain: sdid, Keys: picked, Egress: cfg.Egress, ViaSES: viaSES(cfg)}.Records())
		}
	}
	t.say("The records again, in other forms: sealmilter dns %s --format bind|route53", domains[0])
}
