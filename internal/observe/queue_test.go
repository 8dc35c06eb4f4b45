package observe

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// observer is a function that is told.
type observer func(*transaction.Decision)

func (o observer) Decided(d *transaction.Decision) { o(d) }
func (observer) Panicked(string)                   {}

func decision(id string, headerBytes int) *transaction.Decision {
	d := &transaction.Decision{Envelope: auth.Envelope{QueueID: id}}
	if headerBytes > 0 {
		d.Envelope.Header = header.Fields{{Name: "X", Value: strings.Repeat("x", headerBytes)}}
	}
	return d
}

// counts is a place to count what is lost.
type counts struct{ full, panicked atomic.Int64 }

func (c *counts) lost(name, reason string) {
	switch name + " " + reason {
	case "test full":
		c.full.Add(1)
	case "test panic":
		c.panicked.Add(1)
	default:
		panic(name + reason)
	}
}

// TestQueueKeepsOrderAndTheRest: in order, one after the other, and what waits
// when it is stopped is told all the same.
func TestQueueKeepsOrderAndTheRest(t *testing.T) {
	var got []string
	q := NewQueue("test", observer(func(d *transaction.Decision) { got = append(got, d.Envelope.QueueID) }), nil)
	for i := range 100 {
		q.Decided(decision(fmt.Sprint(i), 0))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(got) != 100 || got[0] != "0" || got[99] != "99" || q.Status() != "" || q.bytes.Load() != 0 {
		t.Errorf("%d: %v, %q, %d bytes", len(got), got, q.Status(), q.bytes.Load())
	}
}

// TestQueueNeverWaits: an observer that hangs costs what finds no room, and
// nothing else.
func TestQueueNeverWaits(t *testing.T) {
	for name, c := range map[string]struct{ header, room int }{
		"many":  {0, maxWaiting},
		"large": {1 << 20, maxBytes / (1<<20 + 1<<10 + 100)},
		"huge":  {2 * maxBytes, 0}, // one alone is let in
	} {
		t.Run(name, func(t *testing.T) {
			var lost counts
			inside, hang := make(chan struct{}, maxWaiting+2), make(chan struct{})
			q := NewQueue("test", observer(func(*transaction.Decision) { inside <- struct{}{}; <-hang }), lost.lost)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { _ = q.Run(ctx); close(ended) }()
			d := decision("x", c.header)
			q.Decided(d)
			<-inside // and hangs
			sent := maxWaiting + 10
			for range sent {
				q.Decided(d)
			}
			took := sent - int(lost.full.Load())
			if took > c.room+1 || took < c.room-1 {
				t.Errorf("%d were taken, want about %d", took, c.room)
			}
			if held := q.bytes.Load(); held > maxBytes && c.room > 0 {
				t.Errorf("%d bytes wait", held)
			}
			if !strings.Contains(q.Status(), fmt.Sprintf("%d messages are missing", sent-took)) {
				t.Error(q.Status())
			}
			close(hang)
			cancel()
			<-ended
			if q.bytes.Load() != 0 {
				t.Errorf("%d bytes are kept", q.bytes.Load())
			}
		})
	}
}

// TestQueueOutlivesPanics: the next message is told.
func TestQueueOutlivesPanics(t *testing.T) {
	var lost counts
	told := 0
	q := NewQueue("test", observer(func(d *transaction.Decision) {
		if d.Envelope.QueueID == "bad" {
			panic("test")
		}
		told++
	}), lost.lost)
	for _, id := range []string{"bad", "good", "bad", "good"} {
		q.Decided(decision(id, 0))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = q.Run(ctx)
	if told != 2 || lost.panicked.Load() != 2 || lost.full.Load() != 0 {
		t.Errorf("told %d, panics %d", told, lost.panicked.Load())
	}
}

// TestAllAreTold: one that panics does not keep it from the others.
func TestAllAreTold(t *testing.T) {
	told, panics := 0, 0
	count := observer(func(*transaction.Decision) { told++ })
	a := All{count, observer(func(*transaction.Decision) { panics++; panic("test") }), count}
	a.Decided(decision("x", 0))
	a.Panicked("message")
	if told != 2 || panics != 1 {
		t.Errorf("told %d, panics %d", told, panics)
	}
}
