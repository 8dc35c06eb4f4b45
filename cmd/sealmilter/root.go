package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// Exit codes.
const (
	exitFine     = 0
	exitProblems = 1
	exitUsage    = 2
	exitSignal   = 128 // and the signal's number, as shells have it
)

// ended ends the program with this exit code; all that is to be said was said.
type ended struct{ code int }

func (e ended) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// misuse ends a command that was not called as it wants to be.
type misuse struct {
	err  error
	hint string
}

func (m *misuse) Error() string { return m.err.Error() }
func (m *misuse) Unwrap() error { return m.err }

// usage makes a misuse; format and args are those of fmt.Errorf.
func usage(hint, format string, args ...any) error {
	return &misuse{fmt.Errorf(format, args...), hint}
}

const defaultConfig = "/etc/sealmilter/milter.yaml"

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(plain.Writer(coloured(stdout)))
	root.SetErr(plain.Writer(coloured(stderr)))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	var wrong *problem.Error
	var m *misuse
	var end ended
	switch {
	case errors.As(err, &end):
		return end.code
	case errors.Is(err, problem.ErrShown):
		return exitProblems
	case errors.As(err, &m):
		problem.PrintError(root.ErrOrStderr(), err, m.hint)
		return exitUsage
	case errors.As(err, &wrong):
		problem.PrintError(root.ErrOrStderr(), err, wrong.Hint)
		return exitProblems
	}
	// Cobra's own.
	hint := "see `sealmilter help`, or `sealmilter COMMAND --help`"
	if line := meant(root, args, err); line != "" {
		hint = "did you mean: " + line
	}
	problem.PrintError(root.ErrOrStderr(), err, hint)
	return exitUsage
}

// coloured is w with colours where that is a terminal that has some (no-color.org).
func coloured(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" || !isTerminal(f) {
		return w
	}
	return plain.Colour(w)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sealmilter",
		Short: "sign and authenticate mail beside Postfix or Sendmail",
		Long: `sealmilter stands beside Postfix or Sendmail and does the whole e-mail
authentication job: outbound it signs with DKIM, inbound it checks SPF, DKIM,
DMARC and iprev, writes one Authentication-Results field and applies a policy.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("sealmilter {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newServe(), newCheck(), newDemo(), newKeys(), newDNS(), newSetup(), newDoctor(), newExplain(), newStatus(), newReload(),
		newProbe(), newMan(), newVersion())
	return root
}

// knownCommand refuses what is no subcommand, with the nearest one as a hint.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see `sealmilter help`"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean `sealmilter " + near[0] + "`?"
	}
	return usage(hint, "unknown command %q", args[0])
}

// configFlag adds --config.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", defaultConfig, "configuration `file`")
}

// stateFlag adds --state.
func stateFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "state", defaultState, "`folder` where the daemon keeps what a database gave (serve --state)")
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sealmilter", version)
			return err
		},
	}
}
