package main

import (
	"log/slog"
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
