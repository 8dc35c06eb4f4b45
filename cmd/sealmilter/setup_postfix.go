package main

import (
	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/setup"
)

func newSetupPostfix() *cobra.Command {
	var s setup.Postfix
	cmd := &cobra.Command{
		Use:   "postfix --domain DOMAIN",
		Short: "make keys, write milter.yaml and tell Postfix, without a moment of refused mail",
		Long: `Sets Postfix up. Reads main.cf and master.cf, makes keys for the domain, writes
milter.yaml, has systemd open a socket in Postfix's queue where it lacks one, tests
a whole message through it as Postfix's user, and only then adds sealmilter behind
the milters that are there. While Postfix proves itself with a message, mail passes
even if something is wrong; then the final line is written: mail waits while
sealmilter is down. Anything that goes wrong puts the files back; after a kill the
next run does. Run again it changes only what is not right yet.

--undo takes the edits out of main.cf and master.cf, and leaves those that you
have made since, the keys, milter.yaml and the socket.`,
		Example: "  sealmilter setup postfix --domain example.com --dry-run\n  sealmilter setup postfix --domain example.com\n  sealmilter setup postfix --undo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSetup(cmd, &s.Common, "postfix", s.Run)
		},
	}
	configFlag(cmd, &s.Config)
	f := cmd.Flags()
	f.StringSliceVarP(&s.Domains, "domain", "d", nil, "`domain` of your mail addresses; may be given several times")
	f.StringVar(&s.Dir, "postfix-config", "", "`folder` of main.cf, for one of several instances (default: Postfix's own)")
	f.BoolVar(&s.DryRun, "dry-run", false, "show what would change, and change nothing")
	f.BoolVar(&s.Undo, "undo", false, "take the edits out of main.cf and master.cf")
	f.BoolVarP(&s.Yes, "yes", "y", false, "answer every question with yes")
	f.BoolVar(&s.FailOpen, "fail-open", false, "let mail pass unsigned and unchecked while sealmilter is down")
	return cmd
}
