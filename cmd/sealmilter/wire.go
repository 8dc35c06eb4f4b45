package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter"
)

// app is what outlives a configuration.
type app struct {
	log      *slog.Logger
	metrics  *telemetry.Metrics
	resolver resolve.Resolver
}

// setup turns a configuration and its keys into what the server runs.
func (a *app) setup(cfg *config.Config, store *keys.Store) *milter.Setup {
	header, body, _ := strings.Cut(cfg.Sign.Canonicalization, "/")
	set := &milter.Setup{
		AuthservID: cfg.AuthservID,
		Rules: milter.Rules{
			Local:          cfg.Outbound.Local,
			Authenticated:  cfg.Outbound.Authenticated,
			DaemonNames:    cfg.Outbound.DaemonNames,
			Networks:       cfg.Outbound.Networks,
			Relays:         cfg.Inbound.Relays,
			SignReinjected: cfg.Outbound.Reinjected == "sign",
		},
		MTA: cfg.MTA,
		Sign: milter.Sign{
			Headers:     signedHeaders(cfg),
			Oversign:    cfg.Sign.Oversign,
			HeaderCanon: dkim.Canonicalization(header),
			BodyCanon:   dkim.Canonicalization(body),
			Expire:      cfg.Sign.Expire,
		},
		Keys: store,
		Auth: &auth.Authenticator{
			Resolver:      a.resolver,
			SPF:           cfg.Verify.SPF,
			DKIM:          cfg.Verify.DKIM,
			DMARC:         cfg.Verify.DMARC,
			IPRev:         cfg.Verify.IPRev,
			Receiver:      cfg.AuthservID,
			Questions:     cfg.Limits.DNSQuestions,
			Timeout:       cfg.Limits.MessageTimeout,
			MaxSignatures: cfg.Limits.Signatures,
			Panic: func(method string, value any, stack []byte) {
				a.metrics.Panic("check")
				a.log.Error("panic in a check: please report it", "method", method, "panic", value, "stack", string(stack))
			},
		},
		Policy: cfg.Policy.Compiled,
		Limits: milter.Limits{
			FieldSize:    int(cfg.Limits.FieldSize),
			HeaderSize:   int(cfg.Limits.HeaderSize),
			HeaderFields: cfg.Limits.HeaderFields,
		},
		Log:     a.log,
		Metrics: a.metrics,
	}
	for _, t := range cfg.Verify.TrustedAuthservIDs {
		set.TrustedIDs = append(set.TrustedIDs, milter.TrustedID{ID: t.ID, Networks: t.Networks})
	}
	return set
}

// signedHeaders are the fields to sign: Amazon SES puts its own Date and
// Message-ID in place of ours.
func signedHeaders(cfg *config.Config) []string {
	h := slices.Clone(cfg.Sign.Headers)
	if cfg.Sign.ViaSES() {
		h = slices.DeleteFunc(h, func(n string) bool {
			return strings.EqualFold(n, "Date") || strings.EqualFold(n, "Message-ID")
		})
	}
	return h
}

func serverConfig(cfg *config.Config) milter.ServerConfig {
	l := cfg.Limits
	return milter.ServerConfig{
		Timeouts:      milter.Timeouts{First: l.FirstFrameTimeout, Idle: l.IdleTimeout, Frame: l.FrameTimeout},
		FrameSize:     int(l.PacketSize),
		Connections:   l.Connections,
		OutboundShare: l.OutboundShare,
	}
}

// loadKeys reads the keys of sign.domains, as the user whose they are. previous is
// the store in use.
func loadKeys(cfg *config.Config, previous *keys.Store) (*keys.Store, []keys.Problem) {
	specs := make([]keys.DomainSpec, 0, len(cfg.Sign.Domains))
	for _, d := range cfg.Sign.Domains {
		specs = append(specs, keys.DomainSpec{Name: d.Name, Selectors: d.Selectors, Subdomains: d.Subdomains, Single: cfg.Sign.ViaSES()})
	}
	var store *keys.Store
	var problems []keys.Problem
	err := asuser.In(cfg.Sign.Keys, func() error {
		store, problems = keys.Load(cfg.Sign.Keys, specs, previous)
		return nil
	})
	if err != nil {
		return previous, []keys.Problem{{Path: cfg.Sign.Keys, Severity: keys.Error, Message: "cannot be read as the user whose it is: " + err.Error()}}
	}
	return store, problems
}

func newResolver(cfg config.DNS, m *telemetry.Metrics) (*dnsclient.Client, error) {
	var servers []string
	for _, s := range cfg.Servers {
		servers = append(servers, s.String())
	}
	c, err := dnsclient.New(dnsclient.Config{
		Servers: servers, Timeout: cfg.Timeout, CacheSize: cfg.CacheSize, Observe: m.DNS,
	})
	if err != nil {
		return nil, fail("set dns.servers, for example [\"127.0.0.1:53\"]", "%w", err)
	}
	return c, nil
}

// readConfig loads the file at path and prints every problem.
func readConfig(path string, stderr io.Writer) (*config.Config, error) {
	cfg, problems := config.Load(path)
	for _, p := range problems {
		printProblem(stderr, p)
	}
	if cfg == nil {
		return nil, errShown
	}
	return cfg, nil
}

// printProblem prints a problem as all errors of the command line are.
func printProblem(w io.Writer, p config.Problem) {
	word := "error"
	if p.Severity == config.Warning {
		word = "warning"
	}
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	printFound(w, checkProblem{word, place, p.Message, p.Hint})
}

// exists reports whether there is a file at path, as far as we may know.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}
