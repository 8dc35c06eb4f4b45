package service

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
)

// running is one configuration with all that was made of it: what a reload
// replaces, as a whole. It is not changed once it is built.
type running struct {
	cfg      *config.Config
	problems config.Problems
	path     string   // the file that it was read from
	degraded bool     // ... is not the one that was asked for
	listed   []string // of a database, beside sign.domains
	store    *keys.Store
	trouble  []keys.Problem
	resolver *dnsclient.Client
	senders  *assemble.Directory // nil where no database has addresses of users
	setup    *transaction.Setup
	sight    *assemble.Sight
	mark     uint64 // of the key folder, from before its keys were read
	// publisher puts the record of a key into the DNS, or empties it; nil: nobody does.
	publisher func(ctx context.Context, k *keys.Key, withdraw bool) error
	mute      error // why nobody does although somebody should
}

// rotation is what rotate has to know of a domain.
func (r *running) rotation(domain string) rotate.Settings { return assemble.Rotation(r.cfg, domain) }

// build makes what cfg describes, with more domains that a database gave. It touches nothing of prev, which is in use
// and nil at the start.
func build(cfg *config.Config, listed []string, prev *running, log *slog.Logger, m *telemetry.Metrics, o transaction.Observer, now func() time.Time) (*running, error) {
	r := &running{cfg: cfg, listed: listed}
	var used *keys.Store
	// A resolver that is replaced is not closed: a client may keep a transaction
	// open for as long as it likes, and its checks would end as temperror. It
	// owns nothing but questions of a few seconds. Where nothing changed it
	// stays, with what it knows.
	if prev != nil {
		used = prev.store
		if reflect.DeepEqual(prev.cfg.DNS, cfg.DNS) {
			r.resolver = prev.resolver
			if slices.Equal(prev.cfg.Sign.PublishedVia, cfg.Sign.PublishedVia) {
				r.sight = prev.sight
			}
		}
		if prev.senders.Serves(cfg.Sign.Senders.Query) {
			r.senders = prev.senders
		}
	}
	if !r.senders.Serves(cfg.Sign.Senders.Query) {
		r.senders = assemble.NewDirectory(cfg.Sign.Senders.Query, log)
	}
	if r.resolver == nil {
		var err error
		if r.resolver, err = assemble.Resolver(cfg.DNS, m.DNS, m.DNSState); err != nil {
			return nil, err
		}
	}
	r.publisher, r.mute = assemble.Publisher(cfg, now)
	if r.sight == nil {
		var err error
		if r.sight, err = assemble.NewSight(cfg, r.resolver); err != nil {
			return nil, err
		}
	}
	r.mark = folderMark(context.Background(), cfg.Sign.Keys)
	if r.store, r.trouble = assemble.Keys(assemble.Listed(cfg, listed), used); r.store == nil {
		return nil, problem.Fail("", "%s: %s", r.trouble[0].Path, r.trouble[0].Message)
	}
	r.store = r.store.At(now)
	parts := assemble.Parts{Keys: r.store, Resolver: r.resolver, Log: log, Observer: o}
	if r.senders != nil {
		parts.Directory = r.senders
	}
	r.setup = assemble.Setup(cfg, parts)
	return r, nil
}

// sameSockets: what only a restart can change is as it was.
func sameSockets(a, b *config.Config) bool {
	return reflect.DeepEqual(a.Listen, b.Listen) && reflect.DeepEqual(a.Socket, b.Socket) && a.Admin == b.Admin &&
		a.Metrics == b.Metrics && a.Log.Format == b.Log.Format && assemble.Server(a) == assemble.Server(b)
}
