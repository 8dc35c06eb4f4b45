package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

func newKeysRetire() *cobra.Command {
	var f keyFlags
	var compromised, force bool
	cmd := &cobra.Command{
		Use:   "retire DOMAIN SELECTOR...",
		Short: "have keys of a domain sign no more",
		Long: `Has keys sign no more, from now on. Their records have to stay in the DNS for
sign.rotate.overlap, for mail that is under way; with --compromised they are to be
emptied (p=) at once, which the daemon does where sign.rotate.publish is set. The key
files stay. Refused when no key would be left that signs, unless with --force.`,
		Example: "  sealmilter keys retire example.com s20260101 s20260101e\n  sealmilter keys retire example.com s1 --compromised",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, problems, cfg, err := f.open(cmd, args[:1])
			if err != nil {
				return err
			}
			printKeyProblems(cmd.ErrOrStderr(), problems)
			domain := store.Domains()[0]
			retiring, err := retirable(store, domain, args[1:], force)
			if err != nil {
				return err
			}
			now, dir := time.Now().UTC().Truncate(time.Second), cfg.Sign.Keys
			until := now.Add(cfg.Sign.Rotate.Overlap)
			if compromised {
				until = now
			}
			for _, k := range retiring {
				l := k.Life()
				l.Retire, l.Remove = now, until
				if err := asuser.In(dir, func() error { return keys.SetLife(dir, domain, k.Selector, k.Life(), l) }); err != nil {
					return problem.Fail("run it as root (sudo)", "%w", err)
				}
				if compromised {
					fmt.Fprintf(cmd.OutOrStdout(), "%s signs no more; publish now: %s TXT %q\n", k, k.Name(), publish.Revoked(k))
				} else {
					fmt.Fprintf(cmd.OutOrStdout(), "%s signs no more; its record has to stay until %s\n", k, until.Local().Format("2006-01-02 15:04"))
				}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "next: sealmilter reload (the daemon looks at the folder within a minute)")
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&compromised, "compromised", false, "empty the records at once: somebody else has the key")
	cmd.Flags().BoolVar(&force, "force", false, "leave the domain without a key that signs")
	return cmd
}

// retirable are the keys that are named, where others are left that sign.
func retirable(store *keys.Store, domain string, selectors []string, force bool) ([]*keys.Key, error) {
	var found []*keys.Key
	for _, s := range selectors {
		i := slices.IndexFunc(store.Keys(domain), func(k *keys.Key) bool { return k.Selector == s })
		if i < 0 {
			return nil, problem.Fail("sealmilter keys list "+domain+" names them", "%s has no key with the selector %q", domain, s)
		}
		found = append(found, store.Keys(domain)[i])
	}
	left := slices.ContainsFunc(store.Keys(domain), func(k *keys.Key) bool { return store.Signs(k) && !slices.Contains(found, k) })
	if !left && !force {
		return nil, problem.Fail("make others first: sealmilter keys rotate "+domain+"; --force retires them all the same", "%w", errNoneLeft)
	}
	return found, nil
}

var errNoneLeft = errors.New("no key would be left that signs")
