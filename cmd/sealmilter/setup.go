package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/setup"
)

func newSetup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "set this host's mail server up to use sealmilter",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSetupPostfix(), newSetupSendmail(), newSetupProbe())
	return cmd
}

// runSetup runs a set-up whose flags are read.
func runSetup(cmd *cobra.Command, s *setup.Common, mta string, run func(context.Context) error) error {
	domains, err := canonicalDomains(s.Domains, s.Undo, mta)
	if err != nil {
		return err
	}
	s.Domains = domains
	s.Out, s.Err = cmd.OutOrStdout(), cmd.ErrOrStderr()
	if isTerminal(os.Stdin) {
		s.In = bufio.NewReader(os.Stdin)
	}
	s.Begin()
	ctx, caught := interruptible(cmd.Context())
	err = run(ctx)
	if sig := caught(); sig != nil && err != nil {
		err = s.Interrupted(err)
		problem.PrintError(cmd.ErrOrStderr(), err, problem.Hint(err))
		return ended{exitSignal + int(sig.(syscall.Signal))}
	}
	var known *problem.Error
	if err == nil || errors.Is(err, problem.ErrShown) || errors.As(err, &known) {
		return err
	}
	return problem.Fail("", "%w", err)
}

// interruptible gives a context that ends with the first signal: what is half done is
// put back then. A second one ends the program on the spot. caught tells the signal that
// came, nil for none, and ends the watch.
func interruptible(parent context.Context) (ctx context.Context, caught func() os.Signal) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	first, stop := make(chan os.Signal, 1), make(chan struct{})
	go func() {
		defer close(first)
		select {
		case sig := <-signals:
			first <- sig
			cancel()
		case <-stop:
			return
		}
		select {
		case sig := <-signals:
			os.Exit(exitSignal + int(sig.(syscall.Signal)))
		case <-stop:
		}
	}()
	return ctx, func() os.Signal {
		signal.Stop(signals)
		close(stop)
		cancel()
		return <-first
	}
}

// isTerminal: /dev/null, a character device too, has no terminal's settings.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// canonicalDomains returns the domains of --domain in their canonical form, each
// once.
func canonicalDomains(domains []string, undo bool, mta string) ([]string, error) {
	if len(domains) == 0 && !undo {
		return nil, usage("the part behind the @ of your addresses: sealmilter setup "+mta+" --domain example.com",
			"which domain? --domain is missing")
	}
	var names []string
	for _, d := range domains {
		name, err := domain(d)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// newSetupProbe is the self-test's other process. Nobody has a use for it by hand.
func newSetupProbe() *cobra.Command {
	return &cobra.Command{
		Use:    "probe",
		Short:  "send one message to a milter, as set-up's self-test does",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return setup.Probe(cmd.InOrStdin(), cmd.OutOrStdout()) },
	}
}
