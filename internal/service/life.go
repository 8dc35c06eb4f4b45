package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
)

const (
	// lifeEvery is how often it is looked after the keys that something is due for.
	lifeEvery = 30 * time.Second
	// maxMade bounds the pairs that one round makes: an RSA key takes a third of a second.
	maxMade = 20
	// shownEvery is how often the DNS is asked for a record that it has shown; goneEvery for
	// one that is to go.
	shownEvery = time.Hour
	goneEvery  = 10 * time.Minute
	// secondLook: a record that was there is asked for again before anybody is alarmed.
	secondLook = time.Minute
)

// lives looks after the keys of what is running. It belongs to the goroutine of its part.
type lives struct {
	*service
	asked map[string]*sight    // by name of the record
	again map[string]time.Time // when its record may be changed again
	soon  bool                 // something was published
	cfg   *config.Config       // that was in use last
}

// sight is what the DNS showed last.
type sight struct {
	answer rotate.Answer
	last   time.Time
	told   time.Time // that servers are silent
	due    time.Time
	bad    bool // it lacked twice what it had shown: said
	once   bool // it lacked it once
	mute   int  // how often nobody answered, one after the other
}

// lifePart has keys go through their lives (internal/rotate): it asks the DNS for their
// records, writes down what follows, makes and publishes what is due. Nobody waits for
// it: what it finds takes effect by reading the keys again.
func (s *service) lifePart() *Part {
	newest := make(latest, 1)
	return &Part{
		Name:   "life of keys",
		Reload: newest.tell,
		Run: func(ctx context.Context) error {
			l := &lives{service: s, asked: map[string]*sight{}, again: map[string]time.Time{}}
			var r *running
			for {
				var again <-chan time.Time
				if r != nil && len(r.store.Domains()) > 0 {
					if l.round(ctx, r) {
						select {
						case s.state.rekeys <- struct{}{}:
						case <-ctx.Done():
							return nil
						}
					}
					wait := lifeEvery
					if l.soon {
						wait, l.soon = lookAgain, false
					}
					again = s.After(wait)
				}
				select {
				case <-ctx.Done():
					return nil
				case r = <-newest:
					l.renew(r)
				case <-again:
				}
			}
		},
	}
}

// renew forgets keys that are gone. Whoever reloads wants to know: what the DNS is not
// known to show is asked for at once.
func (l *lives) renew(r *running) {
	now, here, reloaded := l.Now(), map[string]bool{}, l.cfg != r.cfg
	l.cfg = r.cfg
	for _, k := range r.store.All() {
		here[k.Name()] = true
		if at := l.asked[k.Name()]; reloaded && at != nil && at.answer != rotate.Shown && k.Life().Shown.IsZero() && at.due.After(now) {
			at.due = now
		}
	}
	for name := range l.asked {
		if selector, domain, ok := strings.Cut(name, "._domainkey."); ok && !here[name] {
			l.metrics.ForgetKey(domain, selector)
			delete(l.asked, name)
			delete(l.again, name)
		}
	}
}

// round does what is due; changed: the keys have to be read again.
func (l *lives) round(ctx context.Context, r *running) (changed bool) {
	answers := l.ask(ctx, r)
	if r.cfg.Sign.Role == "follower" {
		return false // the master writes down what follows
	}
	var plans []rotate.Plan
	made := 0
	for _, domain := range r.store.Domains() {
		if ctx.Err() != nil {
			return changed
		}
		plan := rotate.Next(l.Now(), r.rotation(domain), r.store.Keys(domain), answers)
		for _, c := range plan.Lives {
			changed = l.write(r, c) || changed
		}
		if plan.Make != "" && made < maxMade {
			made++
			changed = l.make(r, domain, plan) || changed
		}
		if len(plan.Publish)+len(plan.Withdraw) > 0 {
			plans = append(plans, plan)
		}
	}
	l.publish(ctx, r, plans)
	return changed
}

// write notes a key's new life beside it, and says what that means.
func (l *lives) write(r *running, c rotate.Change) bool {
	k, was, is := c.Key, c.Key.Life(), c.Life
	dir := r.cfg.Sign.Keys
	err := asuser.In(dir, func() error { return keys.SetLife(dir, k.Domain, k.Selector, was, is) })
	if at := l.asked[k.Name()]; err != nil && at != nil {
		at.due = l.Now().Add(lifeEvery) // what the DNS said is not written down: it is asked again soon
	}
	switch {
	case errors.Is(err, keys.ErrChanged):
		return true // by a command: it is read, and planned anew
	case err != nil:
		l.log.Error("what is known of a key cannot be written down: it stays as it was", "key", k, "err", err)
		return false
	}
	switch {
	case !is.Activate.Equal(was.Activate):
		l.log.Info("the DNS shows a new key", "key", k, "signs_from", is.Activate.UTC().Format(time.RFC3339))
	case !is.Retire.Equal(was.Retire):
		l.log.Info("a key has a successor", "key", k, "signs_until", is.Retire.UTC().Format(time.RFC3339), "record_until", is.Remove.UTC().Format(time.RFC3339))
	case !is.Absent.Equal(was.Absent):
		l.log.Warn("the DNS does not have the record of a key: it does not sign until it has", "key", k, "hint", "publish what `sealmilter dns "+k.Domain+"` prints")
	case !is.Removed.Equal(was.Removed):
		l.log.Info("the record of an old key has gone", "key", k)
	}
	return true
}

// make makes the next pair of a domain.
func (l *lives) make(r *running, domain string, p rotate.Plan) bool {
	dir := r.cfg.Sign.Keys
	var made []*keys.Key
	err := asuser.In(dir, func() (err error) {
		if p.Reuse {
			if err = keys.Archive(dir, domain, p.Make, l.Now()); err != nil {
				return err
			}
		}
		made, err = keys.Generate(dir, domain, keys.GenerateOptions{Selector: p.Make, Now: l.Now, Waits: true, Missing: true})
		return err
	})
	if err != nil {
		l.log.Error("the next keys of a domain cannot be made", "domain", domain, "err", err)
		return false
	}
	for _, k := range made {
		l.log.Info("made the next key of a domain: it waits for the DNS", "key", k, "hint", "sealmilter dns "+domain)
	}
	return true
}
