package siege

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is normal mail: honest messages and spoofs, every message over a
// connection of its own, as from an MTA with one message a session.
type Load struct {
	Socket  string
	Mail    *Mail
	Senders int // as given to NewMail
	Workers int
}

// Run sends until ctx ends, at least one message a worker. It returns how long
// each message took, from opening the connection to the answer, and every
// answer that was wrong or missing.
func (l Load) Run(ctx context.Context) (took []time.Duration, err error) {
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	var serial atomic.Int64
	for range l.Workers {
		wg.Go(func() {
			for first := true; first || ctx.Err() == nil; first = false {
				d, err := l.one(int(serial.Add(1)))
				mu.Lock()
				took = append(took, d)
				if err != nil && len(errs) < 10 {
					errs = append(errs, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return took, errors.Join(errs...)
}

// one sends the n-th message: each fourth is a spoof.
func (l Load) one(n int) (time.Duration, error) {
	i := n % l.Senders
	p, m, check := Stranger(), Spoof(i), CheckSpoof
	if n%4 != 0 {
		var err error
		if m, err = l.Mail.Good(i); err != nil {
			return 0, err
		}
		p, check = Peer(), CheckGood
	}
	begin := time.Now()
	a, err := Send(l.Socket, p, m)
	took := time.Since(begin)
	if err != nil {
		return took, fmt.Errorf("message %d, after %v: %w", n, took.Round(time.Millisecond), err)
	}
	if err := check(a); err != nil {
		return took, fmt.Errorf("message %d: %w", n, err)
	}
	return took, nil
}

// Quantile of durations, q from 0 to 1; 0 of none.
func Quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Siege is a number of connections that want no mail delivered. One that is
// closed is opened again at once.
type Siege struct {
	Socket string
	N      int
	// Every is the time between two bytes; 0: the connection is opened, says a
	// little or nothing, and then nothing more.
	Every time.Duration

	closed atomic.Int64
	opened atomic.Int64
}

// Closed is how many connections the daemon has ended so far.
func (s *Siege) Closed() int64 { return s.closed.Load() }

// Run besieges the socket until ctx ends. ready is closed when every
// connection was opened once.
func (s *Siege) Run(ctx context.Context, ready chan<- struct{}) {
	var wg sync.WaitGroup
	for i := range s.N {
		wg.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				c, err := net.Dial("unix", s.Socket)
				if err != nil { // the backlog is full; try again
					pause(ctx, 50*time.Millisecond)
					first = false
					continue
				}
				if first && s.opened.Add(1) == int64(s.N) {
					close(ready)
				}
				s.hold(ctx, c, i)
				c.Close()
				if ctx.Err() == nil {
					s.closed.Add(1)
				}
			}
		})
	}
	wg.Wait()
}

// hold keeps one connection until the daemon closes it or ctx ends.
func (s *Siege) hold(ctx context.Context, c net.Conn, i int) {
	defer context.AfterFunc(ctx, func() { c.Close() })()
	offer := Frame('O', "\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff")
	dialogue := slices.Concat(
		Frame('C', "slow.example\x004\x61\xa8203.0.113.9\x00"), Frame('H', "slow.example\x00"), Frame('M', "<a@slow.example>\x00"),
		Frame('R', "<box@good.example>\x00"), Frame('L', "From\x00 <a@slow.example>\x00"), Frame('N', ""), Frame('B', "text\r\n"), Frame('A', ""))
	if s.Every == 0 {
		// Nothing; the offer; a session that waits for its client.
		said := [][]byte{nil, offer, slices.Concat(offer, dialogue[:5+13+2+12+5+13])}[i%3]
		_, _ = c.Write(said)
		_, _ = io.Copy(io.Discard, c)
		return
	}
	go func() { _, _ = io.Copy(io.Discard, c) }() // ends with the connection
	say := func(b []byte) bool {
		for j := range b {
			if _, err := c.Write(b[j : j+1]); err != nil || !pause(ctx, s.Every) {
				return false
			}
		}
		return true
	}
	// Half of them are slow from the first byte on, the others once they have
	// agreed on the protocol; those go on for ever.
	if i%2 == 0 {
		if !say(offer) {
			return
		}
	} else if _, err := c.Write(offer); err != nil {
		return
	}
	for say(dialogue) {
	}
}

// Frame is one frame of the milter protocol.
func Frame(code byte, data string) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(data)+1)), code), data...)
}

// pause waits; it is false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
