package main

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/milter"
)

// With systemd's sockets, which outlive us, a stopping daemon goes on accepting
// until the transactions of before have ended, and only then lets new
// connections wait in the backlog for its successor: at most for
// drainInherited, because Postfix gives up after 30 s (milter_connect_timeout,
// milter_command_timeout). The sum stays below drainFor.
const (
	settleFor      = 50 * time.Second
	drainInherited = 20 * time.Second
)

// inherited takes over the sockets that systemd opened. FileDescriptorName=
// of the socket unit may say outbound or inbound.
func inherited() ([]milter.Listener, error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fail("", "sockets from systemd: %w", err)
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

// opened reports whether l is the socket of that address. What milter.yaml
// names and systemd has opened is one socket, not two.
func opened(l milter.Listener, network, address string) bool {
	return l.Addr().Network() == network && l.Addr().String() == address
}

// watchdog tells systemd at a third of WatchdogSec= that the server answers,
// as long as it does. It runs until stop.
func (s *service) watchdog() (stop func()) {
	period, err := daemon.SdWatchdogEnabled(true)
	if err != nil || period <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(period / 3)
		defer tick.Stop()
		for {
			if err := s.alive(ctx, period/3); err == nil {
				daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			} else if ctx.Err() == nil {
				s.app.log.Error("the server does not answer itself: systemd restarts it soon", "err", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (s *service) alive(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.server.Alive(ctx)
}
