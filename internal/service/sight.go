package service

import (
	"context"
	"slices"
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
	// muteEvery is how seldom servers are asked that do not answer.
	muteEvery = 5 * time.Minute
)

// ask asks the DNS for the records that are due, and takes in what it says. Those that
// have waited longest come first: a zone whose servers hang keeps no other from its turn.
func (l *lives) ask(ctx context.Context, r *running) map[string]rotate.Answer {
	now := l.Now()
	due := l.due(r, now)
	type seen struct {
		asked  bool
		answer rotate.Answer
		silent []string
	}
	found := make([]seen, len(due))
	ctx, cancel := context.WithTimeout(ctx, roundFor)
	defer cancel()
	next := make(chan int)
	var all sync.WaitGroup
	for range min(askers, len(due)) {
		all.Go(func() {
			for i := range next {
				if ctx.Err() != nil {
					continue
				}
				asking, cancel := context.WithTimeout(ctx, lookFor)
				a, silent := r.sight.Look(asking, due[i])
				cancel()
				// What the end of the round has cut off says nothing.
				found[i] = seen{a != rotate.Unknown || ctx.Err() == nil, a, silent}
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
		if !found[i].asked {
			continue
		}
		answers[k.Name()] = found[i].answer
		l.saw(k, found[i].answer, now)
		if life := k.Life(); len(found[i].silent) > 0 && life.Shown.IsZero() && life.Retire.IsZero() {
			l.waitsFor(k, found[i].silent, now)
		}
	}
	return answers
}

// due are the keys whose records are to be asked for, at most maxAsked.
func (l *lives) due(r *running, now time.Time) (due []*keys.Key) {
	for _, k := range r.store.All() {
		at := l.asked[k.Name()]
		if at == nil {
			at = &sight{due: now}
			l.asked[k.Name()] = at
		}
		life := k.Life()
		goes := !life.Remove.IsZero() && !now.Before(life.Remove) && at.last.Before(life.Remove)
		if life.Removed.IsZero() && (goes || !at.due.After(now)) {
			due = append(due, k)
		}
	}
	slices.SortStableFunc(due, func(a, b *keys.Key) int { return l.asked[a.Name()].due.Compare(l.asked[b.Name()].due) })
	return due[:min(len(due), maxAsked)]
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
		// Servers that do not answer are asked less and less often.
		at.due = now.Add(min(lifeEvery<<min(at.mute, 8), muteEvery))
		if signs {
			at.due = now.Add(goneEvery)
		}
	}
	if at.mute++; a != rotate.Unknown {
		at.mute = 0
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
