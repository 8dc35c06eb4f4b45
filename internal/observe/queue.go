package observe

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/sealmilter/sealmilter/internal/transaction"
)

// What may wait for an observer: some seconds of a busy server, and no more memory
// than hostile headers may take elsewhere.
const (
	maxWaiting = 4096
	maxBytes   = 16 << 20
)

// Queue is an observer that never makes anybody wait: what it is told goes to
// another one in order, on Run's goroutine. What finds no room is lost, and counted.
type Queue struct {
	name    string
	to      transaction.Observer
	lost    func(observer, reason string)
	waiting chan queued
	bytes   atomic.Int64
	missed  atomic.Int64
}

type queued struct {
	*transaction.Decision
	bytes int64
}

// NewQueue stands before to. lost counts what never reached to, with the reason
// "full" or "panic"; nil: nobody counts.
func NewQueue(name string, to transaction.Observer, lost func(observer, reason string)) *Queue {
	if lost == nil {
		lost = func(string, string) {}
	}
	return &Queue{name: name, to: to, lost: lost, waiting: make(chan queued, maxWaiting)}
}

// Decided implements transaction.Observer. It returns at once.
func (q *Queue) Decided(d *transaction.Decision) {
	n := int64(d.Weight())
	if before := q.bytes.Add(n) - n; before == 0 || before+n <= maxBytes {
		select {
		case q.waiting <- queued{d, n}:
			return
		default:
		}
	}
	q.bytes.Add(-n)
	q.miss("full")
}

// Panicked implements transaction.Observer: a panic is counted, and nothing that
// may wait hears of it.
func (q *Queue) Panicked(string) {}

// Run tells the other observer until ctx ends, then the rest of what waits.
func (q *Queue) Run(ctx context.Context) error {
	for {
		select {
		case d := <-q.waiting:
			q.tell(d)
			continue
		default:
		}
		select {
		case d := <-q.waiting:
			q.tell(d)
		case <-ctx.Done():
			if len(q.waiting) == 0 {
				return nil
			}
		}
	}
}

func (q *Queue) tell(d queued) {
	defer q.bytes.Add(-d.bytes)
	if !shielded(func() { q.to.Decided(d.Decision) }) {
		q.miss("panic")
	}
}

func (q *Queue) miss(reason string) {
	q.missed.Add(1)
	q.lost(q.name, reason)
}

// Status says how many messages it was not told of, "" for none.
func (q *Queue) Status() string {
	if n := q.missed.Load(); n > 0 {
		return fmt.Sprintf("%d messages are missing in it, since it did not keep up or failed", n)
	}
	return ""
}
