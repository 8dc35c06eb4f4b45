package setup

import (
	"context"
)

// wayBack is the end of a set-up that failed after its first edit: the files come
// back as they were and Postfix takes them up, whatever became of the caller. err
// is why.
func (s *Postfix) wayBack(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errInterrupted
	}
	// The caller may have given up; putting back must not.
	back := context.WithoutCancel(ctx)
	kept, rerr := s.inst.Recover()
	for _, k := range kept {
		s.warn("%s", k)
	}
	if rerr != nil {
		return fail("run `sealmilter setup postfix --undo --postfix-config "+quote(s.Dir)+"` when that is mended; the files as they were are in "+s.inst.UndoDir(),
			"%w; and putting main.cf and master.cf back failed: %w", err, notBack{rerr})
	}
	if _, rerr := s.inst.Reload(back); rerr != nil {
		return fail("postfix -c "+quote(s.Dir)+" check", "%w; main.cf and master.cf are put back, but Postfix does not reload: %w", err, notBack{rerr})
	}
	return fail("main.cf and master.cf are as they were", "%w", err)
}

// mend puts back what a set-up that was killed has left half done, and opens the
// instance again.
func (s *Postfix) mend(ctx context.Context) error {
	if s.DryRun {
		s.warn("a set-up was cut off in %s: the next one, or --undo, first puts back what was there", s.Dir)
		return nil
	}
	kept, err := s.inst.Recover()
	if err != nil {
		return fail("the files as they were are in "+s.inst.UndoDir(), "a set-up was cut off here, and putting main.cf and master.cf back failed: %w", err)
	}
	s.mended = true
	s.ok("a set-up was cut off here: main.cf and master.cf are put back to what was there before it")
	for _, k := range kept {
		s.warn("%s", k)
	}
	if err := s.openInstance(ctx); err != nil {
		return err
	}
	if _, err := s.inst.Reload(ctx); err != nil {
		return fail("postfix -c "+quote(s.Dir)+" check", "main.cf and master.cf are put back, but Postfix does not reload: %w", err)
	}
	return nil
}
