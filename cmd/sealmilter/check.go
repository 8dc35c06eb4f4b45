package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
)

func newCheck() *cobra.Command {
	var path, state string
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "check a configuration and its keys",
		Long: `Reads a configuration, loads every key and lets each sign a sample message that a
second DKIM implementation must verify. Asks the database of sign.domains_from once.
Prints the effective configuration, or every problem with its place and what to do.
Changes nothing.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				path = args[0]
			}
			r := inspect.Check(path, state, func(command string) string {
				if path != defaultConfig {
					command += " --config " + path
				}
				return command
			})
			if asJSON {
				if err := printJSON(cmd, r); err != nil {
					return err
				}
			} else {
				printChecked(cmd.OutOrStdout(), cmd.ErrOrStderr(), r, quiet)
			}
			if r.Errors > 0 {
				return problem.ErrShown
			}
			return nil
		},
	}
	configFlag(cmd, &path)
	stateFlag(cmd, &state)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print problems only")
	return cmd
}

func printChecked(out, stderr io.Writer, r *inspect.Checked, quiet bool) {
	for _, p := range r.Problems {
		problem.Print(stderr, p)
	}
	if r.Config == nil || quiet {
		return
	}
	fmt.Fprintln(out, "# effective configuration")
	r.Config.WriteYAML(out)
	if d := r.Database; d != nil {
		fmt.Fprintf(out, "# domains_from: %s, %s skipped\n", count(d.Names, "name"), count(d.Skipped, "row"))
	}
	for _, k := range r.Keys {
		state := "signs"
		switch {
		case k.Waits && !k.Signs:
			state = "waits for the DNS"
		case !k.Signs:
			state = "older, does not sign"
		}
		fmt.Fprintf(out, "# key %s._domainkey.%s: %s, %d bits, %s, proof: %s\n", plain.Text(k.Selector), plain.Text(k.Domain), k.Algorithm, k.Bits, state, plain.Text(k.Proof))
	}
	if r.Errors == 0 {
		word := "warnings"
		if r.Warnings == 1 {
			word = "warning"
		}
		fmt.Fprintf(out, "# %s is good: %d %s\n", r.File, r.Warnings, word)
	}
}
