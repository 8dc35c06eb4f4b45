package service

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock hands out timers that ring when the test says so.
type clock struct {
	asked chan time.Duration
	ring  chan time.Time
}

func newClock() *clock {
	return &clock{asked: make(chan time.Duration, 100), ring: make(chan time.Time)}
}

func (c *clock) after(d time.Duration) <-chan time.Time {
	if d == lifeEvery || d >= folderEvery && d < folderEvery+time.Second { // what keys wait for is no part of these tests
		return nil
	}
	c.asked <- d
	return c.ring
}

// syncBuffer is a log that a test may read while others write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestPartsComeAgain: a part that panics, returns an error, or just returns is
// started again, later each time, and stop waits for none of the pauses.
func TestPartsComeAgain(t *testing.T) {
	c, log := newClock(), &syncBuffer{}
	panics := 0
	ps := parts{log: slog.New(slog.NewTextHandler(log, nil)), after: c.after, panicked: func() { panics++ }}
	runs := 0
	ps.start(Part{Name: "shaky", Run: func(context.Context) error {
		switch runs++; runs {
		case 1:
			panic("first")
		case 2:
			return errors.New("second")
		}
		return nil
	}})
	var pauses []time.Duration
	for range 8 {
		pauses = append(pauses, <-c.asked)
		if len(pauses) < 8 {
			c.ring <- time.Time{}
		}
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}; !slices.EqualFunc(pauses, want, func(d, n time.Duration) bool { return d == n*time.Second }) {
		t.Errorf("pauses %v", pauses)
	}
	ps.stop()
	if panics != 1 || runs != 8 {
		t.Errorf("%d panics, %d runs", panics, runs)
	}
	for _, want := range []string{"panic: first", "second", "it returned", "part=shaky"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

// TestPartsStopInReverse: the last one first, each joined before the next; one
// that does not end is left behind when patience is over, and said.
func TestPartsStopInReverse(t *testing.T) {
	c, log := newClock(), &syncBuffer{}
	ps := parts{log: slog.New(slog.NewTextHandler(log, nil)), after: c.after, panicked: func() {}}
	var mu sync.Mutex
	var ended []string
	for _, name := range []string{"a", "b", "c"} {
		ps.start(Part{Name: name, Run: func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
			return nil
		}})
	}
	release := make(chan struct{})
	ps.start(Part{Name: "deaf", Run: func(context.Context) error { <-release; return nil }})
	stopped := make(chan struct{})
	go func() { ps.stop(); close(stopped) }()
	if d := <-c.asked; d != patience {
		t.Errorf("patience of %v", d)
	}
	mu.Lock()
	if len(ended) != 0 {
		t.Errorf("%v ended before the last one did", ended)
	}
	mu.Unlock()
	c.ring <- time.Time{}
	<-stopped
	if strings.Join(ended, "") != "cba" || !strings.Contains(log.String(), "part=deaf") {
		t.Errorf("ended %v\n%s", ended, log)
	}
	close(release)
}

func TestPartsTell(t *testing.T) {
	ps := parts{log: slog.New(slog.DiscardHandler), after: newClock().after, panicked: func() {}}
	wait := func(ctx context.Context) error { <-ctx.Done(); return nil }
	var told *running
	ps.start(Part{Name: "a", Run: wait, Status: func() string { return "fine" }, Reload: func(r *running) { told = r }})
	ps.start(Part{Name: "b", Run: wait, Status: func() string { return "" }})
	ps.start(Part{Name: "c", Run: wait})
	r := &running{}
	ps.reload(r)
	if told != r || !slices.Equal(ps.status(), []string{"a: fine"}) {
		t.Errorf("told %p, %v", told, ps.status())
	}
	ps.stop()
}
