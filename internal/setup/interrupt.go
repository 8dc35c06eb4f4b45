package setup

import (
	"context"
	"errors"
	"strings"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// errInterrupted ends what somebody does not want any more.
var errInterrupted = errors.New("interrupted")

// notBack is why the MTA's files could not be put back: worse than any interruption.
type notBack struct{ error }

func (e notBack) Unwrap() error { return e.error }

// ledger is what a set-up has made that stays when it does not come to its end.
type ledger struct{ kept []string }

// keep notes it, for a Common that has a ledger.
func (l *ledger) keep(what string) {
	if l != nil {
		l.kept = append(l.kept, what)
	}
}

// Begin has c note what it makes, for Interrupted.
func (c *Common) Begin() { c.done = &ledger{} }

// Interrupted is the error of a set-up that ended with err when its context did: what
// was changed, and what was taken back.
func (c *Common) Interrupted(err error) error {
	if broken := (notBack{}); errors.As(err, &broken) {
		return err
	}
	back := "the MTA's files are as they were"
	if hint := problem.Hint(err); errors.Is(err, errInterrupted) && hint != "" {
		back = hint // which they are
	} else if c.done == nil || len(c.done.kept) == 0 {
		return problem.Fail("nothing was changed", "%w", errInterrupted)
	}
	if c.done != nil && len(c.done.kept) > 0 {
		back += ". Made and kept: " + strings.Join(c.done.kept, "; ") + ". The same command goes on from there"
	}
	return problem.Fail(back, "%w", errInterrupted)
}

// ended is errInterrupted when ctx is over: between two steps.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}
