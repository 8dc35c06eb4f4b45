package dnsclient

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Why a flight ends before its question is answered; context.Cause of its
// context, and so is resolve.ErrCrowded. None of them says anything about the zone.
var (
	errAbandoned = fmt.Errorf("%w: nobody waits for the answer any more", resolve.ErrTemporary)
	errClosed    = fmt.Errorf("%w: the resolver is closed", resolve.ErrTemporary)
)

// flight is a question on its way to the servers, for all who ask it at this
// moment. It ends with the last of them. Its fields belong to flights.mu, but
// for entry, which is set before done is closed and not changed afterwards.
type flight struct {
	q       question
	cancel  context.CancelCauseFunc
	callers map[client]int // how many wait, by whose mail asks
	entry   *entry
	done    chan struct{}

	// The place of a flight, until it is over: in share.waiting or share.asking.
	share  *share
	at     *list.Element
	begun  uint64        // the order of the flights
	queued bool          // it had to wait, and still does
	admit  chan struct{} // closed when it may ask
	since  time.Time     // ... and since when; zero while it waits
}

func (f *flight) waits() bool { return f.since.IsZero() }

// asker asks the servers, once turn is closed. Its context ends when nobody
// waits for the answer any more, or when others need the place.
type asker func(ctx context.Context, turn <-chan struct{}) *entry

// flights are all of a client's.
type flights struct {
	root context.Context // ends with close
	stop context.CancelCauseFunc
	wg   sync.WaitGroup // of their goroutines

	mu         sync.Mutex
	closed     bool
	byQuestion map[question]*flight
	slots      slots
}

func newFlights(n int, patience time.Duration, state func(state string, delta int)) *flights {
	fs := &flights{byQuestion: map[question]*flight{}}
	fs.slots = slots{
		free: n, patience: patience, state: state, byClient: map[client]*share{},
		again: fs.settle, evict: fs.evict,
	}
	fs.root, fs.stop = context.WithCancelCause(context.Background())
	return fs
}

// find returns what ask says about q: from the flight that is under way, or
// from a new one. It returns when ctx ends, at the latest. who is whose mail asks.
func (fs *flights) find(ctx context.Context, q question, who client, ask asker) (*entry, error) {
	f := fs.join(q, who, ask)
	if f == nil {
		return nil, errClosed
	}
	select {
	case <-f.done:
		return f.entry, nil
	case <-ctx.Done():
		if fs.leave(f, who) {
			return nil, fmt.Errorf("%w: %w", resolve.ErrCrowded, ctx.Err())
		}
		return nil, fmt.Errorf("%w: %w", resolve.ErrTemporary, ctx.Err())
	}
}

// join is nil when there are no flights any more.
func (fs *flights) join(q question, who client, ask asker) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return nil
	}
	if f := fs.byQuestion[q]; f != nil {
		f.callers[who]++
		fs.slots.offer(f, who)
		fs.slots.settle()
		return f
	}
	ctx, cancel := context.WithCancelCause(fs.root)
	f := &flight{
		q: q, cancel: cancel, callers: map[client]int{who: 1},
		done: make(chan struct{}), admit: make(chan struct{}),
	}
	fs.byQuestion[q] = f
	fs.slots.enter(f, who)
	fs.wg.Add(1)
	go fs.fly(ctx, f, ask)
	return f
}

// fly asks, and lands with the answer. A bug in reading one answer is a failure
// of that question only.
func (fs *flights) fly(ctx context.Context, f *flight, ask asker) {
	defer fs.wg.Done()
	defer f.cancel(nil)
	defer fs.land(f)
	defer func() {
		if p := recover(); p != nil {
			f.entry = &entry{err: fmt.Errorf("%w: internal error: %.200s", resolve.ErrTemporary, fmt.Sprint(p))}
		}
	}()
	f.entry = ask(ctx, f.admit)
}

func (fs *flights) land(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.forget(f)
	fs.slots.exit(f)
	fs.settleOpen()
	close(f.done)
}

// leave takes one caller away. With the last one the flight ends: who asks from
// now on has a new one. It reports whether the flight still waited for its turn.
func (fs *flights) leave(f *flight, who client) (waited bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.callers[who]--; f.callers[who] == 0 {
		delete(f.callers, who)
	}
	waited = f.queued
	if len(f.callers) > 0 {
		if f.share != nil && f.callers[f.share.client] == 0 {
			fs.slots.attribute(f)
			fs.settleOpen()
		}
		return waited
	}
	f.cancel(errAbandoned)
	fs.forget(f)
	if f.waits() { // else its place is free when its socket is closed
		fs.slots.exit(f)
	}
	return waited
}

// evict ends f, whose place another needs. fs.mu is held.
func (fs *flights) evict(f *flight) {
	f.cancel(resolve.ErrCrowded)
	fs.forget(f)
}

// forget makes f one that nobody can join.
func (fs *flights) forget(f *flight) {
	if fs.byQuestion[f.q] == f {
		delete(fs.byQuestion, f.q)
	}
}

// settle is for the clock: some flight has had its place for long enough.
func (fs *flights) settle() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.settleOpen()
}

// settleOpen gives no places to flights that close has ended. fs.mu is held.
func (fs *flights) settleOpen() {
	if !fs.closed {
		fs.slots.settle()
	}
}

// close abandons all flights and waits for them.
func (fs *flights) close() {
	fs.mu.Lock()
	fs.closed = true
	fs.mu.Unlock()
	fs.stop(errClosed)
	fs.wg.Wait()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.slots.quiet()
}
