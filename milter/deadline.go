package milter

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Timeouts of a milter connection.
type Timeouts struct {
	First time.Duration // until the MTA's offer is complete
	Idle  time.Duration // between two frames
	Frame time.Duration // from a frame's first byte to its last, and for writes
}

// deadline is how long a connection's peer may keep us waiting. The connection's
// own goroutine calls what tells it where the reading is; waits and hurry may be
// called from others, and open is set by it.
type deadline struct {
	timeouts Timeouts
	set      func(time.Time) // the connection's
	now      func() time.Time
	// Since when the peer is waited for, in Unix nanoseconds: since between two
	// frames, began in the middle of one; 0 when it waits for us.
	since, began atomic.Int64
	// hurried caps the wait between transactions once the server is stopping, in
	// nanoseconds; open says that a transaction is under way.
	hurried atomic.Int64
	open    atomic.Bool
}

func (d *deadline) start(t Timeouts, set func(time.Time), now func() time.Time) {
	d.timeouts, d.set, d.now = t, set, now
	d.since.Store(now().UnixNano())
}

// between begins the wait for the next frame, and returns when it ends at the
// latest. first marks the MTA's offer; here says that its beginning has come already.
func (d *deadline) between(first, here bool) time.Time {
	idle := d.timeouts.Idle
	if first {
		idle = d.timeouts.First
	}
	now := d.now()
	d.since.Store(now.UnixNano())
	until := now.Add(idle)
	if here {
		return until
	}
	d.set(until)
	// Looked at after the deadline was set, so that a hurry at the same time is not
	// lost.
	if h := time.Duration(d.hurried.Load()); h != 0 && h < idle && !d.open.Load() {
		d.set(d.now().Add(h))
	}
	return until
}

// again reports whether a wait that err ended goes on until then: a hurry that saw
// no transaction may have set its deadline after one began.
func (d *deadline) again(err error, until time.Time) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !d.open.Load() || !d.now().Before(until) {
		return false
	}
	d.set(until)
	return true
}

// inFrame gives the rest of a frame its time.
func (d *deadline) inFrame() {
	now := d.now()
	d.began.CompareAndSwap(0, now.UnixNano())
	d.set(now.Add(d.timeouts.Frame))
}

// complete ends a frame, whole or not.
func (d *deadline) complete() { d.began.Store(0) }

// ours: the peer has said all, and waits for us.
func (d *deadline) ours() { d.since.Store(0) }

// waits returns how long we have been waiting for the peer, and whether it is
// for the rest of a frame; 0 when it waits for us.
func (d *deadline) waits(now time.Time) (t time.Duration, inFrame bool) {
	if t := d.began.Load(); t != 0 {
		return now.Sub(time.Unix(0, t)), true
	}
	if t := d.since.Load(); t != 0 {
		return now.Sub(time.Unix(0, t)), false
	}
	return 0, false
}

// hurry makes the wait for the next transaction end after t at the latest.
func (d *deadline) hurry(t time.Duration) {
	d.hurried.Store(int64(t))
	if !d.open.Load() {
		d.set(d.now().Add(t))
		if d.open.Load() { // MAIL came in between, and its read may have set its deadline already
			d.set(d.now().Add(d.timeouts.Idle))
		}
	}
}
