package dnsclient

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// An expired answer is better than none for who finds no place.
func TestStaleAnswerWhenCrowded(t *testing.T) {
	clk := newClock()
	f := newFake(t, withoutTCP, serving(t, "one"))
	c := newClient(t, Config{Now: clk.Now}, f)
	if got := lookupAs(t.Context(), c, ""); got != "ok:one" {
		t.Fatal(got)
	}
	clk.advance(time.Hour)
	reached := make(chan struct{})
	f.set(func(*dns.Msg, asked) []*dns.Msg { close(reached); return nil })
	got := make(chan string, 1)
	go func() { got <- lookupAs(t.Context(), c, "") }()
	<-reached
	c.takePlace(question{"a.example", dns.TypeTXT})
	if s := <-got; s != "ok:one" {
		t.Error(s)
	}
	f.set(serving(t, "two")) // nothing was remembered: it is asked again at once
	if got := lookupAs(t.Context(), c, ""); got != "ok:two" {
		t.Error(got)
	}
}

// TestOutcomeOfWhatWasGivenUp: a question without a place is told from one that
// nobody waits for, and an old answer from none.
func TestOutcomeOfWhatWasGivenUp(t *testing.T) {
	clk := newClock()
	c := newClient(t, Config{Now: clk.Now}, newFake(t, withoutTCP, serving(t, "one")))
	if got := lookupAs(t.Context(), c, ""); got != "ok:one" {
		t.Fatal(got)
	}
	clk.advance(time.Hour)
	for _, tc := range []struct {
		name string
		why  error
		want string
	}{
		{"a.example", errAbandoned, OutcomeAbandoned}, {"a.example", resolve.ErrCrowded, OutcomeStale}, {"a.example", errClosed, OutcomeStale},
		{"x.example", errAbandoned, OutcomeAbandoned}, {"x.example", resolve.ErrCrowded, OutcomeCrowded}, {"x.example", errClosed, OutcomeTemporary},
	} {
		e, outcome := c.gaveUp(question{tc.name, dns.TypeTXT}, tc.why, clk.Now())
		if outcome != tc.want || (e.records != nil) != (tc.name == "a.example") {
			t.Errorf("%s, %v: %s with %v", tc.name, tc.why, outcome, e.records)
		}
	}
}

// takePlace does what happens to a question that is in others' way.
func (c *Client) takePlace(q question) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	f := c.flights.byQuestion[q]
	c.flights.slots.exit(f)
	c.flights.evict(f)
}

// With a real socket: it closes when the caller leaves, and neither that nor a
// place that was lost is a failure of the zone.
func TestAbandonedQuestionLeavesNothing(t *testing.T) {
	reached := make(chan struct{}, 1)
	outcomes := make(chan string, 1)
	f := newFake(t, withoutTCP, func(*dns.Msg, asked) []*dns.Msg {
		reached <- struct{}{}
		return nil
	})
	c := newClient(t, Config{Observe: func(_, outcome string, _ time.Duration) { outcomes <- outcome }}, f)
	for _, end := range []func(cancel func()){
		func(cancel func()) { cancel() },
		func(func()) { c.takePlace(question{"slow.example", dns.TypeTXT}) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := c.For(netip.MustParseAddr("192.0.2.1")).LookupTXT(ctx, "slow.example")
			failed <- err
		}()
		<-reached
		end(cancel)
		if err := <-failed; !resolve.Temporary(err) {
			t.Error(err)
		}
		if got := <-outcomes; got != OutcomeAbandoned && got != OutcomeCrowded {
			t.Error(got)
		}
		cancel()
		if n := c.cache.EstimatedSize(); n != 0 {
			t.Errorf("%d entries are remembered", n)
		}
	}
}

// Wherever a question is when its caller leaves, its socket is closed and its
// goroutine ends; there is no time-out here that would do it.
func TestQuestionEndsWhereverItIs(t *testing.T) {
	tests := map[string]struct {
		server handler
		also   bool // a second server, which is never asked
	}{
		"over udp":                  {server: silent},
		"over tcp":                  {server: func(req *dns.Msg, a asked) []*dns.Msg { return truncated(t, req, a) }},
		"at the target of an alias": {server: func(req *dns.Msg, _ asked) []*dns.Msg { return toSilence(t, req) }},
		"with another server left":  {server: silent, also: true},
	}
	last := map[string]asked{
		"over tcp":                  {key: "TXT slow.example.", tcp: true},
		"at the target of an alias": {key: "TXT silent.example."},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			reached := make(chan struct{}, 10)
			want, special := last[title]
			f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
				if !special || a.key == want.key && a.tcp == want.tcp {
					reached <- struct{}{}
				}
				return tc.server(req, a)
			})
			fakes := []*fake{f}
			if tc.also {
				fakes = append(fakes, newFake(t, withTCP, silent))
			}
			outcomes := make(chan string, 1)
			c := newClient(t, Config{Timeout: 24 * time.Hour, Observe: func(_, o string, _ time.Duration) { outcomes <- o }}, fakes...)
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() {
				_, err := c.LookupTXT(ctx, "slow.example")
				failed <- err
			}()
			<-reached
			cancel()
			if err := <-failed; !resolve.Temporary(err) {
				t.Error(err)
			}
			if got := <-outcomes; got != OutcomeAbandoned {
				t.Errorf("outcome %s", got)
			}
			c.Close()
			if free := c.flights.slots.free; free != MaxInFlight {
				t.Errorf("%d places are free", free)
			}
			if tc.also && len(fakes[1].asked()) > 0 {
				t.Error("the other server was asked after the caller had left")
			}
		})
	}
}

func truncated(t *testing.T, req *dns.Msg, a asked) []*dns.Msg {
	if a.tcp {
		return nil
	}
	m := respond(t, req)
	m.Truncated = true
	return []*dns.Msg{m}
}

func toSilence(t *testing.T, req *dns.Msg) []*dns.Msg {
	if req.Question[0].Name == "silent.example." {
		return nil
	}
	return []*dns.Msg{respond(t, req, req.Question[0].Name+" 60 IN CNAME silent.example.")}
}
