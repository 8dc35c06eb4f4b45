package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// adminFlags say where the daemon's admin socket is.
type adminFlags struct{ config, socket string }

func (f *adminFlags) add(cmd *cobra.Command) {
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.socket, "socket", "", "admin socket, as unix:/PATH (default: admin of the configuration)")
}

// address finds the socket. A configuration that is bad now, or that we may not
// read, is no reason not to ask the daemon: the usual place serves then.
func (f *adminFlags) address() (string, error) {
	if f.socket != "" {
		at, err := config.ParseAddress(f.socket)
		if err != nil || at.Network != "unix" {
			return "", usage("unix:/run/sealmilter/admin.sock", "--socket: %q is no unix socket", f.socket)
		}
		return at.Addr, nil
	}
	cfg, _ := config.Load(f.config)
	if cfg == nil {
		cfg = config.Default()
	}
	if cfg.Admin.Addr == "" {
		return "", problem.Fail("set admin: unix:/run/sealmilter/admin.sock and restart the daemon", "the configuration has no admin socket")
	}
	return cfg.Admin.Addr, nil
}

func newStatus() *cobra.Command {
	var f adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell how the running daemon is",
		Long: `Asks the running daemon what it runs with: its configuration, its keys and
whether each proved itself, and what it has counted. Exit code 1 when there is no
daemon, when it runs with an older configuration because the file is bad, when mail
waits for a key that cannot be used, or when a key does not prove itself.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := f.address()
			if err != nil {
				return err
			}
			r, err := admin.Client{Socket: addr}.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd, r); err != nil {
					return err
				}
			} else if err := printStatus(cmd.OutOrStdout(), &r); err != nil {
				return err
			}
			if !r.Healthy() {
				return problem.ErrShown
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// maxLines of one kind are told; a database may list a hundred thousand domains.
const maxLines = 20

// databaseLine says how the database of sign.domains_from is.
func databaseLine(d *admin.DomainsFrom) string {
	text := count(d.Names, "name")
	switch {
	case d.Answered != nil:
		text += ", answered " + d.Answered.Format(time.RFC3339)
	case d.Last != nil:
		text += ", kept from " + d.Last.Format(time.RFC3339) + "; it has not answered since the start"
	default:
		text += "; it has not answered yet"
	}
	if d.Skipped > 0 && len(d.Rows) > 0 {
		text += fmt.Sprintf("; %s skipped, the first: %s", count(d.Skipped, "row"), d.Rows[0])
	}
	if d.Problem != "" {
		text += "; " + d.Problem
	}
	return text
}

func printStatus(w io.Writer, r *admin.Status) error {
	state := "running"
	if r.Degraded {
		state = "DEGRADED: " + plain.Text(r.Config) + " is bad, and what worked before is in use"
	}
	fmt.Fprintf(w, "sealmilter %s: %s\n", plain.Text(r.Version), state)
	fmt.Fprintln(w, summary(r))
	plain.Line(w, "pid", fmt.Sprintf("%d, for %s", r.PID, time.Duration(r.Uptime)*time.Second))
	plain.Line(w, "id", r.AuthservID)
	plain.Line(w, "config", fmt.Sprintf("%s, read %s", r.Running, r.Loaded.Format(time.RFC3339)))
	for _, l := range r.Listeners {
		plain.Line(w, "listens", l)
	}
	if d := r.DomainsFrom; d != nil {
		plain.Line(w, "database", databaseLine(d))
	}
	for _, d := range r.Keyless[:min(len(r.Keyless), maxLines)] {
		plain.Line(w, "no key", d+": its mail goes out unsigned; sealmilter keys new "+d)
	}
	if more := len(r.Keyless) - maxLines; more > 0 {
		plain.Line(w, "no key", count(more, "more domain")+" (--json has them all)")
	}
	for _, d := range r.Unpublished[:min(len(r.Unpublished), maxLines)] {
		plain.Line(w, "unsigned", d+": its mail goes out unsigned until the DNS has a record of it; sealmilter dns "+d)
	}
	for _, d := range r.Waiting {
		plain.Line(w, "WAITS", d+": its mail gets a 451 until a key of it can be read")
	}
	for _, p := range r.Problems {
		plain.Line(w, string(p.Severity), p.Place+": "+p.Message)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "KEY\tALGORITHM\tSIGNS\tDNS\tSTATE\tNEXT\tPROOF")
	for _, k := range r.Keys {
		fmt.Fprintf(tw, "%s._domainkey.%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain.Args([]any{k.Selector, k.Domain, k.Algorithm, yesNo(k.Signs), dnsWord(k), k.State, nextWords(k), k.Proof})...)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "since the start:")
	names := make([]string, 0, len(r.Counters))
	for n := range r.Counters {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(w, "%10.0f  %s\n", r.Counters[n], plain.Text(n))
	}
	return nil
}
