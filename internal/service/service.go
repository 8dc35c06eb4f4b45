// Package service is the running daemon: it reads the configuration, has
// assemble make what that describes, serves mail, and keeps the parts beside that
// going (Part has their contract). Nothing is decided here.
//
// One goroutine, Run's, reads signals and wishes for a reload, builds and swaps.
// What it swaps is one value, running, which is not changed once it is built.
// Signals, sockets, clock and the way to systemd come in as values.
package service

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter"
)

// Options are what Run is given. All are needed but Sockets, Watchdog and Extra.
type Options struct {
	Config  string // path of milter.yaml
	State   string // folder of the last good copy
	Version string
	Strict  bool // no last good copy for a bad file
	Stderr  io.Writer
	Signals <-chan os.Signal // SIGHUP reloads, any other stops
	Sockets []milter.Listener
	// Notify tells systemd: READY=1 and its like.
	Notify   func(state string)
	Watchdog time.Duration // WatchdogSec=, 0 for none
	Now      func() time.Time
	After    func(time.Duration) <-chan time.Time
	Extra    []Part // beside our own, started last
}

// What systemd is told (sd_notify(3)).
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
	notifyAlive     = "WATCHDOG=1"
)

// service is one run. Its methods are called from Run's goroutine.
type service struct {
	Options
	log     *slog.Logger
	level   slog.LevelVar
	metrics *telemetry.Metrics
	state   *state
	server  *milter.Server
	// observer is told of every message: observing are its parts.
	observer  transaction.Observer
	observing []*Part
	parts     parts
	domains   *domains
	now       *running
}

// Run serves mail until ctx ends or a signal stops it. Its errors are
// problem.Error; problems of the configuration are printed to Stderr.
func Run(ctx context.Context, o Options) error {
	s := &service{Options: o}
	loaded, problems := config.LoadWithFallback(o.Config, o.State, o.Strict)
	if loaded.Config == nil {
		for _, p := range inspect.Problems(problems, nil) {
			problem.Print(o.Stderr, p)
		}
		return problem.Fail("sealmilter check --config "+o.Config+" shows the same", "%s cannot be used, and there is no configuration that worked before", o.Config)
	}
	if err := s.openLog(loaded.Config.Log); err != nil {
		return err
	}
	s.metrics = telemetry.NewMetrics(o.Version)
	s.metrics.ConfigLoaded(!loaded.Degraded)
	s.observe()
	s.logProblems(problems)
	s.domains = newDomains(s)
	s.state = newState(o, s.metrics.Snapshot, s.domains.status)
	r, err := build(loaded.Config, s.domains.of(loaded.Config), nil, s.log, s.metrics, s.observer, s.Now)
	if err != nil {
		return err
	}
	// Closed when all that may ask it has ended.
	defer func() { s.now.resolver.Close(); s.now.sight.Close(); s.now.senders.Close() }()
	r.path, r.degraded = loaded.Path, loaded.Degraded
	s.use(r, problems)

	listeners, err := listen(r.cfg, o.Sockets, s.log)
	if err != nil {
		return err
	}
	server := assemble.Server(r.cfg)
	server.Log = s.log
	server.Connections = fit(s.log, server.Connections, dnsclient.MaxInFlight)
	s.server = milter.NewServer(server, r.setup)
	serving := s.serve(listeners)
	s.parts = parts{log: s.log, after: o.After, panicked: func() { s.metrics.Panic("service") }}
	defer s.parts.stop()
	if err := s.startParts(r); err != nil {
		return err
	}
	if !r.degraded {
		s.keep(loaded.Data)
	}
	s.log.Info("ready", "version", o.Version, "authserv_id", r.cfg.AuthservID, "config", loaded.Path, "keys", len(r.store.All()))
	s.Notify(notifyReady)
	s.wait(ctx)
	close(s.state.stopping)
	s.Notify(notifyStopping)
	s.drain(len(o.Sockets) == len(listeners))
	serving.Wait()
	s.log.Info("stopped")
	return nil
}

// serve accepts connections until the server is shut down.
func (s *service) serve(listeners []milter.Listener) *sync.WaitGroup {
	var serving sync.WaitGroup
	var addrs []string
	for _, l := range listeners {
		addrs = append(addrs, l.Addr().Network()+":"+l.Addr().String())
		serving.Go(func() {
			if err := s.server.Serve(l); err != nil {
				s.log.Error("listener ended", "listener", l.Addr().String(), "err", err)
			}
		})
	}
	s.state.listeners(addrs)
	return &serving
}

// startParts opens what cannot be done without, and starts everything.
func (s *service) startParts(r *running) error {
	m, err := metricsPart(r.cfg.Metrics.Listen, s.metrics)
	if err != nil {
		return err
	}
	list := append(s.observing, m, s.adminPart(r.cfg.Admin), s.provingPart(), s.lifePart(), s.folderPart(), s.domains.part(), s.newKeysPart(), s.watchdogPart())
	for i := range s.Extra {
		list = append(list, &s.Extra[i])
	}
	for _, p := range list {
		if p != nil {
			s.parts.start(*p)
		}
	}
	s.parts.reload(r)
	return nil
}

// wait serves signals and wishes until it is time to stop.
func (s *service) wait(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case done := <-s.state.reloads:
			done <- s.reload()
		case <-s.state.rekeys:
			s.rekey()
		case set := <-s.domains.fresh:
			s.domains.take(set)
			s.rekey()
		case sig := <-s.Signals:
			if sig == syscall.SIGHUP {
				s.reload()
				continue
			}
			s.log.Info("stopping: transactions in progress are finished first", "signal", sig.String())
			return
		}
	}
}
