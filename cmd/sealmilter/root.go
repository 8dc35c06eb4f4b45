package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/plain"
)

// Exit codes.
const (
	exitFine     = 0
	exitProblems = 1
	exitUsage    = 2
)

// failure ends a command with an exit code and, for people, a hint.
type failure struct {
	err  error
	hint string
	code int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(hint, format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), hint: hint, code: exitProblems}
}

// errShown ends a command whose problems are printed already.
var errShown = errors.New("problems found")

const defaultConfig = "/etc/sealmilter/milter.yaml"

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(plain.Writer(stdout))
	root.SetErr(plain.Writer(stderr))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	if errors.Is(err, errShown) {
		return exitProblems
	}
	var f *failure
	if errors.As(err, &f) {
		printError(root.ErrOrStderr(), f.err, f.hint)
		return f.code
	}
	printError(root.ErrOrStderr(), err, "see `sealmilter help`, or `sealmilter COMMAND --help`")
	return exitUsage
}

func printError(w io.Writer, err error, hint string) {
	fmt.Fprintf(w, "error: %s\n", plain.Text(strings.TrimSuffix(err.Error(), ".")))
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", plain.Text(hint))
	}
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
	return &failure{err: fmt.Errorf("unknown command %q", args[0]), hint: hint, code: exitUsage}
}

// configFlag adds --config.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", defaultConfig, "configuration `file`")
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
