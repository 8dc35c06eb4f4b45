package milter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	gomilter "github.com/emersion/go-milter"
)

// settleGrace is idleGrace where the sockets outlive the process: a wait refuses
// nobody then.
const settleGrace = 10 * time.Second

var (
	errDeaf = errors.New("a listener has ended")
	errDumb = errors.New("a session does not answer as it should")
)

// Alive has a session of the server answer an offer, as an MTA makes it, and
// looks whether all listeners still accept. The session comes in through a
// pipe: it takes no place from an MTA, and a server whose places are all taken,
// or whose backlog is full, is busy and not dead. ctx needs a deadline.
func (s *Server) Alive(ctx context.Context) error {
	s.mu.Lock()
	stopping, accepting, opened := s.stopping, s.accepting, len(s.listeners)
	s.mu.Unlock()
	if !stopping && accepting < opened {
		return fmt.Errorf("%w: %d of %d accept", errDeaf, accepting, opened)
	}
	mta, ours := net.Pipe()
	defer mta.Close()
	if t, ok := ctx.Deadline(); ok {
		mta.SetDeadline(t)
	}
	sctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer ours.Close()
		ses := &session{srv: s, w: newWire(ours, s.cfg.Timeouts, s.cfg.FrameSize), ctx: sctx}
		ended <- ses.serve()
	}()
	offer := []byte{0, 0, 0, 13, byte(gomilter.CodeOptNeg)}
	for _, v := range []uint32{6, 0x1ff, 0x1fffff} { // version, actions, protocol
		offer = binary.BigEndian.AppendUint32(offer, v)
	}
	if _, err := mta.Write(offer); err != nil {
		return err
	}
	r := bufio.NewReader(mta)
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if head[4] != byte(gomilter.CodeOptNeg) {
		return fmt.Errorf("%w: %q", errDumb, head[4])
	}
	if _, err := r.Discard(int(binary.BigEndian.Uint32(head[:4])) - 1); err != nil {
		return err
	}
	if _, err := mta.Write([]byte{0, 0, 0, 1, byte(gomilter.CodeQuit)}); err != nil {
		return err
	}
	select {
	case err := <-ended:
		if !errors.Is(err, errQuit) {
			return fmt.Errorf("%w: %w", errDumb, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Settle waits until the connections that are there now have ended, or ctx
// does. Call it before Shutdown where the listening sockets outlive the process:
// new connections are served meanwhile, so that nobody waits for a slow
// transaction of somebody else.
func (s *Server) Settle(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); s.freed.Broadcast(); s.mu.Unlock() })
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grace = settleGrace
	var old []*wire
	for w := range s.conns {
		old = append(old, w)
		w.hurry(s.grace)
	}
	for _, w := range old {
		for ctx.Err() == nil {
			if _, there := s.conns[w]; !there {
				break
			}
			s.freed.Wait()
		}
	}
}
