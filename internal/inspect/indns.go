package inspect

import (
	"context"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// sideBySide is how many records are asked for at once.
const sideBySide = 16

// InDNS fills in what the DNS has of keys now, as far as it answers in time, or a zone file in its place.
func InDNS(ctx context.Context, cfg *config.Config, zone string, list []*keys.Key, all []admin.Key) error {
	look, done, err := eye(cfg, zone)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, publishedFor)
	defer cancel()
	next := make(chan int)
	var asking sync.WaitGroup
	for range min(sideBySide, len(list)) {
		asking.Go(func() {
			for i := range next {
				now := time.Now()
				all[i].DNS, all[i].Asked = look(ctx, list[i]).Word(), &now
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	asking.Wait()
	return nil
}

// eye sees what the DNS, or a zone file, has of a key.
func eye(cfg *config.Config, zone string) (look func(context.Context, *keys.Key) rotate.Answer, done func(), err error) {
	if zone == "" {
		r, err := assemble.Resolver(cfg.DNS, nil, nil)
		if err != nil {
			return nil, nil, err
		}
		s, err := assemble.NewSight(cfg, r)
		if err != nil {
			r.Close()
			return nil, nil, err
		}
		return func(ctx context.Context, k *keys.Key) rotate.Answer { a, _ := s.Look(ctx, k); return a }, func() { s.Close(); r.Close() }, nil
	}
	r, done, err := assemble.ZoneOrDNS(cfg.DNS, zone)
	return func(ctx context.Context, k *keys.Key) rotate.Answer {
		a, err := r.LookupTXT(ctx, k.Name())
		switch {
		case err == nil && publish.Shows(k, a.Records):
			return rotate.Shown
		case err == nil || resolve.Void(err):
			return rotate.Absent
		}
		return rotate.Unknown
	}, done, err
}
