package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

func newDNS() *cobra.Command {
	var f keyFlags
	var form, zone string
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "dns DOMAIN",
		Short: "print the DNS records to publish for a domain",
		Long: `Prints everything that belongs into the DNS for a domain: the records of its
keys, and SPF and DMARC records as advice. Forms: plain (for a web panel), bind
(a piece of a zone file), route53 (a change batch). The plain form looks at the DNS
first and leaves out what is there already.`,
		Example: "  sealmilter dns example.com\n  sealmilter dns example.com --format bind",
		Args:    oneDomain,
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, err := domain(args[0])
			if err != nil {
				return err
			}
			store, problems, cfg, err := f.open(cmd, args)
			if err != nil {
				return err
			}
			picked, sdid, err := store.ToPublish(domain)
			if errors.Is(err, keys.ErrNoKey) {
				return problem.Fail("make them with: "+f.newKeyCommand(sdid), "there are no keys for %s", domain)
			}
			printKeyProblems(cmd.ErrOrStderr(), problems)
			if err != nil {
				return problem.ErrShown
			}
			relay := ""
			if len(cfg.Egress) == 0 {
				relay = mta.Relay(cmd.Context(), "")
			}
			records := publish.Publication{Domain: sdid, Keys: picked, Egress: cfg.Egress, ViaSES: cfg.Sign.ViaSES(), Relay: relay}.Records()
			r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, zone)
			if err != nil {
				return err
			}
			defer closeResolver()
			if asJSON || form == string(publish.Plain) {
				inspect.Published(cmd.Context(), r, records)
			}
			if asJSON {
				return printJSON(cmd, records)
			}
			if form == string(publish.Plain) && !all {
				return writeUnpublished(cmd.OutOrStdout(), records)
			}
			if !slices.Contains(publish.Forms(), publish.Form(form)) {
				return usage("plain, bind, route53 or --json", "unknown format %q", form)
			}
			return publish.Write(cmd.OutOrStdout(), publish.Form(form), records)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&form, "format", "f", "plain", "plain, bind or route53")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with what the DNS has of each record")
	cmd.Flags().BoolVar(&all, "all", false, "print what is published already, too")
	cmd.Flags().StringVar(&zone, "zone", "", "ask this zone `file` in place of the DNS: NAME TYPE DATA lines")
	return cmd
}

// writeUnpublished writes the records that are not in the DNS as they should be.
func writeUnpublished(w io.Writer, records []publish.TXT) error {
	todo, there := inspect.Unpublished(records)
	if err := publish.Write(w, publish.Plain, todo); err != nil {
		return err
	}
	if len(there) > 0 {
		_, err := fmt.Fprintf(w, "# published already: %s (--all prints them)\n", strings.Join(there, ", "))
		return err
	}
	return nil
}
