package service

import (
	"log/slog"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/telemetry"
)

// A reload leaves the resolver alone that open transactions ask: closed, it
// would turn their checks into temperrors, which are let through.
func TestBuildKeepsTheResolver(t *testing.T) {
	log, m := slog.New(slog.DiscardHandler), telemetry.NewMetrics("test")
	cfg := config.Default()
	cfg.AuthservID = "mail.example.com"
	cfg.DNS.Timeout = time.Second
	first, err := build(cfg, nil, nil, log, m, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer first.resolver.Close()
	again := *cfg
	second, err := build(&again, nil, first, log, m, nil, time.Now)
	if err != nil || second.resolver != first.resolver {
		t.Errorf("%v, another resolver for the same servers", err)
	}
	again.DNS.Timeout = 2 * time.Second
	third, err := build(&again, nil, first, log, m, nil, time.Now)
	if err != nil || third.resolver == first.resolver {
		t.Errorf("%v, the same resolver for another time-out", err)
	}
	third.resolver.Close()
	if first.cfg.DNS.Timeout != time.Second || first.setup == second.setup {
		t.Error("what is in use was touched")
	}
}

// What is known of users' addresses outlives a reload that asks the same, so that a
// database that is down then is not noticed.
func TestBuildKeepsTheSenders(t *testing.T) {
	log, m := slog.New(slog.DiscardHandler), telemetry.NewMetrics("test")
	cfg := config.Default()
	cfg.AuthservID = "mail.example.com"
	cfg.Sign.Senders.Query = config.SenderQuery{Driver: "sqlite", DSNFile: "/nowhere/dsn", Query: "SELECT a FROM b WHERE c = ?", Line: 3}
	first, err := build(cfg, nil, nil, log, m, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer first.resolver.Close()
	if first.senders == nil || first.setup.Senders == nil || first.setup.Senders.Directory != first.senders {
		t.Fatalf("%+v, %+v", first.senders, first.setup.Senders)
	}
	again := *cfg
	again.Sign.Senders.Query.Line = 4
	second, err := build(&again, nil, first, log, m, nil, time.Now)
	if err != nil || second.senders != first.senders {
		t.Errorf("%v, another one for the same query", err)
	}
	again.Sign.Senders.Query.Query = "SELECT a FROM c WHERE c = ?"
	third, err := build(&again, nil, first, log, m, nil, time.Now)
	if err != nil || third.senders == first.senders {
		t.Errorf("%v, the same for another query", err)
	}
	again.Sign.Senders = config.Default().Sign.Senders
	fourth, err := build(&again, nil, first, log, m, nil, time.Now)
	if err != nil || fourth.senders != nil || fourth.setup.Senders != nil {
		t.Errorf("%v, one for no query", err)
	}
}

// TestSameSockets: each of what only a restart changes is told.
func TestSameSockets(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"listen":      func(c *config.Config) { c.Listen = append(c.Listen, c.Listen[0]) },
		"direction":   func(c *config.Config) { c.Listen = []config.Listener{{Addr: c.Listen[0].Addr, Direction: "outbound"}} },
		"mode":        func(c *config.Config) { c.Socket.Mode = 0o600 },
		"peers":       func(c *config.Config) { c.Socket.Peers = []string{"postfix"} },
		"admin":       func(c *config.Config) { c.Admin.Addr = "/x" },
		"metrics":     func(c *config.Config) { c.Metrics.Listen = ":1" },
		"log.format":  func(c *config.Config) { c.Log.Format = "json" },
		"connections": func(c *config.Config) { c.Limits.Connections++ },
		"share":       func(c *config.Config) { c.Limits.OutboundShare++ },
		"packet":      func(c *config.Config) { c.Limits.PacketSize++ },
		"timeout":     func(c *config.Config) { c.Limits.IdleTimeout++ },
	} {
		other := config.Default()
		change(other)
		if sameSockets(config.Default(), other) {
			t.Errorf("%s: a change is not noticed", name)
		}
	}
	other := config.Default()
	other.Log.Level, other.Limits.Signatures, other.Sign.Expire = "debug", 3, time.Hour
	if !sameSockets(config.Default(), other) {
		t.Error("what a reload changes wants a restart")
	}
}
