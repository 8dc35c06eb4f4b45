package dnsclient

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// desk is a flights without servers: each question waits until it is answered
// or its flight ends. The time is synctest's.
type desk struct {
	*flights
	t *testing.T

	mu     sync.Mutex
	asked  map[string]chan string // questions at the servers
	causes map[string]error       // why flights ended without an answer
	begun  int
	states map[string]int
	// slow, when it is not nil, keeps flights that ended from landing.
	slow chan struct{}
}

const testPatience = time.Second

func newDesk(t *testing.T, places int) *desk {
	d := &desk{t: t, asked: map[string]chan string{}, causes: map[string]error{}, states: map[string]int{}}
	d.flights = newFlights(places, testPatience, func(state string, delta int) { d.states[state] += delta })
	return d
}

func (d *desk) asker(name string) asker {
	return func(ctx context.Context, turn <-chan struct{}) *entry {
		select {
		case <-turn:
		case <-ctx.Done():
			return d.ended(ctx, name)
		}
		answer := make(chan string)
		d.mu.Lock()
		d.begun++
		d.asked[name] = answer
		d.mu.Unlock()
		select {
		case a := <-answer:
			d.gone(name, answer)
			return &entry{records: []string{a}}
		case <-ctx.Done():
			d.gone(name, answer)
			return d.ended(ctx, name)
		}
	}
}

// gone takes a question from the servers.
func (d *desk) gone(name string, answer chan string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked[name] == answer {
		delete(d.asked, name)
	}
}

func (d *desk) ended(ctx context.Context, name string) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.causes[name] = context.Cause(ctx)
	if slow := d.slow; slow != nil {
		d.mu.Unlock()
		<-slow
		d.mu.Lock()
	}
	return gaveUp(ctx)
}

func gaveUp(ctx context.Context) *entry {
	return &entry{err: context.Cause(ctx)}
}

// caller asks one question on behalf of the network 10.0.n.0/24.
type caller struct {
	leave func()
	got   chan string // its answer, or the kind of its error
}

func network(n byte) client { return clientOf(netip.AddrFrom4([4]byte{10, 0, n, 1})) }

func (d *desk) ask(n byte, name string) *caller {
	ctx, cancel := context.WithCancel(context.Background())
	c := &caller{leave: func() { cancel(); synctest.Wait() }, got: make(chan string, 1)}
	go func() {
		e, err := d.find(ctx, question{name, dns.TypeTXT}, network(n), d.asker(name))
		switch {
		case err != nil:
			c.got <- why(err)
		case e.err != nil:
			c.got <- why(e.err)
		default:
			c.got <- e.records.([]string)[0]
		}
	}()
	synctest.Wait()
	return c
}

// why is kind, and tells what is about the client from what is about the name.
func why(err error) string {
	if kind(err) == "temporary" && errors.Is(err, resolve.ErrCrowded) {
		return "crowded"
	}
	return kind(err)
}

// answer gives name's answer; an error of the test when it is not asked.
func (d *desk) answer(name string) {
	d.t.Helper()
	d.mu.Lock()
	ch := d.asked[name]
	d.mu.Unlock()
	if ch == nil {
		d.t.Errorf("%s is not at the servers", name)
		return
	}
	ch <- name + "!"
	synctest.Wait()
}

// open lists the questions at the servers.
func (d *desk) open() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for name := range d.asked {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (d *desk) wantOpen(names ...string) {
	d.t.Helper()
	if got := d.open(); !slices.Equal(got, names) {
		d.t.Errorf("%v are asked, want %v", got, names)
	}
}

// wantNothing checks that every place is free and nothing is remembered of
// anybody.
func (d *desk) wantNothing(places int) {
	d.t.Helper()
	synctest.Wait()
	d.flights.mu.Lock()
	defer d.flights.mu.Unlock()
	s := &d.slots
	if s.free != places || s.waiting != 0 || len(s.shares)+len(s.byClient)+len(d.byQuestion) != 0 {
		d.t.Errorf("%d places are free, %d wait; %d and %d clients, %d flights",
			s.free, s.waiting, len(s.shares), len(s.byClient), len(d.byQuestion))
	}
	if d.states[StateAsked] != 0 || d.states[StateWaiting] != 0 {
		d.t.Errorf("states %v", d.states)
	}
}

func (d *desk) end(callers ...*caller) {
	for _, c := range callers {
		c.leave()
	}
	d.close()
}
