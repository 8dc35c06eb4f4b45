package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter"
)

const (
	defaultState = "/var/lib/sealmilter"
	// drainFor is how long a stopping daemon waits for transactions in progress;
	// systemd's own patience is 90 s.
	drainFor = 75 * time.Second
)

func newServe() *cobra.Command {
	var s service
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon",
		Long: `Runs the daemon in the foreground. SIGHUP reads the configuration and the keys
again and keeps the old ones when the new ones are bad; SIGTERM finishes the
transactions in progress and ends. When the configuration is bad at the start,
the last one that worked is used, unless --strict is given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.stderr = cmd.ErrOrStderr()
			return s.run(cmd.Context())
		},
	}
	configFlag(cmd, &s.path)
	cmd.Flags().StringVar(&s.state, "state", defaultState, "`folder` for the last good configuration")
	cmd.Flags().BoolVar(&s.strict, "strict", false, "exit when the configuration is bad, whatever worked before")
	return cmd
}

// service is the running daemon. Its methods are called from one goroutine.
type service struct {
	path, state string
	strict      bool
	stderr      interface{ Write([]byte) (int, error) }

	app    app
	level  slog.LevelVar
	cfg    *config.Config
	store  *keys.Store
	client interface{ Close() }
	server *milter.Server
	// inherited counts the listeners that systemd opened; they outlive us.
	inherited int

	admin      *admin
	keyTrouble []keys.Problem // of the last time that keys were read
}

func (s *service) run(ctx context.Context) error {
	// Caught before anything is open, so that a signal during the start is not lost.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	loaded, problems := config.LoadWithFallback(s.path, s.state, s.strict)
	if loaded.Config == nil {
		for _, p := range problems {
			printProblem(s.stderr, p)
		}
		return fail("sealmilter check --config "+s.path+" shows the same", "%s cannot be used, and there is no configuration that worked before", s.path)
	}
	s.cfg = loaded.Config
	if err := s.openLog(); err != nil {
		return err
	}
	s.app.metrics = telemetry.NewMetrics(version)
	s.app.metrics.ConfigLoaded(!loaded.Degraded)
	s.logProblems(problems)
	s.admin = newAdmin(s.path, time.Now())
	set, err := s.build(s.cfg)
	if err != nil {
		return err
	}
	s.admin.problems(listProblems(problems, s.keyTrouble))
	s.admin.running(s.cfg, loaded.Path, loaded.Degraded, s.store, time.Now())
	defer func() { s.client.Close() }()
	listeners, err := s.listen(s.cfg)
	if err != nil {
		return err
	}
	server := serverConfig(s.cfg)
	server.Connections = fit(s.app.log, server.Connections, dnsclient.MaxInFlight)
	s.server = milter.NewServer(server, set)
	var serving sync.WaitGroup
	var addrs []string
	for _, l := range listeners {
		addrs = append(addrs, l.Addr().Network()+":"+l.Addr().String())
		serving.Go(func() {
			if err := s.server.Serve(l); err != nil {
				s.app.log.Error("listener ended", "listener", l.Addr().String(), "err", err)
			}
		})
	}
	stopMetrics, err := s.serveMetrics(s.cfg.Metrics.Listen)
	if err != nil {
		return err
	}
	defer stopMetrics()
	s.admin.listeners(addrs)
	stopAdmin := s.serveAdmin(s.cfg.Admin)
	defer stopAdmin()
	if !loaded.Degraded {
		s.keep(loaded.Data)
	}
	s.app.log.Info("ready", "version", version, "authserv_id", s.cfg.AuthservID, "config", loaded.Path, "keys", len(s.store.All()))
	daemon.SdNotify(false, daemon.SdNotifyReady)
	stopWatchdog := s.watchdog()
	defer stopWatchdog()

	for {
		select {
		case <-ctx.Done():
		case done := <-s.admin.reloads:
			done <- s.reload()
			continue
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				s.reload()
				continue
			}
			s.app.log.Info("stopping: transactions in progress are finished first", "signal", sig.String())
		}
		break
	}
	close(s.admin.stopping)
	daemon.SdNotify(false, daemon.SdNotifyStopping)
	drain, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	settle, settled := context.WithTimeout(drain, settleFor)
	defer settled()
	go func() { // a second signal ends the patience
		for {
			select {
			case <-drain.Done():
				return
			case sig := <-signals:
				if sig != syscall.SIGHUP {
					cancel()
				}
			}
		}
	}()
	if s.inherited == len(listeners) {
		s.server.Settle(settle)
		var last context.CancelFunc
		drain, last = context.WithTimeout(drain, drainInherited)
		defer last()
	}
	err = s.server.Shutdown(drain)
	serving.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		s.app.log.Warn("stopped before all transactions were finished")
	}
	s.app.log.Info("stopped")
	return nil
}

func (s *service) openLog() error {
	level, err := telemetry.ParseLevel(s.cfg.Log.Level)
	if err != nil {
		return err
	}
	s.level.Set(level)
	s.app.log, err = telemetry.NewLogger(s.stderr, s.cfg.Log.Format, &s.level)
	return err
}

func (s *service) logProblems(problems config.Problems) {
	for _, p := range problems {
		level := slog.LevelError
		if p.Severity == config.Warning {
			level = slog.LevelWarn
		}
		s.app.log.Log(context.Background(), level, "configuration: "+p.Message, "file", p.File, "line", p.Line, "hint", p.Hint)
	}
}

// build makes the running set-up for cfg: keys, resolver, policy.
func (s *service) build(cfg *config.Config) (*milter.Setup, error) {
	store, problems := loadKeys(cfg, s.store)
	if store == nil {
		return nil, fail("", "%s: %s", problems[0].Path, problems[0].Message)
	}
	// A resolver that is replaced is not closed: a client may keep a transaction
	// open for as long as it likes, and its checks would end as temperror. It
	// owns nothing but questions of a few seconds. Where nothing changed it
	// stays, with what it knows.
	if s.client == nil || fmt.Sprint(s.cfg.DNS) != fmt.Sprint(cfg.DNS) {
		client, err := newResolver(cfg.DNS, s.app.metrics)
		if err != nil {
			return nil, err
		}
		s.client, s.app.resolver = client, client
	}
	s.store, s.keyTrouble = store, problems
	for _, p := range problems {
		level := slog.LevelWarn
		if p.Severity == keys.Error {
			level = slog.LevelError
		}
		s.app.log.Log(context.Background(), level, "key: "+p.Message, "path", p.Path, "domain", p.Domain, "hint", p.Hint)
	}
	for _, name := range cfg.Unbuilt() {
		s.app.log.Warn("accepted, but not built yet", "option", name)
	}
	go s.proveAll(store)
	return s.app.setup(cfg, store), nil
}

// proveAll has a second implementation verify what each key signs.
func (s *service) proveAll(store *keys.Store) {
	for _, k := range store.All() {
		err := prove(k)
		s.admin.proved(k, err)
		if err != nil {
			s.app.log.Error("key does not prove itself", "key", k, "err", err, "hint", "make another: sealmilter keys new "+k.Domain)
		}
	}
}

// reload swaps configuration and keys, or keeps the old ones and says why.
func (s *service) reload() reloadReport {
	daemon.SdNotify(false, daemon.SdNotifyReloading)
	defer daemon.SdNotify(false, daemon.SdNotifyReady)
	loaded, problems := config.LoadWithFallback(s.path, s.state, true)
	cfg := loaded.Config
	s.logProblems(problems)
	if cfg == nil {
		s.app.log.Error("reload failed: the old configuration stays", "config", s.path)
		return s.reloadFailed(listProblems(problems, nil))
	}
	set, err := s.build(cfg)
	if err != nil {
		s.app.log.Error("reload failed: the old configuration stays", "config", s.path, "err", err)
		return s.reloadFailed(append(listProblems(problems, nil), checkProblem{"error", s.path, err.Error(), ""}))
	}
	trouble := listProblems(problems, s.keyTrouble)
	if !sameSockets(s.cfg, cfg) {
		const later = "listen, socket, admin, metrics, log.format and limits of connections change at the next restart only"
		s.app.log.Warn(later)
		trouble = append(trouble, checkProblem{"warning", s.path, later, "systemctl restart sealmilter"})
	}
	if level, err := telemetry.ParseLevel(cfg.Log.Level); err == nil {
		s.level.Set(level)
	}
	s.cfg = cfg
	s.server.Swap(set)
	s.app.metrics.ConfigLoaded(true)
	s.keep(loaded.Data)
	s.app.log.Info("reloaded", "config", s.path, "keys", len(s.store.All()))
	s.admin.problems(trouble)
	s.admin.running(cfg, s.path, false, s.store, time.Now())
	return reloadReport{OK: true, Problems: trouble}
}

func (s *service) reloadFailed(problems []checkProblem) reloadReport {
	s.app.metrics.ConfigLoaded(false)
	s.admin.problems(problems)
	s.admin.failed()
	return reloadReport{Problems: problems}
}

func sameSockets(a, b *config.Config) bool {
	return fmt.Sprint(a.Listen, a.Socket, a.Admin, a.Metrics, a.Log.Format, serverConfig(a)) == fmt.Sprint(b.Listen, b.Socket, b.Admin, b.Metrics, b.Log.Format, serverConfig(b))
}

// keep remembers the configuration as one that worked.
func (s *service) keep(data []byte) {
	if err := config.SaveLastGood(s.state, s.path, data); err != nil {
		s.app.log.Warn("cannot keep a copy of the configuration for bad times", "err", err, "hint", "install -d "+s.state)
	}
}

// listen opens the sockets of the configuration; systemd's replace the default
// one.
func (s *service) listen(cfg *config.Config) ([]milter.Listener, error) {
	peers, err := socket.NewPeers(cfg.Socket.Peers)
	if err != nil {
		return nil, socketFailure("", err)
	}
	peers.Refused = func(uid uint32) {
		s.app.log.Warn("a user who is not in socket.peers was refused at the milter socket", "uid", uid)
	}
	peers.Unexpected = func(uid uint32) {
		s.app.log.Warn("a user who is no MTA's speaks to the milter socket, and can have mail signed", "uid", uid,
			"hint", "set socket.peers to the MTA's user")
	}
	out, err := s.open(cfg)
	for i := range out {
		out[i].Listener = peers.Guard(out[i].Listener)
	}
	return out, err
}

// open opens them, for whoever may reach them.
func (s *service) open(cfg *config.Config) ([]milter.Listener, error) {
	out, err := inherited()
	if err != nil {
		return nil, err
	}
	s.inherited = len(out)
	isDefault := fmt.Sprint(cfg.Listen) == fmt.Sprint(config.Default().Listen)
	if len(out) > 0 && isDefault {
		return out, nil
	}
	for _, c := range cfg.Listen {
		if i := slices.IndexFunc(out, func(l milter.Listener) bool { return opened(l, c.Addr.Network, c.Addr.Addr) }); i >= 0 {
			if d := direction(c.Direction); d != "" {
				out[i].Direction = d
			}
			continue
		}
		l, err := socket.Listen(c.Addr.Network, c.Addr.Addr, socket.Options{
			Mode: fs.FileMode(cfg.Socket.Mode), Group: cfg.Socket.Group, DefaultGroup: "postfix",
		})
		if err != nil {
			for _, opened := range out {
				opened.Close()
			}
			return nil, socketFailure("listen: ", err)
		}
		out = append(out, milter.Listener{Listener: l, Direction: direction(c.Direction)})
	}
	return out, nil
}

// socketFailure is an error of internal/socket with its hint.
func socketFailure(what string, err error) error {
	hint := ""
	if e := (*socket.Error)(nil); errors.As(err, &e) {
		hint = e.Hint
	}
	return fail(hint, what+"%w", err)
}

func direction(word string) auth.Direction {
	if word == "auto" {
		return ""
	}
	return auth.Direction(word)
}

// serveMetrics listens for Prometheus when an address is configured.
func (s *service) serveMetrics(addr string) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fail("give a free address in metrics.listen", "metrics: %w", err)
	}
	srv := s.app.metrics.Server()
	go func() {
		if err := srv.Serve(socket.Limit(l)); !errors.Is(err, http.ErrServerClosed) {
			s.app.log.Error("metrics server ended", "err", err)
		}
	}()
	return func() { srv.Close() }, nil
}
