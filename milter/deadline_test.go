package milter

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a deadline with a time of its own: what is set is kept, in seconds
// from the start. during runs once, inside the next set: what another goroutine
// does just then.
type clock struct {
	deadline
	at     time.Time
	got    []string
	during func()
}

func newClock() *clock {
	c := &clock{at: time.Unix(1000, 0)}
	c.start(Timeouts{First: 10 * time.Second, Idle: 100 * time.Second, Frame: 5 * time.Second}, func(t time.Time) {
		if f := c.during; f != nil {
			c.during = nil
			f()
		}
		c.got = append(c.got, fmt.Sprint(t.Sub(time.Unix(1000, 0)).Seconds()))
	}, func() time.Time { return c.at })
	return c
}

func (c *clock) after(d time.Duration) { c.at = c.at.Add(d * time.Second) }

// TestDeadlineRules: which deadlines the connection gets, and what waits says.
func TestDeadlineRules(t *testing.T) {
	expired := os.ErrDeadlineExceeded
	for name, tc := range map[string]struct {
		do   func(c *clock)
		want []string
	}{
		"the offer":                 {func(c *clock) { c.between(true, false) }, []string{"10"}},
		"between frames":            {func(c *clock) { c.after(3); c.between(false, false) }, []string{"103"}},
		"it is there already":       {func(c *clock) { c.between(false, true) }, nil},
		"in a frame":                {func(c *clock) { c.between(false, false); c.after(50); c.inFrame() }, []string{"100", "55"}},
		"a frame in two parts":      {func(c *clock) { c.inFrame(); c.after(4); c.inFrame() }, []string{"5", "9"}},
		"a hurry before":            {func(c *clock) { c.hurry(2 * time.Second); c.between(false, false) }, []string{"2", "100", "2"}},
		"a hurry while it waits":    {func(c *clock) { c.between(false, false); c.after(60); c.hurry(2 * time.Second) }, []string{"100", "62"}},
		"no hurry in a transaction": {func(c *clock) { c.open.Store(true); c.hurry(2 * time.Second); c.between(false, false) }, []string{"100"}},
		"a hurry ends no later":     {func(c *clock) { c.hurry(time.Hour); c.between(true, false) }, []string{"3600", "10"}},
		"a hurry while the deadline is set": {func(c *clock) {
			c.during = func() { c.hurried.Store(int64(2 * time.Second)) }
			c.between(false, false)
		}, []string{"100", "2"}},
		"MAIL while a hurry sets its own": {func(c *clock) {
			c.during = func() { c.open.Store(true) }
			c.hurry(2 * time.Second)
		}, []string{"2", "100"}},
		"a hurry that saw no transaction": {func(c *clock) {
			until := c.between(false, false)
			c.open.Store(true)
			c.after(2)
			if !c.again(expired, until) {
				c.got = append(c.got, "ended")
			}
		}, []string{"100", "100"}},
		"time is up in a transaction": {func(c *clock) {
			until := c.between(false, false)
			c.open.Store(true)
			c.after(100)
			if !c.again(expired, until) {
				c.got = append(c.got, "ended")
			}
		}, []string{"100", "ended"}},
		"time is up outside of one": {func(c *clock) {
			if !c.again(expired, c.between(false, false)) {
				c.got = append(c.got, "ended")
			}
		}, []string{"100", "ended"}},
		"the peer is gone": {func(c *clock) {
			c.open.Store(true)
			if !c.again(io.EOF, c.between(false, false)) {
				c.got = append(c.got, "ended")
			}
		}, []string{"100", "ended"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			tc.do(c)
			if diff := cmp.Diff(tc.want, c.got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestDeadlineWaits: who waits for whom, as places.go asks.
func TestDeadlineWaits(t *testing.T) {
	c := newClock()
	var got []string
	say := func() {
		d, inFrame := c.waits(c.at)
		got = append(got, fmt.Sprint(d, inFrame))
	}
	c.after(1)
	say() // for the first frame
	c.between(true, false)
	c.after(2)
	say()
	c.inFrame()
	c.after(3)
	c.inFrame() // its second part
	c.after(1)
	say()
	c.ours()
	c.complete()
	say()
	c.between(false, true)
	c.after(7)
	say()
	want := []string{"1s false", "2s false", "4s true", "0s false", "7s false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
