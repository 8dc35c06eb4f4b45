package inspect

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/keys/publish"
)

const (
	// publishedFor bounds the look at the DNS before records are printed.
	publishedFor = 4 * time.Second
	// askedAtOnce bounds the domains that are asked about at one time.
	askedAtOnce = 20
	// maxSilent is how many domains in a row may get no answer at all before no more
	// are asked about: the resolver does not answer anybody.
	maxSilent = askedAtOnce
)

// Published tells the state of each record, as the DNS is now; it leaves it empty where
// the DNS does not answer in time.
func Published(ctx context.Context, r resolve.Resolver, records []publish.Entry) {
	ctx, cancel := context.WithTimeout(ctx, publishedFor)
	defer cancel()
	var all sync.WaitGroup
	for i := range records {
		all.Go(func() {
			if records[i].State = state(ctx, r, records[i]); records[i].State != publish.Published {
				behindAlias(ctx, r, &records[i])
			}
		})
	}
	all.Wait()
}

func state(ctx context.Context, r resolve.Resolver, e publish.Entry) publish.State {
	look := r.LookupTXT
	if e.Type == publish.TypeCNAME {
		a, ok := r.(resolve.Aliaser)
		if !ok {
			return ""
		}
		look = a.LookupCNAME
	}
	a, err := look(ctx, e.Name)
	if err != nil && !resolve.Void(err) {
		return ""
	}
	return e.Compare(a.Records)
}

// behindAlias moves a key's record that is not as it should be to where its name leads:
// a customer's alias is there for good, and nothing can stand beside it (RFC 1034 §3.6.2).
func behindAlias(ctx context.Context, r resolve.Resolver, e *publish.Entry) {
	a, ok := r.(resolve.Aliaser)
	if !ok || e.Type == publish.TypeCNAME || e.Need == publish.Advice {
		return
	}
	alias, err := a.LookupCNAME(ctx, e.Name)
	if err != nil || len(alias.Records) != 1 {
		return
	}
	// It goes into a zone file, and others have written it.
	target, err := resolve.CanonicalName(alias.Records[0])
	if err != nil || target == e.Name {
		return
	}
	e.Why += ". " + e.Name + " is an alias that leads here"
	e.Move(target, config.Zone(target))
}

// Unpublished are those that are not there as they should be, and the names of the
// others.
func Unpublished(records []publish.Entry) (todo []publish.Entry, there []string) {
	for _, t := range records {
		if t.State == publish.Published {
			there = append(there, t.Name)
		} else {
			todo = append(todo, t)
		}
	}
	return todo, there
}

// asker tells states as Published does, until it has seen that nobody answers.
type asker struct {
	r      resolve.Resolver
	silent atomic.Int32
}

func (a *asker) ask(ctx context.Context, records []publish.Entry) {
	if a.r == nil || len(records) == 0 || a.silent.Load() >= maxSilent {
		return
	}
	Published(ctx, a.r, records)
	for _, e := range records {
		if e.State != "" {
			a.silent.Store(0)
			return
		}
	}
	a.silent.Add(1)
}
