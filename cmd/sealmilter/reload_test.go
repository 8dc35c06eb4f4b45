package main

import (
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/telemetry"
)

// A reload leaves the resolver alone that open transactions ask: closed, it
// would turn their checks into temperrors, which are let through.
func TestReloadKeepsTheResolver(t *testing.T) {
	s := service{admin: newAdmin("milter.yaml", time.Now()), app: app{log: slog.New(slog.DiscardHandler), metrics: telemetry.NewMetrics("test")}}
	cfg := config.Default()
	cfg.AuthservID = "mail.example.com"
	cfg.DNS.Servers = nil
	cfg.DNS.Timeout = time.Second
	s.cfg = cfg
	if _, err := s.build(cfg); err != nil {
		t.Fatal(err)
	}
	first := s.client
	again := *cfg
	if _, err := s.build(&again); err != nil || s.client != first {
		t.Errorf("%v, another resolver for the same servers", err)
	}
	again.DNS.Timeout = 2 * time.Second
	if _, err := s.build(&again); err != nil || s.client == first {
		t.Errorf("%v, the same resolver for another time-out", err)
	}
	first.Close()
	s.client.Close()
}

// TestManySignalsAreFewReloads: who may signal the daemon cannot keep it busy with
// reading its files.
func TestManySignalsAreFewReloads(t *testing.T) {
	dir := serveFolder(t)
	writeConfig(t, dir, goodConfig)
	// For good: the last one may come when the daemon has ended, and ends us then.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	d := startServe(t, dir)
	d.wait("msg=ready")
	const signals = 300
	for range signals {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	log := d.wait("msg=reloaded")
	d.sign(t)
	log += d.stop()
	if n := strings.Count(log, "msg=reloaded"); n > signals/3 {
		t.Errorf("%d reloads for %d signals", n, signals)
	}
}
