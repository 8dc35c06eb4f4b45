package dkimsig

import (
	"context"
	"fmt"
	"sync"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Lookups fetches key records in the background, each name once.
type Lookups struct {
	resolver resolve.Resolver
	ctx      context.Context // ends with cancel
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	byName   map[string]*lookup
}

type lookup struct {
	done    chan struct{} // closed when records and err are set
	records []string
	err     error
}

// NewLookups starts nothing yet; all of it ends with ctx, or Stop.
func NewLookups(ctx context.Context, r resolve.Resolver) *Lookups {
	l := &Lookups{resolver: r, byName: map[string]*lookup{}}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// Start asks for name unless that has been done.
func (l *Lookups) Start(name string) {
	if l.byName[name] != nil {
		return
	}
	k := &lookup{done: make(chan struct{}), err: ErrKeyUnavailable}
	l.byName[name] = k
	l.wg.Go(func() {
		defer close(k.done)
		defer func() {
			if r := recover(); r != nil {
				k.records, k.err = nil, fmt.Errorf("%w: panic in the resolver: %v", ErrKeyUnavailable, r)
			}
		}()
		a, err := l.resolver.LookupTXT(l.ctx, name)
		switch {
		case err == nil && len(a.Records) > 0:
			k.records, k.err = a.Records, nil
		case err == nil || resolve.Void(err):
			k.err = fmt.Errorf("%w: %s", ErrNoKey, name)
		default:
			k.err = fmt.Errorf("%w: %w", ErrKeyUnavailable, err)
		}
	})
}

// Wait returns name's records, or why there are none, at the latest when ctx
// ends.
func (l *Lookups) Wait(ctx context.Context, name string) ([]string, error) {
	k := l.byName[name]
	if k == nil {
		return nil, ErrKeyUnavailable
	}
	select {
	case <-k.done:
		return k.records, k.err
	default:
	}
	select {
	case <-k.done:
		return k.records, k.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: no answer in time", ErrKeyUnavailable)
	}
}

// Stop ends what is still going on and waits for it. A Resolver returns soon
// after its context has ended.
func (l *Lookups) Stop() {
	l.cancel()
	l.wg.Wait()
}
