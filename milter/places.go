package milter

import (
	"time"

	"github.com/sealmilter/sealmilter/auth"
)

// patience is how long a connection may let us wait for it while others wait
// for its place. It counts only when all places are taken; otherwise the
// timeouts do.
type patience struct {
	// frame: in the middle of a frame. An MTA writes a frame at once.
	frame time.Duration
	// idle: outside of a transaction. What is lost is a 451 for an SMTP client
	// that comes back, if it was one.
	idle time.Duration
	// transaction: between MAIL and the end of the message. Both MTAs are silent
	// to us until all of DATA has come.
	transaction time.Duration
}

var defaultPatience = patience{frame: 2 * time.Second, idle: 5 * time.Second, transaction: 30 * time.Second}

// shedding is what is said about closed connections: under a siege there are
// hundreds a second.
type shedding struct {
	closed int // since said
	said   time.Time
}

const (
	// lookAgain is how often a server whose places are all taken looks for one
	// that has overstayed.
	lookAgain = 100 * time.Millisecond
	// sayAgain is how often it says so.
	sayAgain = 10 * time.Second
)

// waitForPlace blocks while all places for the direction are taken; new
// connections wait in the socket's backlog. Of the connections that keep us
// waiting longer than they should it closes the least worthy. It returns false
// when the server stops.
func (s *Server) waitForPlace(d auth.Direction) bool {
	limit := s.cfg.Connections
	if d != auth.Outbound {
		limit -= limit * s.cfg.OutboundShare / 100
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopping && len(s.conns) >= limit {
		w := s.overstaying(time.Now())
		if w == nil {
			s.waitWhile(lookAgain, func() bool { return len(s.conns) >= limit })
			continue
		}
		s.sayShed(limit)
		w.conn.Close()
		// Its checks are cancelled; that takes a moment.
		s.waitWhile(lookAgain, func() bool { _, there := s.conns[w]; return there })
	}
	return !s.stopping
}

// overstaying returns the connection to close, nil when all have reason to
// stay: one that is stuck in a frame before an idle one, before a transaction,
// and of those the one that has waited longest.
func (s *Server) overstaying(now time.Time) *wire {
	var worst *wire
	worstRank, worstOver := 0, time.Duration(0)
	for w := range s.conns {
		waits, inFrame := w.waits(now)
		rank, over := 0, waits-s.patience.transaction
		switch {
		case inFrame:
			rank, over = 2, waits-s.patience.frame
		case !w.open.Load():
			rank, over = 1, waits-s.patience.idle
		}
		if waits > 0 && over >= 0 && (worst == nil || rank > worstRank || rank == worstRank && over > worstOver) {
			worst, worstRank, worstOver = w, rank, over
		}
	}
	return worst
}

// sayShed logs, now and then, that connections are closed.
func (s *Server) sayShed(limit int) {
	s.shed.closed++
	if now := time.Now(); now.Sub(s.shed.said) >= sayAgain {
		s.cfg.Log.Warn("all connections are taken, closing those that keep us waiting", "limit", limit, "closed", s.shed.closed)
		s.shed = shedding{said: now}
	}
}
