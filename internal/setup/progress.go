package setup

import (
	"fmt"
	"time"

	"github.com/sealmilter/sealmilter/internal/plain"
)

// slow is what a step may take before somebody at the terminal is told what is waited
// for.
const slow = time.Second

// waiting says what is waited for when it takes longer than slow, to somebody at a
// terminal. stop ends it; nothing is written to Err in between by others.
func (t Talk) waiting(what string) (stop func()) {
	if t.In == nil {
		return func() {}
	}
	after := t.After
	if after == nil {
		after = time.After
	}
	rings := after(slow)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-over:
		case <-rings:
			fmt.Fprintf(t.Err, "... %s\n", plain.Text(what))
		}
	}()
	return func() { close(over); <-ended }
}
