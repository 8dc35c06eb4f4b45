// Package directory remembers which addresses a user has, for those who ask for
// each message: a database is asked once a minute for a user, and once at a time.
// A database that fails is not noticed for an hour, as far as users were seen
// before.
//
// It does not know what is asked, nor how: Ask does. Everything in it is bounded,
// and no look-up outlives those who wait for it.
package directory

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/internal/signing"
)

const (
	// maxUsers are remembered, those longest not asked for forgotten first. With
	// their addresses, of which most have few, some megabytes.
	maxUsers = 10_000
	// maxAddresses of all users together.
	maxAddresses = 200_000
	// fresh is how long an answer serves: a new alias is used within a minute.
	fresh = time.Minute
	// stale is how long the last answer serves a database that fails. Who lost an
	// alias before that keeps it so long.
	stale = time.Hour
	// retry is how long a failure counts, for its user only.
	retry = 5 * time.Second
	// patience bounds a look-up.
	patience = 2 * time.Second
)

// Cache answers from memory, and asks where it cannot.
type Cache struct {
	// Ask returns the rows of a user, by its name in lower case. It ends with ctx.
	Ask func(ctx context.Context, user string) ([]string, error)
	// Bad is told of rows that are no addresses; nil: nobody. The same rows of a
	// user are told once.
	Bad func(user string, rows []string)
	// Failed is told of each failed look-up; nil: nobody.
	Failed func(error)
	Now    func() time.Time // nil: time.Now

	mu        sync.Mutex
	users     map[string]*entry
	byUse     list.List // of *entry, the last used in front
	addresses int
}

// entry is what is known of a user. Its fields belong to Cache.mu.
type entry struct {
	user  string
	place *list.Element

	known  *signing.Addresses // the last good answer, nil for none
	at     time.Time          // ... and when it came
	bad    string             // rows that were told
	err    error              // the last failure, nil where the last answer was good
	failed time.Time
	flight *flight
	weight int // what known counts
}

// flight is a look-up under way, for all who wait for it.
type flight struct {
	of      *entry
	waiting int
	cancel  context.CancelFunc
	done    chan struct{}
	// Set before done is closed.
	more *signing.Addresses
	err  error
}

// ErrPanic is wrapped by the error of a look-up that panicked.
var ErrPanic = errors.New("panic in a look-up")

// Addresses returns what the user has beside the rules; nobody, where the name is
// none. An error means that nobody can tell.
func (c *Cache) Addresses(ctx context.Context, user string) (*signing.Addresses, error) {
	key := signing.UserKey(user)
	if key == "" {
		return nil, nil
	}
	f, more, err := c.join(key)
	if f == nil {
		return more, err
	}
	select {
	case <-f.done:
		return f.more, f.err
	case <-ctx.Done():
		c.leave(f)
		return nil, ctx.Err()
	}
}

// join answers from memory, or returns the flight to wait for.
func (c *Cache) join(key string) (*flight, *signing.Addresses, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	e := c.entry(key)
	switch {
	case e.known != nil && e.err == nil && now.Sub(e.at) < fresh:
		return nil, e.known, nil
	case e.err != nil && now.Sub(e.failed) < retry:
		return nil, e.last(now), e.failure(now)
	case e.flight == nil:
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		e.flight = &flight{of: e, cancel: cancel, done: make(chan struct{})}
		go c.fly(ctx, e, e.flight)
	}
	e.flight.waiting++
	return e.flight, nil, nil
}

// last is the last good answer where it may still serve.
func (e *entry) last(now time.Time) *signing.Addresses {
	if e.known != nil && now.Sub(e.at) < stale {
		return e.known
	}
	return nil
}

// failure is the last one, nil where the last good answer serves.
func (e *entry) failure(now time.Time) error {
	if e.last(now) != nil {
		return nil
	}
	return e.err
}

// leave takes one who waits away; the last one ends the look-up.
func (c *Cache) leave(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	f.cancel()
	if f.of.flight == f {
		f.of.flight = nil // who comes now has a look-up of its own
	}
}

// fly asks, and remembers the answer.
func (c *Cache) fly(ctx context.Context, e *entry, f *flight) {
	rows, err := c.ask(ctx, e.user)
	abandoned := err != nil && errors.Is(ctx.Err(), context.Canceled) // it says nothing about the database
	f.cancel()
	more, bad := signing.ReadAddresses(rows)

	c.mu.Lock()
	now, told := c.now(), fmt.Sprintf("%q", bad)
	news := err == nil && len(bad) > 0 && told != e.bad
	switch {
	case err == nil:
		e.known, e.at, e.err, e.bad = more, now, nil, told
		c.weigh(e, more.Len()+1)
	case !abandoned:
		e.err, e.failed = err, now
	}
	if f.more, f.err = more, err; err != nil {
		f.more, f.err = e.last(now), e.failure(now)
	}
	if e.flight == f {
		e.flight = nil
	}
	c.trim()
	c.mu.Unlock()
	close(f.done)

	if news && c.Bad != nil {
		c.Bad(e.user, bad)
	}
	if err != nil && !abandoned && c.Failed != nil {
		c.Failed(err)
	}
}

func (c *Cache) ask(ctx context.Context, user string) (rows []string, err error) {
	defer func() {
		if v := recover(); v != nil {
			rows, err = nil, fmt.Errorf("%w: %v", ErrPanic, v)
		}
	}()
	return c.Ask(ctx, user)
}

// weigh counts the addresses of an entry, unless it was forgotten meanwhile.
func (c *Cache) weigh(e *entry, n int) {
	if c.users[e.user] == e {
		c.addresses += n - e.weight
		e.weight = n
	}
}

// entry finds or makes the entry of a user, and notes its use.
func (c *Cache) entry(key string) *entry {
	if c.users == nil {
		c.users = map[string]*entry{}
	}
	e := c.users[key]
	if e == nil {
		e = &entry{user: key}
		e.place = c.byUse.PushFront(e)
		c.users[key] = e
		c.trim()
	}
	c.byUse.MoveToFront(e.place)
	return e
}

// trim forgets the users that nobody asked for longest. Those who are being asked
// for stay.
func (c *Cache) trim() {
	for at := c.byUse.Back(); at != nil && at != c.byUse.Front() && (len(c.users) > maxUsers || c.addresses > maxAddresses); {
		e := at.Value.(*entry)
		at = at.Prev()
		if e.flight != nil {
			continue
		}
		delete(c.users, e.user)
		c.byUse.Remove(e.place)
		c.addresses -= e.weight
	}
}

func (c *Cache) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
