package main

import (
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/problem"
)

func newReload() *cobra.Command {
	var f adminFlags
	var asJSON bool
	var pid int
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "have the running daemon read its configuration and keys again",
		Long: `Has the running daemon read its configuration and its keys again, as SIGHUP does,
and prints what was wrong with them. A bad configuration changes nothing: the old
one stays in use, and the exit code is 1. So it is when keys cannot be used: mail of a
domain without any that can waits with 451.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := f.address()
			if err != nil && pid > 1 {
				return signalReload(cmd.ErrOrStderr(), pid)
			} else if err != nil {
				return err
			}
			r, err := admin.Client{Socket: addr}.Reload(cmd.Context())
			if err != nil && pid > 1 {
				return signalReload(cmd.ErrOrStderr(), pid)
			} else if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd, r); err != nil {
					return err
				}
			} else {
				for _, p := range r.Problems {
					problem.Print(cmd.ErrOrStderr(), p)
				}
			}
			switch {
			case !r.OK && asJSON:
				return problem.ErrShown
			case !r.OK:
				return problem.Fail("correct what is wrong, then reload again", "nothing was reloaded: the old configuration stays in use")
			case asJSON && (len(r.Waiting) > 0 || problem.Faults(r.Problems)):
				return problem.ErrShown
			case len(r.Waiting) > 0:
				return problem.Fail("mend the keys as said above, then: sealmilter reload",
					"reloaded, but mail of %s waits with 451: its keys cannot be used", strings.Join(r.Waiting, ", "))
			case problem.Faults(r.Problems):
				return problem.Fail("sealmilter check tells more", "reloaded, but not all is well: see above")
			case !asJSON:
				fmt.Fprintln(cmd.OutOrStdout(), "reloaded")
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&pid, "signal", 0, "send SIGHUP to process `PID` where the configuration has no admin socket")
	if err := cmd.Flags().MarkHidden("signal"); err != nil { // for the systemd unit
		panic(err)
	}
	return cmd
}

// signalReload is what is left without an admin socket.
func signalReload(stderr io.Writer, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return problem.Fail("", "SIGHUP to process %d: %w", pid, err)
	}
	fmt.Fprintln(stderr, "sent SIGHUP; what comes of it is in the log, since its admin socket does not answer")
	return nil
}
