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
	"time"
)

// head is the length of a frame and its command.
const head = 5

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
	deadline
	conn net.Conn
	r    *bufio.Reader
	max  int
	out  []byte
}

func newWire(c net.Conn, t Timeouts, max int) *wire {
	w := &wire{conn: c, r: bufio.NewReaderSize(c, 4096), max: max}
	w.deadline.start(t, func(at time.Time) { c.SetReadDeadline(at) }, time.Now)
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
	until := w.between(first, w.r.Buffered() >= head)
	for {
		_, err := w.r.Peek(1)
		if err == nil {
			break
		}
		if !w.again(err, until) {
			return frame{}, err
		}
	}
	defer w.complete()
	if w.r.Buffered() < head {
		w.inFrame()
	}
	start, err := w.r.Peek(head)
	if err != nil {
		return frame{}, stalled(err)
	}
	n, code := binary.BigEndian.Uint32(start), start[4]
	if n == 0 || uint64(n) > uint64(w.max) {
		return frame{}, fmt.Errorf("%w: %d bytes", errFrameSize, n)
	}
	w.r.Discard(head)
	f := frame{code: code}
	if n > 1 {
		f.buf = frameBufs.Get().(*[]byte)
		if cap(*f.buf) < int(n-1) {
			b := make([]byte, n-1)
			f.buf = &b
		}
		f.data = (*f.buf)[:n-1]
		if w.r.Buffered() < int(n-1) {
			w.inFrame()
		}
		if _, err := io.ReadFull(w.r, f.data); err != nil {
			f.release()
			return frame{}, stalled(err)
		}
	}
	w.ours()
	return f, nil
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
