package service

import (
	"context"
	"errors"
	"syscall"
	"time"
)

const (
	// drainFor is how long a stopping daemon waits for transactions in progress;
	// systemd's own patience is 90 s.
	drainFor = 75 * time.Second
	// With systemd's sockets, which outlive us, a stopping daemon goes on accepting
	// until the transactions of before have ended, and only then lets new
	// connections wait in the backlog for its successor: at most for
	// drainInherited, because Postfix gives up after 30 s (milter_connect_timeout,
	// milter_command_timeout). The sum stays below drainFor.
	settleFor      = 50 * time.Second
	drainInherited = 20 * time.Second
)

// drain ends the server: transactions in progress first, unless a second signal
// ends the patience. inherited says that all sockets outlive us.
func (s *service) drain(inherited bool) {
	all, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := s.After(drainFor)
	go func() {
		for {
			select {
			case <-all.Done():
				return
			case <-over:
				cancel()
			case sig := <-s.Signals:
				if sig != syscall.SIGHUP {
					cancel()
				}
			}
		}
	}()
	drain := all
	if inherited {
		settle, settled := s.within(all, settleFor)
		s.server.Settle(settle)
		settled()
		var last context.CancelFunc
		drain, last = s.within(all, drainInherited)
		defer last()
	}
	if err := s.server.Shutdown(drain); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("stopped before all transactions were finished")
	}
}

// within is context.WithTimeout by the service's clock.
func (s *service) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	over := s.After(d)
	go func() {
		select {
		case <-over:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
