package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "make, list, rotate and retire signing keys",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeysNew(), newKeysList(), newKeysShow(), newKeysRotate(), newKeysRetire())
	return cmd
}

func newKeysNew() *cobra.Command {
	var f keyFlags
	var opt keys.GenerateOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "new DOMAIN",
		Short: "make an RSA and an Ed25519 key for a domain",
		Long: `Makes an RSA and an Ed25519 key for a domain and puts them into the key
folder: mode 0600, owned by the owner of the folder. Existing keys stay as they
are. A running daemon takes the new keys up by itself, and signs with them when the
DNS shows their records (sign.require_published).`,
		Example: "  sealmilter keys new example.com\n  sealmilter dns example.com",
		Args:    oneDomain,
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, err := domain(args[0])
			if err != nil {
				return err
			}
			dir, err := f.folder(cmd)
			if err != nil {
				return err
			}
			var made []*keys.Key
			err = asuser.In(dir, func() (err error) {
				made, err = keys.Generate(dir, domain, opt)
				return err
			})
			if err != nil {
				return generateFailed(err, dir)
			}
			if p, odd := inspect.MadeForNobody(dir, f.adminSocket()); odd {
				problem.Print(cmd.ErrOrStderr(), p)
			}
			if asJSON {
				return printJSON(cmd, admin.Describe(made))
			}
			out := cmd.OutOrStdout()
			for _, k := range made {
				fmt.Fprintf(out, "made %s (%s, %d bits)\n", k.Path(), k.Algorithm(), k.Bits())
			}
			fmt.Fprintf(out, "next: publish the records that `sealmilter dns %s` prints; the daemon signs when the DNS shows them, and looks twice a minute\n", domain)
			if made[0].Life().Waits {
				fmt.Fprintln(out, "there are older keys: those sign until the DNS shows the new ones")
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&opt.Selector, "selector", "s", "", "`name` of the RSA key, the Ed25519 key gets an e behind it (default: s and the date)")
	cmd.Flags().IntVar(&opt.Bits, "bits", 2048, "size of the RSA key")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func generateFailed(err error, dir string) error {
	switch {
	case errors.Is(err, keys.ErrExists):
		return problem.Fail("keys are never overwritten; give another name with --selector", "%w", err)
	case errors.Is(err, os.ErrPermission):
		return problem.Fail("run it as root (sudo), or give another folder with --keys", "%w", err)
	}
	return problem.Fail("the key folder is "+dir, "%w", err)
}

func newKeysList() *cobra.Command {
	var f keyFlags
	var asJSON bool
	var zone string
	var unpublished dnsFlags
	cmd := &cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "list the keys of the configured domains and prove each",
		Long: `Lists the keys of the domains in sign.domains, or of one domain: whether each
signs, what the DNS has of it (shown, absent, or unknown where it did not answer),
where it stands in its life (new, published, active, retiring, retired) and what
happens to it next. Each key signs a sample message, which a second DKIM
implementation must verify. --unpublished prints the records that the DNS does not
show, ready to paste, in place of the list.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if unpublished.missing {
				return unpublished.runKeys(cmd, f, zone, asJSON, args)
			}
			store, problems, cfg, err := f.open(cmd, args)
			if err != nil {
				return err
			}
			list := admin.Sorted(store)
			all, failed := inspect.ProveKeys(cfg, store, list)
			if err := inspect.InDNS(cmd.Context(), cfg, zone, list, all); err != nil {
				return err
			}
			bad := countErrors(problems) + len(failed)
			printKeyProblems(cmd.ErrOrStderr(), problems)
			if asJSON {
				if err := printJSON(cmd, all); err != nil {
					return err
				}
			} else if err := writeKeyTable(cmd.OutOrStdout(), all, bad); err != nil {
				return err
			}
			if bad > 0 {
				return problem.ErrShown
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&zone, "zone", "", "ask this zone `file` in place of the DNS: NAME TYPE DATA lines")
	unpublished.addKeys(cmd)
	return cmd
}

func newKeysShow() *cobra.Command {
	var f keyFlags
	cmd := &cobra.Command{
		Use:   "show DOMAIN",
		Short: "print the DNS records of a domain's keys",
		Args:  oneDomain,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, problems, _, err := f.open(cmd, args)
			if err != nil {
				return err
			}
			printKeyProblems(cmd.ErrOrStderr(), problems)
			for _, k := range admin.Sorted(store) {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\tTXT\t%s\n", k.Name(), publish.Record(k))
			}
			if len(store.All()) == 0 || countErrors(problems) > 0 {
				return problem.ErrShown
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}
