package dnsclient

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// A client has half of the places when it is alone, and there is always one
// for another; its own further questions wait for its turn.
func TestOneClientLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 8)
		var flood []*caller
		for i := range 6 {
			flood = append(flood, d.ask(1, fmt.Sprint("f", i)))
		}
		d.wantOpen("f0", "f1", "f2", "f3")
		if d.states[StateAsked] != 4 || d.states[StateWaiting] != 2 {
			t.Errorf("%v", d.states)
		}
		honest := []*caller{d.ask(2, "a"), d.ask(2, "b"), d.ask(3, "c")}
		for i, name := range []string{"a", "b", "c"} {
			d.answer(name)
			if got := <-honest[i].got; got != name+"!" {
				t.Error(got)
			}
		}
		// In order, as places become free.
		d.answer("f2")
		d.wantOpen("f0", "f1", "f3", "f4")
		// One that leaves does not keep the next one waiting.
		flood[0].leave()
		d.wantOpen("f1", "f3", "f4", "f5")
		last := d.ask(1, "f6")
		last.leave()
		flood[1].leave()
		if asked, waited := <-flood[1].got, <-last.got; asked != "temporary" || waited != "crowded" {
			t.Error(asked, waited)
		}
		d.end(flood...)
		if got := <-flood[5].got; got != "temporary" { // it waited, but not at its end
			t.Error(got)
		}
		d.wantNothing(8)
	})
}

// What has had its place for long gives it up to those who wait: first to the
// client with the fewest, first from the one with the most.
func TestLongQuestionsGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 6)
		var all []*caller
		for _, name := range []string{"f0", "f1", "f2", "f3", "f4", "f5"} { // 3 of 6 are asked
			all = append(all, d.ask(1, name))
		}
		all = append(all, d.ask(2, "g0"), d.ask(3, "h0"), d.ask(4, "i0"))
		d.wantOpen("f0", "f1", "f2", "g0", "h0", "i0")
		honest := d.ask(5, "a") // no place at all
		d.wantOpen("f0", "f1", "f2", "g0", "h0", "i0")
		time.Sleep(testPatience - 1)
		d.wantOpen("f0", "f1", "f2", "g0", "h0", "i0")
		time.Sleep(time.Nanosecond)
		// The oldest of network 1 went for it, and another two for its own next.
		d.wantOpen("a", "f3", "f4", "g0", "h0", "i0")
		if !errors.Is(d.causes["f0"], resolve.ErrCrowded) || <-all[0].got != "crowded" {
			t.Error(d.causes)
		}
		d.answer("a")
		if got := <-honest.got; got != "a!" {
			t.Error(got)
		}
		d.end(all...)
		d.wantNothing(6)
	})
}

// Of clients with as many places the first one is next, whoever else comes.
func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2)
		all := []*caller{d.ask(1, "a"), d.ask(2, "b"), d.ask(3, "c"), d.ask(4, "d")}
		d.wantOpen("a", "b")
		d.answer("a")
		d.wantOpen("b", "c")
		d.end(all...)
		d.wantNothing(2)
	})
}

// Each place is looked at when its time is over, and not later.
func TestEachPlaceHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2)
		all := []*caller{d.ask(1, "a")}
		time.Sleep(testPatience / 2)
		all = append(all, d.ask(2, "b"), d.ask(3, "c"), d.ask(4, "d"))
		time.Sleep(testPatience / 2)
		d.wantOpen("b", "c")
		time.Sleep(testPatience / 2)
		d.wantOpen("c", "d")
		d.end(all...)
		d.wantNothing(2)
	})
}

// Who has most gives way, even where another has had his place for longer; who
// has as much as the one that waits does not.
func TestWhoGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 4)
		all := []*caller{d.ask(3, "old")}
		time.Sleep(time.Nanosecond)
		all = append(all, d.ask(1, "f0"), d.ask(1, "f1"), d.ask(4, "i0"))
		time.Sleep(testPatience)
		all = append(all, d.ask(5, "a"))
		d.wantOpen("a", "f1", "i0", "old")
		d.end(all...)
		d.wantNothing(4)

		d = newDesk(t, 2)
		all = []*caller{d.ask(2, "b"), d.ask(1, "a"), d.ask(1, "own")}
		time.Sleep(testPatience)
		d.wantOpen("b", "own")
		d.end(all...)
		d.wantNothing(2)
	})
}

// While nobody waits everyone has all the time there is.
func TestNobodyGivesWayForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 4)
		a, b := d.ask(1, "a"), d.ask(1, "b")
		time.Sleep(time.Hour)
		d.wantOpen("a", "b")
		d.answer("a")
		d.answer("b")
		if a, b := <-a.got, <-b.got; a != "a!" || b != "b!" {
			t.Error(a, b)
		}
		d.wantNothing(4)
		d.close()
	})
}

// A question that a flooded client asks, too, does not wait behind its flood.
func TestJoinedQuestionCountsForTheLighterClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 4)
		all := []*caller{d.ask(1, "f0"), d.ask(1, "f1"), d.ask(1, "f2"), d.ask(1, "bank")}
		d.wantOpen("f0", "f1")
		honest := d.ask(2, "bank")
		d.wantOpen("bank", "f0", "f1")
		all = append(all, d.ask(3, "g0"))
		d.wantOpen("bank", "f0", "f1", "g0")
		// All places are taken, and the patience is over: f0 goes, and not the
		// one that the other client waits for, which is as old.
		all = append(all, d.ask(4, "h0"))
		time.Sleep(testPatience)
		open := d.open()
		if !slices.Contains(open, "bank") || !slices.Contains(open, "h0") {
			t.Error(open)
		}
		d.answer("bank")
		if got, too := <-honest.got, <-all[3].got; got != "bank!" || too != "bank!" {
			t.Error(got, too)
		}
		d.end(all...)
		d.wantNothing(4)
	})
}

// The one for whom a question counts leaves; it counts for the other from then on.
func TestFlightIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 8)
		first := d.ask(1, "x")
		other, second := d.ask(2, "y"), d.ask(2, "x")
		first.leave()
		d.wantOpen("x", "y")
		d.flights.mu.Lock()
		if len(d.slots.shares) != 1 || d.slots.byClient[network(2)].asking.Len() != 2 {
			t.Errorf("%d clients", len(d.slots.shares))
		}
		d.flights.mu.Unlock()
		d.answer("x")
		if got := <-second.got; got != "x!" {
			t.Error(got)
		}
		d.end(other)
		d.wantNothing(8)
	})
}

// The lighter client joins before it is the lighter one.
func TestJoinedQuestionIsHandedOverInsteadOfEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 12)
		all := []*caller{d.ask(2, "b0"), d.ask(2, "b1")}
		flood := d.ask(1, "bank")
		honest := d.ask(2, "bank") // counts for network 1, which has fewer
		for i := range 8 {
			all = append(all, d.ask(1, fmt.Sprint("f", i))) // 4 of them are asked
		}
		time.Sleep(testPatience)
		open := d.open()
		if !slices.Contains(open, "bank") || slices.Contains(open, "f0") {
			t.Error(open)
		}
		d.answer("bank")
		if h, f := <-honest.got, <-flood.got; h != "bank!" || f != "bank!" {
			t.Error(h, f)
		}
		d.end(all...)
		d.wantNothing(12)
	})
}

// A question that lost its place is not one to join, however long it takes to end.
func TestEvictedFlightIsNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2)
		d.slow = make(chan struct{})
		old, too, next := d.ask(1, "x"), d.ask(1, "x"), d.ask(1, "y")
		time.Sleep(testPatience)
		d.wantOpen("y")
		too.leave() // its question has no place to be handed over
		again := d.ask(2, "x")
		d.answer("x")
		if got := <-again.got; got != "x!" {
			t.Error(got)
		}
		close(d.slow)
		if got := <-old.got; got != "crowded" {
			t.Error(got)
		}
		d.end(next)
		d.wantNothing(2)
	})
}

// A question that is not wanted any more gets no place that another waits for,
// nor does it take one away.
func TestAbandonedFlightGetsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2)
		d.slow = make(chan struct{})
		first, left, next := d.ask(1, "first"), d.ask(1, "left"), d.ask(1, "next")
		left.leave()
		d.answer("first")
		d.wantOpen("next")
		close(d.slow)
		d.end(first, next)
		d.wantNothing(2)
	})
}

// Whatever comes in whichever order, no place is lost or given twice, nobody who
// may ask waits, and at the end nothing is left.
func TestPlacesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 12
		d := newDesk(t, places)
		r := rand.New(rand.NewPCG(7208, 9989))
		var all []*caller
		for step := range 3000 {
			switch open := d.open(); {
			case r.IntN(3) > 0:
				n := byte(r.IntN(5))
				all = append(all, d.ask(n, fmt.Sprint(r.IntN(10), " of ", r.IntN(int(n)+1)))) // some ask the same
			case r.IntN(2) == 0 && len(all) > 0:
				i := r.IntN(len(all))
				all[i].leave()
				all = slices.Delete(all, i, i+1)
			case r.IntN(2) == 0 && len(open) > 0:
				d.answer(open[r.IntN(len(open))])
			default:
				time.Sleep(time.Duration(r.Int64N(int64(testPatience))))
			}
			synctest.Wait()
			if d.checkPlaces(places); t.Failed() {
				t.Fatalf("step %d", step)
			}
		}
		d.end(all...)
		d.wantNothing(places)
	})
}

// checkPlaces checks what must be true of the places at any time.
func (d *desk) checkPlaces(places int) {
	d.flights.mu.Lock()
	defer d.flights.mu.Unlock()
	s := &d.slots
	asking, waiting := 0, 0
	for i, sh := range s.shares {
		asking, waiting = asking+sh.asking.Len(), waiting+sh.waiting.Len()
		if sh.index != i || s.byClient[sh.client] != sh || sh.asking.Len()+sh.waiting.Len() == 0 {
			d.t.Errorf("client %d is misfiled", i)
		}
		if sh.waiting.Len() > 0 && sh.asking.Len() < s.free {
			d.t.Errorf("somebody with %d waits while %d are free", sh.asking.Len(), s.free)
		}
		var since time.Time
		for e := sh.asking.Front(); e != nil; e = e.Next() {
			f := e.Value.(*flight)
			if f.share != sh || f.at != e || f.callers[sh.client] == 0 || f.since.Before(since) {
				d.t.Errorf("%s is misfiled", f.q)
			}
			since = f.since
		}
	}
	if s.free < 0 || asking+s.free != places || waiting != s.waiting || waiting > 0 != (s.alarm != nil) {
		d.t.Errorf("%d ask, %d are free; %d wait, counted %d", asking, s.free, waiting, s.waiting)
	}
	if d.states[StateAsked] != asking || d.states[StateWaiting] != waiting || len(d.byQuestion) != asking+waiting {
		d.t.Errorf("%v, %d questions; %d ask, %d wait", d.states, len(d.byQuestion), asking, waiting)
	}
}

func TestClientOf(t *testing.T) {
	same := [][2]string{
		{"192.0.2.1", "192.0.2.254"}, {"192.0.2.1", "::ffff:192.0.2.9"}, {"2001:db8:1::1", "2001:db8:1:ffff::2"},
		{"fe80::1%eth0", "fe80::2"}, {"", ""},
	}
	other := [][2]string{{"192.0.2.1", "192.0.3.1"}, {"2001:db8:1::1", "2001:db8:2::1"}, {"", "0.0.0.0"}, {"", "::"}, {"0.0.0.0", "::"}}
	addr := func(s string) netip.Addr { a, _ := netip.ParseAddr(s); return a }
	for _, p := range same {
		if clientOf(addr(p[0])) != clientOf(addr(p[1])) {
			t.Errorf("%q and %q are two", p[0], p[1])
		}
	}
	for _, p := range other {
		if clientOf(addr(p[0])) == clientOf(addr(p[1])) {
			t.Errorf("%q and %q are one", p[0], p[1])
		}
	}
}
