package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/proof"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// httpPart serves HTTP on l, and on what listen opens when it is started again.
func httpPart(name string, l net.Listener, listen func() (net.Listener, error), server func() *http.Server) *Part {
	return &Part{Name: name, Run: func(ctx context.Context) error {
		if l == nil {
			var err error
			if l, err = listen(); err != nil {
				return err
			}
		}
		mine := socket.Limit(l)
		l = nil
		srv := server()
		stop := context.AfterFunc(ctx, func() { srv.Close() })
		defer stop()
		defer mine.Close()
		if err := srv.Serve(mine); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}}
}

// metricsPart listens for Prometheus when an address is configured. That it
// cannot is an error: nobody would be warned of anything else.
func metricsPart(addr string, m *telemetry.Metrics) (*Part, error) {
	if addr == "" {
		return nil, nil
	}
	open := func() (net.Listener, error) { return net.Listen("tcp", addr) }
	l, err := open()
	if err != nil {
		return nil, problem.Fail("give a free address in metrics.listen", "metrics: %w", err)
	}
	return httpPart("metrics", l, open, m.Server), nil
}

// adminPart opens the admin socket. Without it the daemon does its work all the
// same, so that a failure is a warning.
func (s *service) adminPart(at config.Address) *Part {
	if at.Addr == "" {
		return nil
	}
	open := func() (net.Listener, error) { return socket.Listen(at.Network, at.Addr, socket.Options{Mode: 0o600}) }
	l, err := open()
	if err != nil {
		s.log.Warn("no admin socket: `sealmilter status` and `sealmilter reload` do not work", "err", err, "hint", problem.Hint(err))
		return nil
	}
	return httpPart("admin", l, open, func() *http.Server { return admin.Server(s.state) })
}

// provingPart has a second implementation verify what each key signs, once for each
// key, of each store that comes into use.
func (s *service) provingPart() *Part {
	stores := make(chan *keys.Store, 1)
	return &Part{
		Name: "proof of keys",
		Reload: func(r *running) {
			select {
			case <-stores: // only the newest matters
			default:
			}
			stores <- r.store
		},
		Run: func(ctx context.Context) error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case store := <-stores:
					s.prove(ctx, store)
				}
			}
		},
	}
}

func (s *service) prove(ctx context.Context, store *keys.Store) {
	for _, k := range store.All() {
		if ctx.Err() != nil {
			return
		}
		record := publish.Record(k)
		if s.state.provedAs(k, record) {
			continue
		}
		err := proof.Key(k)
		s.state.proved(k, record, err)
		if err != nil {
			s.log.Error("key does not prove itself", "key", k, "err", err, "hint", "make another: sealmilter keys new "+k.Domain)
		}
	}
}

// watchdogPart tells systemd at a third of WatchdogSec= that the server answers,
// as long as it does.
func (s *service) watchdogPart() *Part {
	period := s.Watchdog
	if period <= 0 {
		return nil
	}
	return &Part{Name: "watchdog", Run: func(ctx context.Context) error {
		for {
			if err := s.alive(ctx, period/3); err == nil {
				s.Notify(notifyAlive)
			} else if ctx.Err() == nil {
				s.log.Error("the server does not answer itself: systemd restarts it soon", "err", err)
			}
			select {
			case <-s.After(period / 3):
			case <-ctx.Done():
				return nil
			}
		}
	}}
}

func (s *service) alive(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.server.Alive(ctx)
}
