package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

func newKeysRotate() *cobra.Command {
	var f keyFlags
	cmd := &cobra.Command{
		Use:   "rotate DOMAIN",
		Short: "make the pair of keys that follows a domain's present one",
		Long: `Makes a new pair beside the present one. The running daemon does the rest: it waits
until every name server of the domain shows the new records, has the new keys take
over sign.rotate.delay after that, and keeps the old ones published for
sign.rotate.overlap. With sign.rotate.publish it puts the records into the DNS itself;
without it they are printed here. While a new pair waits nothing more is made.`,
		Example: "  sealmilter keys rotate example.com",
		Args:    oneDomain,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, problems, cfg, err := f.open(cmd, args)
			if err != nil {
				return err
			}
			printKeyProblems(cmd.ErrOrStderr(), problems)
			domain, err := rotatable(cfg, store)
			if err != nil {
				return err
			}
			dir, now := cfg.Sign.Keys, time.Now()
			selector, reuse := rotate.Waiting(store.Keys(domain), now), false
			if selector == "" {
				if selector, reuse = rotate.NextSelector(store.Keys(domain), cfg.Sign.Rotate.Turns, now); selector == "" {
					return problem.Fail("sealmilter keys list "+domain+" says until when", "the records of both %s are still needed", strings.Join(cfg.Sign.Rotate.Turns, " and "))
				}
			}
			var made []*keys.Key
			err = asuser.In(dir, func() (err error) {
				if reuse {
					err = keys.Archive(dir, domain, selector, now)
				}
				if err == nil {
					made, err = keys.Generate(dir, domain, keys.GenerateOptions{Selector: selector, Waits: true, Missing: true})
				}
				return err
			})
			if err != nil {
				return generateFailed(err, dir)
			}
			return rotated(cmd, cfg, domain, selector, made)
		},
	}
	f.add(cmd)
	return cmd
}

// rotatable is the domain whose keys are to be followed.
func rotatable(cfg *config.Config, store *keys.Store) (string, error) {
	domain := store.Domains()[0]
	switch {
	case cfg.Sign.Role == "follower":
		return "", problem.Fail("run it on the host with sign.role: master", "this host is a follower: it takes keys from the folder and makes none")
	case assemble.Rotation(cfg, domain).Listed:
		return "", problem.Fail("make the next pair with `sealmilter keys new "+domain+"`, publish it, and then change selectors in milter.yaml",
			"milter.yaml lists the selectors of %s, so that nobody else decides who signs", domain)
	case len(store.Keys(domain)) == 0:
		return "", problem.Fail("sealmilter keys new "+domain, "%s has no keys that could be followed", domain)
	}
	return domain, nil
}

// rotated says what was made, and what comes next.
func rotated(cmd *cobra.Command, cfg *config.Config, domain, selector string, made []*keys.Key) error {
	out := cmd.OutOrStdout()
	for _, k := range made {
		fmt.Fprintf(out, "made %s (%s, %d bits)\n", k.Path(), k.Algorithm(), k.Bits())
	}
	if len(made) == 0 {
		fmt.Fprintf(out, "a new pair waits already: %s, %se\n", selector, selector)
	}
	r := cfg.Sign.Rotate
	if r.Publish != "none" {
		fmt.Fprintf(out, "next: the daemon publishes the records (%s), and has the new pair take over %s after the DNS shows them\n", r.Publish, r.Delay)
		return nil
	}
	store, _ := assemble.Keys(cfg, nil)
	fmt.Fprintf(out, "next: publish the records below; the new pair takes over %s after the DNS shows them, and the old records have to stay for %s after that\n\n", r.Delay, r.Overlap)
	var records []publish.TXT
	for _, t := range (publish.Publication{Domain: domain, Keys: store.Keys(domain)}).Records() {
		if strings.HasPrefix(t.Name, selector+".") || strings.HasPrefix(t.Name, selector+"e.") {
			records = append(records, t)
		}
	}
	return publish.Write(out, publish.Plain, records)
}
