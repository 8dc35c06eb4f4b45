package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// doctorPatience bounds a whole examination.
const doctorPatience = 2 * time.Minute

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	config, keys, state, zone, helo, postfix string
	egress, selectors                        []string
	noMTA, asJSON                            bool
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor DOMAIN",
		Short: "look at a domain as its receivers will, and at the MTA",
		Long: `Compares the keys on disk with the DNS, checks SPF for each of our public
addresses and for the HELO name, their PTR records, DMARC and MX, and whether
the MTA hands its mail to us and reaches the socket. Each finding is PASS, WARN
or FAIL; what is not right comes with what was seen, what is wanted and what to
paste. Changes nothing. Exit code 1 when something fails.`,
		Example: "  sealmilter doctor example.com\n  sealmilter doctor example.com --egress 192.0.2.25,2001:db8::25 --helo mail.example.com",
		Args:    oneDomain,
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, err := domain(args[0])
			if err != nil {
				return err
			}
			egress, err := f.addresses()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorPatience)
			defer cancel()
			if isTerminal(os.Stderr) {
				still := time.AfterFunc(time.Second, func() { fmt.Fprintln(os.Stderr, "... asking the DNS, and looking at the MTA") })
				defer still.Stop()
			}
			all, err := inspect.Doctor(ctx, inspect.Examination{
				Domain: domain, Config: f.config, MayLack: f.config == defaultConfig, Keys: f.keys, State: f.state, Zone: f.zone, Helo: f.helo,
				PostfixDir: f.postfix, Egress: egress, Selectors: f.selectors, NoMTA: f.noMTA,
			})
			if err != nil {
				return err
			}
			if f.asJSON {
				err = printJSON(cmd, struct {
					Domain   string           `json:"domain"`
					Worst    doctor.Level     `json:"worst"`
					Findings []doctor.Finding `json:"findings"`
				}{domain, doctor.Worst(all), all})
			} else {
				printFindings(cmd.OutOrStdout(), all)
			}
			if err == nil && doctor.Worst(all) == doctor.Fail {
				return problem.ErrShown
			}
			return err
		},
	}
	configFlag(cmd, &f.config)
	stateFlag(cmd, &f.state)
	cmd.Flags().StringVar(&f.keys, "keys", "", "key `folder` (default: sign.keys of the configuration)")
	cmd.Flags().StringSliceVar(&f.egress, "egress", nil, "our public `addresses` (default: egress of the configuration, else the host's own)")
	cmd.Flags().StringVar(&f.helo, "helo", "", "the `name` that the MTA says in HELO (default: the MTA's setting, else the host's name)")
	cmd.Flags().StringSliceVar(&f.selectors, "selector", nil, "`names` of keys that a service holds (newsletter, Amazon SES), to be looked at as well")
	cmd.Flags().StringVar(&f.zone, "zone", "", "ask this zone `file` in place of the DNS: NAME TYPE DATA lines")
	cmd.Flags().StringVar(&f.postfix, "postfix-config", "", "Postfix's configuration `folder` (default: its own)")
	cmd.Flags().BoolVar(&f.noMTA, "no-mta", false, "leave the MTA out")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// addresses are those of the flag.
func (f *doctorFlags) addresses() ([]netip.Addr, error) {
	var out []netip.Addr
	for _, s := range f.egress {
		ip, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			return nil, usage("addresses, as 192.0.2.25,2001:db8::25", "--egress: %w", err)
		}
		out = append(out, ip.Unmap().WithZone(""))
	}
	return out, nil
}

func printFindings(w io.Writer, all []doctor.Finding) {
	n := map[doctor.Level]int{}
	for _, f := range all {
		n[f.Level]++
		fmt.Fprintf(w, "%s  %-6s %s: %s\n", f.Level, f.Check, plain.Text(f.Subject), plain.Text(f.Message))
		want := f.Want
		if strings.Contains(strings.ReplaceAll(f.Paste, `" "`, ""), want) {
			want = "" // it stands in what to paste
		}
		for _, line := range []struct{ label, text string }{{"seen", f.Seen}, {"want", want}, {"paste", f.Paste}} {
			if line.text != "" {
				// A record to paste stands in one line, however long it is.
				fmt.Fprintf(w, "             %-6s %s\n", line.label, plain.Clip(line.text, len(line.text)))
			}
		}
	}
	fmt.Fprintf(w, "\n%d passed, %d warnings, %d failed\n", n[doctor.Pass], n[doctor.Warn], n[doctor.Fail])
}

// newProbe is doctor's other process.
func newProbe() *cobra.Command {
	return &cobra.Command{
		Use:    "probe NETWORK ADDRESS",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := mta.Probe(args[0], args[1]); err != nil {
				return problem.Fail("", "%w", err)
			}
			return nil
		},
	}
}
