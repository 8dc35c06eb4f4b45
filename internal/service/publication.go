package service

import (
	"context"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

const (
	// publicationEvery is how often the DNS is asked for keys that wait for it.
	publicationEvery = 30 * time.Second
	// publicationFor bounds the questions of one round.
	publicationFor = 20 * time.Second
)

// publicationPart asks the DNS for the records of keys that were made beside others.
// The first time that it shows one, that key signs. What was shown once is never
// taken back here: a record that is gone is for `doctor`.
func (s *service) publicationPart() *Part {
	newest := make(chan *running, 1)
	return &Part{
		Name: "publication of keys",
		Reload: func(r *running) {
			select {
			case <-newest: // only the newest matters
			default:
			}
			newest <- r
		},
		Run: func(ctx context.Context) error {
			var r *running
			for {
				var again <-chan time.Time
				if r != nil && len(r.store.Waiting()) > 0 {
					if s.shown(ctx, r) > 0 {
						select {
						case s.state.rekeys <- struct{}{}:
						case <-ctx.Done():
							return nil
						}
					}
					again = s.After(publicationEvery)
				}
				select {
				case <-ctx.Done():
					return nil
				case r = <-newest:
				case <-again:
				}
			}
		},
	}
}

// shown counts the keys whose records the DNS shows by now, and notes them.
func (s *service) shown(ctx context.Context, r *running) (n int) {
	ctx, cancel := context.WithTimeout(ctx, publicationFor)
	defer cancel()
	for _, k := range r.store.Waiting() {
		answer, err := r.resolver.LookupTXT(ctx, k.Name())
		if err != nil || !publish.Shows(k, answer.Records) {
			continue
		}
		dir := r.cfg.Sign.Keys
		if err := asuser.In(dir, func() error { return keys.Shown(dir, k) }); err != nil {
			s.log.Error("a key is published and cannot be used yet", "key", k, "err", err, "hint", "rm "+strings.TrimSuffix(k.Path(), ".pem")+".waiting, then: sealmilter reload")
			continue
		}
		s.log.Info("the DNS shows a new key: it signs from now on", "key", k)
		n++
	}
	return n
}
