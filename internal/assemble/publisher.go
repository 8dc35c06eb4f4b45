package assemble

import (
	"context"
	"errors"
	"time"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/publisher"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// publishedTTL is that of records that we publish: what resolvers keep of an older
// record of the name is gone when the next key takes over.
const publishedTTL = 300

// Publisher puts the record of a key into the DNS, or empties it (RFC 6376 §3.6.1:
// an empty p= says that the key has been revoked); nil where milter.yaml names nobody
// who does.
func Publisher(cfg *config.Config, now func() time.Time) (func(ctx context.Context, k *keys.Key, withdraw bool) error, error) {
	r := cfg.Sign.Rotate
	var all []publisher.Publisher
	switch r.Publish {
	case "rfc2136":
		for _, server := range r.Server {
			p, err := publisher.NewRFC2136(publisher.Config2136{Server: server.String(), TSIGFile: r.TSIGFile, Now: now})
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	case "hook":
		p, err := publisher.NewHook(publisher.HookConfig{Path: r.Hook})
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	default:
		return nil, nil
	}
	return func(ctx context.Context, k *keys.Key, withdraw bool) error {
		c := publisher.Change{Name: k.Name(), Value: publish.Record(k), TTL: publishedTTL}
		if withdraw {
			c.Value = publish.Revoked(k)
		}
		var failed error
		for _, p := range all {
			err := p.Publish(ctx, c)
			if err == nil {
				return nil
			}
			failed = errors.Join(failed, err)
		}
		return failed
	}, nil
}
