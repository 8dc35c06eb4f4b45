package milter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Timeouts of a milter connection.
type Timeouts struct {
	First time.Duration // until the MTA's offer is complete
	Idle  time.Duration // between two frames
	Frame time.Duration // from a frame's first byte to its last, and for writes
}

var (
	errFrameSize = errors.New("frame is empty or larger than the limit")
	errStall     = errors.New("peer stopped in the middle of a frame")
)

// frameBufs holds buffers for frame payloads: a connection that waits for its
// MTA owns none. A body chunk is at most 65,535 bytes (milter-protocol, SMFIC_BODY).
var frameBufs = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// wire reads and writes milter frames: a 4-byte big-endian length that counts
// the command byte, the command byte, the payload.
//
// Only the connection's own goroutine reads and writes; waits and hurry may be
// called from others.
type wire struct {
	conn     net.Conn
	r        *bufio.Reader
	timeouts Timeouts
	max      int
	out      []byte
	// Since when the peer is waited for, in Unix nanoseconds: since between two
	// frames, began in the middle of one; 0 when it waits for us.
	since, began atomic.Int64
	// hurried caps the wait between transactions once the server is stopping, in
	// nanoseconds; open says that a transaction is under way.
	hurried atomic.Int64
	open    atomic.Bool
}

func newWire(c net.Conn, t Timeouts, max int) *wire {
	w := &wire{conn: c, r: bufio.NewReaderSize(c, 4096), timeouts: t, max: max}
	w.since.Store(time.Now().UnixNano())
	return w
}

// frame is one packet. Its data is only valid until release.
type frame struct {
	code byte
	data []byte
	buf  *[]byte
}

func (f *frame) release() {
	if f.buf != nil && cap(*f.buf) <= 128<<10 {
		frameBufs.Put(f.buf)
	}
	f.buf, f.data = nil, nil
}

// read waits for the next frame. first marks the MTA's offer.
func (w *wire) read(first bool) (frame, error) {
	idle := w.timeouts.Idle
	if first {
		idle = w.timeouts.First
	}
	now := time.Now()
	w.since.Store(now.UnixNano())
	until := now.Add(idle)
	if w.r.Buffered() < 5 {
		w.conn.SetReadDeadline(until)
		// Looked at after the deadline was set, so that a hurry at the same time
		// is not lost.
		if h := time.Duration(w.hurried.Load()); h != 0 && h < idle && !w.open.Load() {
			w.conn.SetReadDeadline(time.Now().Add(h))
		}
	}
	for {
		_, err := w.r.Peek(1)
		if err == nil {
			break
		}
		// A hurry that saw no transaction may have set its deadline after one began.
		if !errors.Is(err, os.ErrDeadlineExceeded) || !w.open.Load() || !time.Now().Before(until) {
			return frame{}, err
		}
		w.conn.SetReadDeadline(until)
	}
	defer w.began.Store(0)
	if w.r.Buffered() < 5 {
		w.beginFrame()
	}
	head, err := w.r.Peek(5)
	if err != nil {
		return frame{}, stalled(err)
	}
	n, code := binary.BigEndian.Uint32(head), head[4]
	if n == 0 || uint64(n) > uint64(w.max) {
		return frame{}, fmt.Errorf("%w: %d bytes", errFrameSize, n)
	}
	w.r.Discard(5)
	f := frame{code: code}
	if n > 1 {
		f.buf = frameBufs.Get().(*[]byte)
		if cap(*f.buf) < int(n-1) {
			b := make([]byte, n-1)
			f.buf = &b
		}
		f.data = (*f.buf)[:n-1]
		if w.r.Buffered() < int(n-1) {
			w.beginFrame()
		}
		if _, err := io.ReadFull(w.r, f.data); err != nil {
			f.release()
			return frame{}, stalled(err)
		}
	}
	w.since.Store(0)
	return f, nil
}

// beginFrame gives the rest of a frame its time.
func (w *wire) beginFrame() {
	now := time.Now()
	w.began.CompareAndSwap(0, now.UnixNano())
	w.conn.SetReadDeadline(now.Add(w.timeouts.Frame))
}

func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w (%w)", errStall, err)
	}
	return err
}

// write sends one frame made of the parts in order.
func (w *wire) write(code byte, parts ...[]byte) error {
	w.begin(code)
	for _, p := range parts {
		w.out = append(w.out, p...)
	}
	return w.flush()
}

func (w *wire) begin(code byte) { w.out = append(w.out[:0], 0, 0, 0, 0, code) }

func (w *wire) str(s string) { w.out = append(append(w.out, s...), 0) }

func (w *wire) u32(v uint32) { w.out = binary.BigEndian.AppendUint32(w.out, v) }

func (w *wire) flush() error {
	binary.BigEndian.PutUint32(w.out, uint32(len(w.out)-4))
	w.conn.SetWriteDeadline(time.Now().Add(w.timeouts.Frame))
	_, err := w.conn.Write(w.out)
	if cap(w.out) > 64<<10 {
		w.out = nil
	}
	return err
}

// waits returns how long we have been waiting for the peer, and whether it is
// for the rest of a frame; 0 when it waits for us.
func (w *wire) waits(now time.Time) (d time.Duration, inFrame bool) {
	if t := w.began.Load(); t != 0 {
		return now.Sub(time.Unix(0, t)), true
	}
	if t := w.since.Load(); t != 0 {
		return now.Sub(time.Unix(0, t)), false
	}
	return 0, false
}

// hurry makes the wait for the next transaction end after d at the latest.
func (w *wire) hurry(d time.Duration) {
	w.hurried.Store(int64(d))
	if !w.open.Load() {
		w.conn.SetReadDeadline(time.Now().Add(d))
		if w.open.Load() { // MAIL came in between, and its read may have set its deadline already
			w.conn.SetReadDeadline(time.Now().Add(w.timeouts.Idle))
		}
	}
}
