package dnsclient

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"
)

func TestFlightEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 8)
		a, b := d.ask(1, "x"), d.ask(1, "x")
		a.leave()
		d.wantOpen("x")
		b.leave()
		d.wantOpen()
		if a, b := <-a.got, <-b.got; a != "temporary" || b != "temporary" {
			t.Error(a, b)
		}
		if !errors.Is(d.causes["x"], errAbandoned) {
			t.Error(d.causes)
		}
		d.wantNothing(8)
		// Who comes now has a flight of his own.
		c := d.ask(1, "x")
		d.answer("x")
		if got := <-c.got; got != "x!" || d.begun != 2 {
			t.Error(got, d.begun)
		}
		d.close()
	})
}

// Whoever joins while the last one leaves gets an answer, of that flight or of
// another, and no error that is not his.
func TestJoinWhileTheLastOneLeaves(t *testing.T) {
	fs := newFlights(1000, testPatience, func(string, int) {})
	q := question{"x", dns.TypeTXT}
	ask := func(ctx context.Context, turn <-chan struct{}) *entry {
		select {
		case <-turn:
			return &entry{records: []string{"x!"}}
		case <-ctx.Done():
			return gaveUp(ctx)
		}
	}
	var wg sync.WaitGroup
	for i := range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(cancel)
		wg.Go(func() { _, _ = fs.find(ctx, q, network(1), ask) })
		wg.Go(func() {
			if e, err := fs.find(t.Context(), q, network(2), ask); err != nil || e.err != nil {
				t.Errorf("round %d: %v, %v", i, e, err)
			}
		})
		if i%10 == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	fs.close()
	if fs.slots.free != 1000 || len(fs.slots.shares) != 0 || len(fs.byQuestion) != 0 {
		t.Errorf("%d free, %d clients, %d flights", fs.slots.free, len(fs.slots.shares), len(fs.byQuestion))
	}
}

func TestCloseEndsAllFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2)
		asked, waiting := d.ask(1, "asked"), d.ask(1, "waiting")
		d.wantOpen("asked")
		d.close()
		if a, w := <-asked.got, <-waiting.got; a != "temporary" || w != "temporary" {
			t.Error(a, w)
		}
		if late := d.ask(1, "late"); <-late.got != "temporary" || d.begun != 1 {
			t.Error("a flight began after Close")
		}
		d.wantNothing(2)
	})
}

func TestPanicFailsOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 8)
		other := d.ask(1, "other")
		bug := func(context.Context, <-chan struct{}) *entry { panic("a bug") }
		e, err := d.find(t.Context(), question{"x", dns.TypeTXT}, network(1), bug)
		if err != nil || kind(e.err) != "temporary" || !strings.HasSuffix(e.err.Error(), "internal error: a bug") {
			t.Error(e, err)
		}
		d.answer("other")
		if got := <-other.got; got != "other!" {
			t.Error(got)
		}
		d.wantNothing(8)
		d.close()
	})
}
