package service

import (
	"context"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
)

const (
	// publishEvery spaces attempts to publish one record, which secondaries need a while
	// to show; retryEvery those that failed.
	publishEvery = 10 * time.Minute
	retryEvery   = time.Minute
	// remindEvery spaces what an admin is told to do.
	remindEvery = 24 * time.Hour
	// lookAgain: how soon it is looked whether all servers show what was published.
	lookAgain = 5 * time.Second
	// publishFor bounds what one round publishes; the rest has its turn in the next.
	publishFor = time.Minute
)

// publish puts records into the DNS, and empties others, as a round has planned.
func (l *lives) publish(ctx context.Context, r *running, plans []rotate.Plan) {
	began := l.Now()
	for _, p := range plans {
		for _, k := range p.Publish {
			l.change(ctx, r, k, false, began)
		}
		for _, k := range p.Withdraw {
			l.change(ctx, r, k, true, began)
		}
	}
}

// change is one record, where somebody changes it for us.
func (l *lives) change(ctx context.Context, r *running, k *keys.Key, withdraw bool, began time.Time) {
	now := l.Now()
	if ctx.Err() != nil || now.Before(l.again[k.Name()]) || now.Sub(began) > publishFor {
		return
	}
	if r.publisher == nil {
		l.again[k.Name()] = now.Add(remindEvery)
		if withdraw && r.mute == nil {
			l.log.Warn("the record of an old key may go from the DNS: remove it, or empty it", "key", k, "record", k.Name()+` TXT "v=DKIM1; p="`)
		}
		return
	}
	if err := r.publisher(ctx, k, withdraw); err != nil {
		l.again[k.Name()] = l.Now().Add(retryEvery)
		l.log.Error("the record of a key was not changed: it is tried again in a minute", "key", k, "err", err, "hint", problem.Hint(err))
		return
	}
	l.again[k.Name()] = l.Now().Add(publishEvery)
	if at := l.asked[k.Name()]; at != nil {
		at.due, l.soon = l.Now().Add(lookAgain), true
	}
	what := "published the record of a key"
	if withdraw {
		what = "emptied the record of an old key"
	}
	l.log.Info(what, "key", k)
}
