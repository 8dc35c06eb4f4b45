package dnsclient

import (
	"container/list"
	"math"
	"net/netip"
	"time"
)

// Who may ask now. Everybody's questions share the sockets that may be open at
// one time (MaxInFlight), and anybody can cause questions that nobody answers.
// So they are divided among the clients whose mail causes them:
//
//   - A client may have as many questions in flight as there are places left.
//     One that wants them all gets half; two get a third each, and so on: there
//     is always something left for the next one. (It is how switches share a
//     buffer: Choudhury and Hahne, "Dynamic Queue Length Thresholds", 1998.)
//   - A free place goes to the client with the fewest, in the order of its questions.
//   - While somebody waits, a question that has had its place for the length of
//     slots.patience gives it up, those of the client with the most first. What is
//     answered at all is answered sooner as a rule.

// client is whose mail causes a question: a network, or the zero value for
// nobody in particular.
type client netip.Prefix

// clientOf is the network of ip: a /24, or a /48 with IPv6. That is the
// smallest that is routed on its own, so that who has one address may have the
// others; and what a client may have is enough for many hosts.
func clientOf(ip netip.Addr) client {
	ip = ip.Unmap()
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return client{} // no address
	}
	return client(p)
}

// share is what one client has in flight. It is forgotten when that is nothing.
type share struct {
	client  client
	index   int       // in slots.shares
	waiting list.List // of *flight, in their order
	asking  list.List // of *flight, the one with the oldest place first
}

func (s *share) first() *flight { return s.waiting.Front().Value.(*flight) }

// slots are the places. flights.mu guards them.
type slots struct {
	free     int
	patience time.Duration
	state    func(state string, delta int)
	again    func()        // calls settle
	evict    func(*flight) // ends a flight that has lost its place

	byClient map[client]*share
	shares   []*share // the same, to look through
	waiting  int
	begun    uint64
	alarm    *time.Timer
}

func (s *slots) of(who client) *share {
	sh := s.byClient[who]
	if sh == nil {
		sh = &share{client: who, index: len(s.shares)}
		s.byClient[who] = sh
		s.shares = append(s.shares, sh)
	}
	return sh
}

func (s *slots) forget(sh *share) {
	if sh.waiting.Len()+sh.asking.Len() > 0 {
		return
	}
	delete(s.byClient, sh.client)
	last := s.shares[len(s.shares)-1]
	s.shares[sh.index], last.index = last, sh.index
	s.shares[len(s.shares)-1] = nil
	s.shares = s.shares[:len(s.shares)-1]
}

// enter gives f a place on behalf of who, or makes it wait.
func (s *slots) enter(f *flight, who client) {
	s.begun++
	f.begun = s.begun
	s.waiting++
	s.put(f, s.of(who))
	s.settle()
	if f.waits() {
		f.queued = true
		s.state(StateWaiting, +1)
	}
}

// exit takes f's place away, whichever it has. Idempotent.
func (s *slots) exit(f *flight) {
	if f.share == nil {
		return
	}
	if f.waits() {
		s.waiting--
		s.unqueue(f)
	} else {
		s.free++
		s.state(StateAsked, -1)
	}
	s.take(f)
}

func (s *slots) unqueue(f *flight) {
	if f.queued {
		f.queued = false
		s.state(StateWaiting, -1)
	}
}

// put files f with sh, in order; take is the contrary.
func (s *slots) put(f *flight, sh *share) {
	l, before := &sh.waiting, func(g *flight) bool { return g.begun < f.begun }
	if !f.waits() {
		l, before = &sh.asking, func(g *flight) bool { return !g.since.After(f.since) }
	}
	f.share = sh
	for e := l.Back(); e != nil; e = e.Prev() {
		if before(e.Value.(*flight)) {
			f.at = l.InsertAfter(f, e)
			return
		}
	}
	f.at = l.PushFront(f)
}

func (s *slots) take(f *flight) {
	sh := f.share
	if f.waits() {
		sh.waiting.Remove(f.at)
	} else {
		sh.asking.Remove(f.at)
	}
	f.share, f.at = nil, nil
	s.forget(sh)
}

// offer lets f count for who, another of its callers, if that one has fewer
// places: a question that others ask, too, never waits behind, or goes with,
// those of the one who floods us.
func (s *slots) offer(f *flight, who client) {
	if s.held(who) < s.others(f) {
		s.move(f, who)
	}
}

// attribute lets f count for the one of its callers with the fewest places. It
// reports whether f changed hands.
func (s *slots) attribute(f *flight) bool {
	if f.share == nil { // it has just lost its place
		return false
	}
	best, fewest := f.share.client, s.others(f)
	if f.callers[best] == 0 {
		fewest = math.MaxInt
	}
	for who := range f.callers {
		if n := s.held(who); who != f.share.client && n < fewest {
			best, fewest = who, n
		}
	}
	if best == f.share.client {
		return false
	}
	s.move(f, best)
	return true
}

func (s *slots) held(who client) int {
	if sh := s.byClient[who]; sh != nil {
		return sh.asking.Len()
	}
	return 0
}

// others is how many places f's client has without f, so that f does not change
// hands for nothing.
func (s *slots) others(f *flight) int {
	if f.waits() {
		return f.share.asking.Len()
	}
	return f.share.asking.Len() - 1
}

func (s *slots) move(f *flight, who client) {
	s.take(f)
	s.put(f, s.of(who))
}

// settle gives out the places that can be given out.
func (s *slots) settle() {
	for s.waiting > 0 {
		next := s.neediest()
		if next.asking.Len() >= s.free && !s.makeRoom(next) {
			return
		}
		f := next.first()
		s.take(f)
		f.since = time.Now()
		s.put(f, s.of(next.client))
		s.waiting--
		s.free--
		s.unqueue(f)
		s.state(StateAsked, +1)
		close(f.admit)
	}
	s.quiet()
}

// neediest is the client with the fewest places among those that wait, and of
// several the one whose question came first. Its cost is bounded by the MTA's
// connections, and it is looked for only when somebody waits.
func (s *slots) neediest() *share {
	var best *share
	for _, sh := range s.shares {
		switch {
		case sh.waiting.Len() == 0:
		case best == nil, sh.asking.Len() < best.asking.Len(),
			sh.asking.Len() == best.asking.Len() && sh.first().begun < best.first().begun:
			best = sh
		}
	}
	return best
}

// makeRoom takes a place away for next: from who has more than next, or from
// next itself, and had it for long enough; from the one with the most. When
// there is nobody now, it has settle called when there is.
func (s *slots) makeRoom(next *share) bool {
	now := time.Now()
	for {
		var victim *flight
		wait := s.patience
		for _, sh := range s.shares {
			if sh != next && sh.asking.Len() <= next.asking.Len() || sh.asking.Len() == 0 {
				continue
			}
			f := sh.asking.Front().Value.(*flight)
			left := s.patience - now.Sub(f.since)
			wait = min(wait, left)
			if left <= 0 && (victim == nil || worse(f, victim)) {
				victim = f
			}
		}
		if victim == nil {
			s.lookAgain(wait)
			return false
		}
		if s.attribute(victim) { // others wait for it, and they are not the ones with the most
			continue
		}
		s.exit(victim) // its socket is closed in a moment; until then there is one too many
		s.evict(victim)
		return true
	}
}

// worse reports whether f is to go before g.
func worse(f, g *flight) bool {
	if n, m := f.share.asking.Len(), g.share.asking.Len(); n != m {
		return n > m
	}
	return f.since.Before(g.since)
}

func (s *slots) lookAgain(d time.Duration) {
	if s.alarm == nil {
		s.alarm = time.AfterFunc(d, s.again)
		return
	}
	s.alarm.Reset(d)
}

func (s *slots) quiet() {
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
}
