package resolve

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBudgetAsksOnce(t *testing.T) {
	z := MustZone(sampleZone)
	b := NewBudget(z, 100)
	for _, q := range []string{
		"TXT good.example", "TXT GOOD.example", "TXT good.example.", // one question
		"A good.example", "A good.example", // NODATA is an answer, too
		"TXT slow.example", "TXT slow.example", // and a failure is not tried again for this message
		"PTR 192.0.2.1", "PTR ::ffff:192.0.2.1",
		"MX good.example", "AAAA mail.good.example", "A mail.good.example",
	} {
		if got, want := show(b, q), show(MustZone(sampleZone), q); got != want {
			t.Errorf("%s: %s, want %s", q, got, want)
		}
	}
	want := []string{
		"TXT good.example", "A good.example", "TXT slow.example", "PTR 1.2.0.192.in-addr.arpa",
		"MX good.example", "AAAA mail.good.example", "A mail.good.example",
	}
	if diff := cmp.Diff(want, z.Asked()); diff != "" {
		t.Error(diff)
	}
	if b.Left() != 93 {
		t.Errorf("%d questions left", b.Left())
	}
}

func TestBudgetEnds(t *testing.T) {
	z := MustZone(sampleZone)
	b := NewBudget(z, 2)
	for _, step := range []struct{ question, want string }{
		{"TXT " + strings.Repeat("a", 64) + ".example", "NXDOMAIN"}, // costs nothing
		{"TXT ..", "NXDOMAIN"},
		{"A mail.good.example", `["192.0.2.1" "192.0.2.2"]`},
		{"A nothing.example", "NXDOMAIN"},
		{"A www.good.example", "BUDGET"},
		{"A mail.good.example", `["192.0.2.1" "192.0.2.2"]`}, // known already
		{"A nothing.example", "NXDOMAIN"},
		{"PTR 192.0.2.1", "BUDGET"},
	} {
		if got := show(b, step.question); got != step.want {
			t.Errorf("%s: %s, want %s", step.question, got, step.want)
		}
	}
	if n := len(z.Asked()); n != 2 {
		t.Errorf("%d questions were asked", n)
	}
	_, err := b.LookupTXT(context.Background(), "third.example")
	if want := "TXT third.example: temporary DNS failure: the message's limit of DNS questions is reached"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	one := NewBudget(z, 1)
	if _, err := one.LookupTXT(ended, "good.example"); !Temporary(err) || errors.Is(err, ErrBudget) || one.Left() != 1 {
		t.Errorf("asked for nobody: %v, %d left", err, one.Left())
	}
	for _, limit := range []int{0, -1} {
		if got := show(NewBudget(z, limit), "A mail.good.example"); got != "BUDGET" {
			t.Errorf("limit %d: %s", limit, got)
		}
	}
}

// held answers TXT questions when it is told to.
type held struct {
	Resolver
	asked   chan struct{}
	proceed chan error
}

func (h held) LookupTXT(ctx context.Context, _ string) (Answer[string], error) {
	h.asked <- struct{}{}
	select {
	case err := <-h.proceed:
		if err != nil {
			panic(err)
		}
		return Answer[string]{Records: []string{"text"}}, nil
	case <-ctx.Done():
		return Answer[string]{}, ctx.Err()
	}
}

func newHeld() held { return held{asked: make(chan struct{}, 1), proceed: make(chan error, 1)} }

func TestBudgetSharesAQuestion(t *testing.T) {
	h := newHeld()
	b := NewBudget(h, 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := show(b, "TXT x.example"); got != `["text"]` {
				t.Errorf("got %s", got)
			}
		})
	}
	<-h.asked // a second question would find the budget spent
	h.proceed <- nil
	wg.Wait()
}

func TestBudgetWaiterHasADeadline(t *testing.T) {
	h := newHeld()
	b := NewBudget(h, 1)
	first := make(chan string)
	go func() { first <- show(b, "TXT x.example") }()
	<-h.asked
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.LookupTXT(ctx, "x.example"); !Temporary(err) || errors.Is(err, ErrBudget) {
		t.Errorf("waiting past the deadline: %v", err)
	}
	h.proceed <- nil
	if got := <-first; got != `["text"]` {
		t.Errorf("the one who asked: %s", got)
	}
	// An answer that is there counts even after the deadline.
	if a, err := b.LookupTXT(ctx, "x.example"); err != nil || len(a.Records) != 1 {
		t.Errorf("after the answer: %v, %v", a, err)
	}
}

// Nobody waits for what a check asks that was cancelled.
func TestBudgetAsksNothingForWhoLeft(t *testing.T) {
	z := MustZone("x.example TXT text")
	b := NewBudget(z, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.LookupTXT(ctx, "x.example"); !Temporary(err) || len(z.Asked()) != 0 || b.Left() != 1 {
		t.Errorf("%v, asked %v, %d left", err, z.Asked(), b.Left())
	}
	if got := show(b, "TXT x.example"); got != `["text"]` {
		t.Error(got)
	}
}

// A bug below one check must not hang the others that wait for its answer.
func TestBudgetSurvivesAPanic(t *testing.T) {
	h := newHeld()
	b := NewBudget(h, 1)
	first := make(chan any)
	go func() {
		defer func() { first <- recover() }()
		show(b, "TXT x.example")
	}()
	<-h.asked
	second := make(chan string)
	go func() { second <- show(b, "TXT x.example") }()
	h.proceed <- errors.New("bug")
	if v := <-first; v == nil {
		t.Error("the panic is gone")
	}
	if got := <-second; got != "TEMP" {
		t.Errorf("the waiter got %s", got)
	}
}

func TestBudgetOfEachType(t *testing.T) {
	b := NewBudget(MustZone(sampleZone), 100)
	ctx := context.Background()
	// One name, five types: the memory must not confuse them.
	if _, err := b.LookupTXT(ctx, "mail.good.example"); !errors.Is(err, ErrNoData) {
		t.Error(err)
	}
	if a, err := b.LookupA(ctx, "mail.good.example"); err != nil || a.Records[0] != netip.MustParseAddr("192.0.2.1") {
		t.Error(a, err)
	}
	if a, err := b.LookupAAAA(ctx, "mail.good.example"); err != nil || a.Records[0] != netip.MustParseAddr("2001:db8::1") {
		t.Error(a, err)
	}
	if _, err := b.LookupMX(ctx, "mail.good.example"); !errors.Is(err, ErrNoData) {
		t.Error(err)
	}
}
