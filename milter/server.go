// Package milter is the hall: milter protocol in, milter protocol out. It
// turns what Postfix and Sendmail say into envelopes and headers, has them
// signed or authenticated and judged, and sends the edits and the reply.
//
// The protocol is described in libmilter's documents, version 6 and 2; what the MTAs
// really speak is in the comments here and in test/e2e. The package takes from go-milter
// the protocol's constants; its server was left for our own, see
// docs/decisions/0001-milter-server.md. It deliberately opens no sockets, reads
// no configuration and keeps no message.
package milter

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// Server serves milter connections. Make it with NewServer.
type Server struct {
	cfg     ServerConfig
	running atomic.Pointer[transaction.Setup]

	mu        sync.Mutex
	freed     *sync.Cond // a connection ended, or the server stops
	conns     map[*wire]auth.Direction
	stopping  bool
	listeners []net.Listener
	accepting int // listeners whose Serve runs
	grace     time.Duration
	patience  patience
	shed      shedding
	wg        sync.WaitGroup
	memory    transaction.Memory
}

// ServerConfig is fixed for the life of a Server.
type ServerConfig struct {
	Timeouts  Timeouts
	FrameSize int // bytes, command byte included
	// Connections at the same time, and the share of them, in percent, that only
	// outbound listeners may use.
	Connections, OutboundShare int
	Log                        *slog.Logger // of what ends a connection or keeps one out; nil: nobody reads it
}

// Listener is a socket with what its config says about the direction of its mail.
type Listener struct {
	net.Listener
	Direction auth.Direction // "" for auto
}

const (
	// idleGrace is how long a stopping server waits for the next transaction on
	// a connection: a client that has just greeted is served, not refused.
	idleGrace = 3 * time.Second
)

// NewServer makes a server that runs set until Swap.
func NewServer(cfg ServerConfig, set *transaction.Setup) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, conns: map[*wire]auth.Direction{}, grace: idleGrace, patience: defaultPatience}
	s.freed = sync.NewCond(&s.mu)
	s.running.Store(set)
	return s
}

// Swap makes set the running configuration for all messages to come.
func (s *Server) Swap(set *transaction.Setup) { s.running.Store(set) }

func (s *Server) setup() *transaction.Setup { return s.running.Load() }

// Serve accepts connections until Shutdown, whose nil it returns. Other errors
// of the listener are retried: EMFILE must not end the daemon.
func (s *Server) Serve(l Listener) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners = append(s.listeners, l)
	s.accepting++
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.accepting--; s.mu.Unlock() }()
	pause := time.Duration(0)
	for {
		if !s.waitForPlace(l.Direction) {
			return nil
		}
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Log.Error("accept failed", "listener", l.Addr().String(), "err", err)
			s.pause(pause)
			continue
		}
		pause = 0
		s.start(c, l.Direction)
	}
}

// pause waits, or less when the server stops.
func (s *Server) pause(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitWhile(d, func() bool { return true })
}

// waitWhile waits, with s.mu held, until more is false, d is over, or the server
// stops.
func (s *Server) waitWhile(d time.Duration, more func() bool) {
	until := time.Now().Add(d) // before the timer starts: it must not ring early, it rings once
	t := time.AfterFunc(d, func() { s.mu.Lock(); s.freed.Broadcast(); s.mu.Unlock() })
	defer t.Stop()
	for !s.stopping && time.Now().Before(until) && more() {
		s.freed.Wait()
	}
}

// start serves one connection on a goroutine of its own.
func (s *Server) start(c net.Conn, d auth.Direction) {
	ctx, cancel := context.WithCancel(context.Background())
	w := newWire(c, s.cfg.Timeouts, s.cfg.FrameSize)
	s.mu.Lock()
	s.conns[w] = d
	s.wg.Add(1)
	if s.stopping {
		w.hurry(s.grace)
	}
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		defer func() {
			cancel()
			c.Close()
			s.mu.Lock()
			delete(s.conns, w)
			s.freed.Broadcast()
			s.mu.Unlock()
		}()
		ses := &session{srv: s, listener: d, w: w, ctx: ctx}
		s.logEnd(ses, ses.serve())
	}()
}

// logEnd says why a connection ended, where that was not in order.
func (s *Server) logEnd(ses *session, err error) {
	switch {
	case err == nil, errors.Is(err, errQuit), errors.Is(err, io.EOF) && !errors.Is(err, errStall),
		errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errStall):
		return
	}
	client := ""
	if ses.lastIP.IsValid() {
		client = ses.lastIP.String()
	}
	s.cfg.Log.Warn("milter connection closed", "client_ip", client, "err", err)
}

// Shutdown stops accepting at once, lets transactions in progress end and
// clients that have just connected begin one, and returns when all connections
// are gone or ctx ends; then the rest are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.freed.Broadcast()
	for _, l := range s.listeners {
		l.Close()
	}
	for w := range s.conns {
		w.hurry(s.grace)
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	n := len(s.conns)
	for w := range s.conns {
		w.conn.Close()
	}
	s.mu.Unlock()
	<-done
	s.cfg.Log.Warn("stopped with transactions in progress", "connections", n)
	return ctx.Err()
}
