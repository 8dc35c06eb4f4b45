package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/service"
	"github.com/sealmilter/sealmilter/milter"
)

const defaultState = "/var/lib/sealmilter"

func newServe() *cobra.Command {
	o := service.Options{Version: version, Now: time.Now, After: time.After}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon",
		Long: `Runs the daemon in the foreground. SIGHUP reads the configuration and the keys
again and keeps the old ones when the new ones are bad; SIGTERM finishes the
transactions in progress and ends. When the configuration is bad at the start,
the last one that worked is used, unless --strict is given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Caught before anything is open, so that a signal during the start is not lost.
			signals := make(chan os.Signal, 4)
			signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
			defer signal.Stop(signals)
			o.Signals, o.Stderr = signals, cmd.ErrOrStderr()
			o.Notify = func(state string) { _, _ = daemon.SdNotify(false, state) }
			if period, err := daemon.SdWatchdogEnabled(true); err == nil {
				o.Watchdog = period
			}
			var err error
			if o.Sockets, err = inherited(); err != nil {
				return err
			}
			return service.Run(cmd.Context(), o)
		},
	}
	configFlag(cmd, &o.Config)
	cmd.Flags().StringVar(&o.State, "state", defaultState, "`folder` for the last good configuration, and the domains that a database gave")
	cmd.Flags().BoolVar(&o.Strict, "strict", false, "exit when the configuration is bad, whatever worked before")
	return cmd
}

// inherited takes over the sockets that systemd opened. FileDescriptorName=
// of the socket unit may say outbound or inbound.
func inherited() ([]milter.Listener, error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, problem.Fail("", "sockets from systemd: %w", err)
	}
	var out []milter.Listener
	for name, listeners := range named {
		for _, l := range listeners {
			out = append(out, milter.Listener{Listener: l, Direction: namedDirection(name)})
		}
	}
	return out, nil
}

// namedDirection: any other name, such as systemd's default, the unit's, leaves
// the direction to be found out.
func namedDirection(name string) auth.Direction {
	if d := auth.Direction(name); d == auth.Outbound || d == auth.Inbound {
		return d
	}
	return ""
}
