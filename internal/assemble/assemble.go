// Package assemble turns a configuration into the parts that it describes: the
// keys, the resolver, what the milter server runs. It is the one place that knows
// how; it opens no socket and starts nothing that outlives what it returns.
package assemble

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter"
	"github.com/sealmilter/sealmilter/milter/witness"
)

// Parts are what a Setup needs beside the configuration.
type Parts struct {
	Keys      *keys.Store
	Resolver  resolve.Resolver
	Directory transaction.Directory // for sign.senders.query; nil: it is not asked
	Log       *slog.Logger
	Observer  transaction.Observer // nil: nobody is told
}

// Setup is what the server runs from cfg on.
func Setup(cfg *config.Config, p Parts) *transaction.Setup {
	header, body, _ := strings.Cut(cfg.Sign.Canonicalization, "/")
	set := &transaction.Setup{
		AuthservID: cfg.AuthservID,
		Rules: transaction.Rules{
			Local:          cfg.Outbound.Local,
			Authenticated:  cfg.Outbound.Authenticated,
			DaemonNames:    cfg.Outbound.DaemonNames,
			Networks:       cfg.Outbound.Networks,
			Relays:         cfg.Inbound.Relays,
			SignReinjected: cfg.Outbound.Reinjected == "sign",
		},
		MTA: cfg.MTA,
		Sign: transaction.Sign{
			Headers:     signedHeaders(cfg),
			Oversign:    cfg.Sign.Oversign,
			HeaderCanon: dkim.Canonicalization(header),
			BodyCanon:   dkim.Canonicalization(body),
			Expire:      cfg.Sign.Expire,
		},
		Senders: senders(cfg.Sign.Senders, p.Directory),
		Keys:    p.Keys,
		Auth: &auth.Authenticator{
			Resolver:      p.Resolver,
			SPF:           cfg.Verify.SPF,
			DKIM:          cfg.Verify.DKIM,
			DMARC:         cfg.Verify.DMARC,
			IPRev:         cfg.Verify.IPRev,
			Receiver:      cfg.AuthservID,
			Questions:     cfg.Limits.DNSQuestions,
			Timeout:       cfg.Limits.MessageTimeout,
			MaxSignatures: cfg.Limits.Signatures,
			Panic: func(method string, value any, stack []byte) {
				p.Log.Error("panic in a check: please report it", "method", method, "panic", value, "stack", string(stack))
				if p.Observer != nil {
					p.Observer.Panicked("check")
				}
			},
		},
		Policy: cfg.Policy.Compiled,
		Limits: transaction.Limits{
			FieldSize:    int(cfg.Limits.FieldSize),
			HeaderSize:   int(cfg.Limits.HeaderSize),
			HeaderFields: cfg.Limits.HeaderFields,
			HeaderMemory: int(cfg.Limits.HeaderMemory),
		},
		Observer:   p.Observer,
		TrialField: witness.Field,
	}
	set.RemovedIDs = cfg.Verify.RemoveAuthservIDs
	for _, t := range cfg.Verify.TrustedAuthservIDs {
		set.TrustedIDs = append(set.TrustedIDs, transaction.TrustedID{ID: t.ID, Networks: t.Networks})
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

// Server is what of cfg is fixed for the life of a server, but its log.
func Server(cfg *config.Config) milter.ServerConfig {
	l := cfg.Limits
	return milter.ServerConfig{
		Timeouts:      milter.Timeouts{First: l.FirstFrameTimeout, Idle: l.IdleTimeout, Frame: l.FrameTimeout},
		FrameSize:     int(l.PacketSize),
		Connections:   l.Connections,
		OutboundShare: l.OutboundShare,
	}
}

// KeysAs is Keys for the eyes of user uid, the daemon's; only root can.
func KeysAs(uid, gid int, cfg *config.Config) (store *keys.Store, problems []keys.Problem, err error) {
	err = asuser.As(uid, gid, func() error {
		store, problems = keys.LoadAs(uid, cfg.Sign.Keys, domainSpecs(cfg))
		return nil
	})
	return store, foldKeyless(store, cfg.Sign.Keys, problems), err
}

func domainSpecs(cfg *config.Config) []keys.DomainSpec {
	specs := make([]keys.DomainSpec, 0, len(cfg.Sign.Domains))
	for _, d := range cfg.Sign.Domains {
		specs = append(specs, keys.DomainSpec{Name: d.Name, Selectors: d.Selectors, Subdomains: d.Subdomains, Unpublished: !cfg.Sign.RequirePublished, Single: cfg.Sign.ViaSES()})
	}
	return specs
}

// Keys reads the keys of sign.domains, as the user whose they are. previous is the
// store in use, nil without one.
func Keys(cfg *config.Config, previous *keys.Store) (*keys.Store, []keys.Problem) {
	specs := domainSpecs(cfg)
	var store *keys.Store
	var problems []keys.Problem
	err := asuser.In(cfg.Sign.Keys, func() error {
		store, problems = keys.Load(cfg.Sign.Keys, specs, previous)
		return nil
	})
	if err != nil {
		return previous, []keys.Problem{{Path: cfg.Sign.Keys, Severity: keys.Error, Message: "cannot be read as the user whose it is: " + err.Error()}}
	}
	return store, foldKeyless(store, cfg.Sign.Keys, problems)
}

// Resolver asks the servers of cfg. observe is told of each look-up, and state of
// each question that begins and ends; nil: nobody. Close ends it.
func Resolver(cfg config.DNS, observe func(qtype, outcome string, took time.Duration),
	state func(state string, delta int),
) (*dnsclient.Client, error) {
	made := resolverConfig(cfg)
	made.Observe, made.State = observe, state
	c, err := dnsclient.New(made)
	if err != nil {
		return nil, problem.Fail("set dns.servers, for example [\"127.0.0.1:53\"]", "%w", err)
	}
	return c, nil
}

func resolverConfig(cfg config.DNS) dnsclient.Config {
	out := dnsclient.Config{Timeout: cfg.Timeout, CacheSize: cfg.CacheSize}
	for _, s := range cfg.Servers {
		out.Servers = append(out.Servers, s.String())
	}
	return out
}

// ZoneOrDNS asks the DNS, or a zone file in its place where one is named.
func ZoneOrDNS(cfg config.DNS, zone string) (resolve.Resolver, func(), error) {
	if zone != "" {
		text, err := os.ReadFile(zone)
		if err != nil {
			return nil, nil, problem.Fail("", "%w", err)
		}
		z, err := resolve.ParseZone(string(text))
		if err != nil {
			return nil, nil, problem.Fail("a line is NAME TYPE DATA, as `example.com TXT \"v=spf1 -all\"`", "%s: %w", zone, err)
		}
		return z, func() {}, nil
	}
	c, err := Resolver(cfg, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	return c, c.Close, nil
}
