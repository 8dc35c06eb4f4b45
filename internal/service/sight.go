package service

import (
	"context"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
)

const (
	// askers ask side by side: few beside the questions of mail.
	askers = 8
	// maxAsked bounds the records of one round; the others are next.
	maxAsked = 2000
	// roundFor bounds the questions of one round, lookFor those about one record.
	roundFor = 25 * time.Second
	lookFor  = 10 * time.Second
)

// ask asks the DNS for the records that are due, and takes in what it says.
func (l *lives) ask(ctx context.Context, r *running) map[string]rotate.Answer {
	now := l.Now()
	var due []*keys.Key
	for _, k := range r.store.All() {
		at := l.asked[k.Name()]
		if at == nil {
			at = &sight{due: now}
			l.asked[k.Name()] = at
		}
		life := k.Life()
		goes := !life.Remove.IsZero() && !now.Before(life.Remove) && at.last.Before(life.Remove)
		if !life.Removed.IsZero() || at.due.After(now) && !goes {
			continue
		}
		if due = append(due, k); len(due) == maxAsked {
			break
		}
	}
	found, silent := make([]rotate.Answer, len(due)), make([][]string, len(due))
	ctx, cancel := context.WithTimeout(ctx, roundFor)
	defer cancel()
	next := make(chan int)
	var all sync.WaitGroup
	for range min(askers, len(due)) {
		all.Go(func() {
			for i := range next {
				asking, cancel := context.WithTimeout(ctx, lookFor)
				found[i], silent[i] = r.sight.Look(asking, due[i])
				cancel()
			}
		})
	}
	for i := range due {
		next <- i
	}
	close(next)
	all.Wait()
	answers := map[string]rotate.Answer{}
	for i, k := range due {
		answers[k.Name()] = found[i]
		l.saw(k, found[i], now)
		if life := k.Life(); len(silent[i]) > 0 && life.Shown.IsZero() && life.Retire.IsZero() {
			l.waitsFor(k, silent[i], now)
		}
	}
	return answers
}

// saw takes in one answer: when to ask again, what to say, what to count.
func (l *lives) saw(k *keys.Key, a rotate.Answer, now time.Time) {
	at := l.asked[k.Name()]
	at.answer, at.last = a, now
	life := k.Life()
	state := life.State(now)
	over := state == keys.Retiring || state == keys.Retired
	signs := !over && !life.Activate.IsZero()
	switch {
	case over:
		at.due = now.Add(goneEvery)
		l.metrics.ForgetKey(k.Domain, k.Selector)
	case a == rotate.Shown:
		at.due = now.Add(shownEvery)
		l.metrics.KeyPublished(k.Domain, k.Selector, true)
		if at.bad {
			l.log.Info("the DNS shows the record of a key again", "key", k)
		}
		at.bad, at.once = false, false
	case a == rotate.Absent && signs && !at.once:
		at.once, at.due = true, now.Add(secondLook)
	case a == rotate.Absent:
		at.due = now.Add(lifeEvery)
		if signs {
			at.due = now.Add(goneEvery)
		}
		l.metrics.KeyPublished(k.Domain, k.Selector, false)
		if signs && !at.bad {
			at.bad = true
			l.log.Error("the record of a key that signs is gone from the DNS, or another one is there: its signatures fail", "key", k,
				"hint", "publish what `sealmilter dns "+k.Domain+"` prints")
		}
	default:
		at.due = now.Add(lifeEvery)
		if signs {
			at.due = now.Add(goneEvery)
		}
	}
	l.state.saw(k, a, at.bad, now)
}

// waitsFor says, once a day, that only servers that do not answer keep a key from being
// used: each receiver may ask any of them.
func (l *lives) waitsFor(k *keys.Key, silent []string, now time.Time) {
	if at := l.asked[k.Name()]; now.Sub(at.told) >= remindEvery {
		at.told = now
		l.log.Warn("a key waits for name servers that do not answer; the others show its record", "key", k, "servers", silent,
			"hint", "mend them, take them out of the zone's NS records, or name those that count in sign.published_via")
	}
}
