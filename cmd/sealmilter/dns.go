package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// dnsFlags are those of commands that print what belongs into the DNS.
type dnsFlags struct {
	keyFlags
	zone                          string
	form, to, side                string
	asJSON, all, missing, keyOnly bool
}

func newDNS() *cobra.Command {
	var f dnsFlags
	cmd := &cobra.Command{
		Use:   "dns [DOMAIN...]",
		Short: "print the DNS records to publish for domains",
		Long: `Prints everything that belongs into the DNS for a domain: the records of its
keys, and SPF and DMARC records as advice. Without DOMAIN it is for every domain in
sign.domains. Forms: plain (for a web panel), bind (a piece of a zone file), route53
(a change batch), csv (a line a record, with what the DNS has of it), json. The plain
form looks at the DNS first and leaves out what is there already; --all prints that,
too, and --unpublished leaves it out of every form.

For customers who own their DNS: with --cname-to ZONE they publish aliases, once, from
the selectors s1, s1e, s2 and s2e to names in your zone, where you publish the keys:
s1._domainkey.customer.example CNAME s1.customer.example.dkim.hoster.example.`,
		Example: `  sealmilter dns example.com
  sealmilter dns example.com --format bind
  sealmilter dns --unpublished
  sealmilter dns --all --format csv > records.csv
  sealmilter dns customer.example --cname-to dkim.hoster.example`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.asJSON {
				f.form = string(publish.JSON)
			}
			return f.run(cmd, args)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&f.form, "format", "f", "plain", "plain, bind, route53, csv or json")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON, with what the DNS has of each record")
	cmd.Flags().BoolVar(&f.all, "all", false, "print what is published already, too")
	cmd.Flags().BoolVar(&f.missing, "unpublished", false, "print only what the DNS does not show")
	cmd.Flags().StringVar(&f.to, "cname-to", "", "aliases from the selectors to names in this `zone`, and the keys there")
	cmd.Flags().StringVar(&f.side, "side", "", "with --cname-to: only one `side`, customer or hoster")
	cmd.Flags().StringVar(&f.zone, "zone", "", "ask this zone `file` in place of the DNS: NAME TYPE DATA lines")
	return cmd
}

// check refuses what does not go together.
func (f *dnsFlags) check() error {
	switch {
	case !slices.Contains(publish.Forms(), publish.Form(f.form)):
		return usage("plain, bind, route53, csv or json", "unknown format %q", f.form)
	case f.all && f.missing:
		return usage("--all prints what is published, too; --unpublished what is not", "--all and --unpublished exclude each other")
	case f.side != "" && f.to == "":
		return usage("give --cname-to ZONE with it", "--side without --cname-to")
	case f.side != "" && f.side != inspect.SideCustomer && f.side != inspect.SideHoster:
		return usage("--side customer or --side hoster", "unknown side %q", f.side)
	case f.to == "":
		return nil
	}
	to, err := resolve.CanonicalName(f.to)
	if err != nil || !strings.Contains(to, ".") {
		return usage("--cname-to wants a name in a zone of yours, as dkim.hoster.example", "--cname-to: %q is no such name", f.to)
	}
	f.to = to
	return nil
}

// run prints the records of the domains in args, or of all.
func (f *dnsFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	store, problems, cfg, err := f.open(cmd, args)
	if err != nil {
		return err
	}
	t := inspect.DNSText{Config: cfg, Store: store, Domains: signing(store, args), Form: publish.Form(f.form), To: f.to, Side: f.side, KeysOnly: f.keyOnly, NewKey: f.newKeyCommand,
		Skip: f.missing, Say: f.form == string(publish.Plain) && !f.all && !f.missing}
	switch {
	case len(t.Domains) == 0:
		return usage(cmd.CommandPath()+" DOMAIN", "a domain is wanted: sign.domains names none")
	case t.Form == publish.Route53 && (len(t.Domains) > 1 && f.side != inspect.SideHoster || f.to != "" && f.side == ""):
		return usage("give one DOMAIN, and --side with --cname-to", "a change batch is for one hosted zone")
	}
	printKeyProblems(cmd.ErrOrStderr(), inspect.WithoutKeyless(store, problems))
	if t.Leaving = inspect.HowMailLeaves(cmd.Context(), cfg); t.NeedsDNS() {
		r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, f.zone)
		if err != nil {
			return err
		}
		defer closeResolver()
		t.Resolver = r
	}
	done, err := t.Write(cmd.Context(), cmd.OutOrStdout())
	if err != nil {
		return err
	}
	for _, p := range done.Problems {
		problem.Print(cmd.ErrOrStderr(), p)
	}
	if len(done.Failed) == 1 && len(t.Domains) == 1 {
		return done.Failed[0]
	}
	for _, err := range done.Failed {
		if !errors.Is(err, problem.ErrShown) {
			problem.PrintError(cmd.ErrOrStderr(), err, problem.Hint(err))
		}
	}
	if len(done.Failed) > 0 {
		return problem.ErrShown
	}
	return nil
}

// signing are the domains whose keys sign for those in args, which open has taken; all
// that are listed without one.
func signing(store *keys.Store, args []string) (names []string) {
	for _, arg := range args {
		name, _ := domain(arg)
		if _, sdid, _ := store.Pick(name); sdid != "" && !slices.Contains(names, sdid) {
			names = append(names, sdid)
		}
	}
	if len(args) == 0 {
		return store.Domains()
	}
	return names
}
