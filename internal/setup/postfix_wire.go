package setup

import (
	"context"
	"strings"

	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/keys"
)

// wire tells Postfix, in two steps: with mail passing whatever happens until it
// has proved itself, then for good.
func (s *Postfix) wire(ctx context.Context, want postfix.Want, final *postfix.Plan, store *keys.Store) (err error) {
	s.section("Postfix")
	done := false
	defer func() { // a panic goes this way, too
		if !done {
			err = s.wayBack(ctx, err)
		}
	}()
	up, err := s.inst.Running(ctx)
	if err != nil {
		return err
	}
	if up {
		// The witness goes when Postfix no longer knows of it.
		forget, err := s.proveWired(ctx, want, store)
		if forget != nil {
			defer forget()
		}
		if err != nil {
			return err
		}
	}
	if err := s.inst.Write(final, s.conf.milter); err != nil {
		return err
	}
	running, err := s.inst.Reload(ctx)
	if err != nil {
		return err
	}
	if err := s.inst.Commit(); err != nil {
		return err
	}
	done = true
	if !running {
		s.warn("Postfix is not running: the files stand and are checked, but no message went through it. Start it and run this again, or send one")
	}
	s.ok("main.cf and master.cf stand; the files as they were are in %s, --undo puts them back", s.inst.UndoDir())
	return nil
}

// proveWired sends messages through the running Postfix and looks at them behind
// sealmilter. The witness stays until the caller has it go with forget.
func (s *Postfix) proveWired(ctx context.Context, want postfix.Want, store *keys.Store) (forget func(), err error) {
	h := s.inst.Host
	p := newProof(h)
	p.domain, p.id = s.Domains[0], s.conf.cfg.AuthservID
	p.signing, _, _ = store.PickTrial(p.domain)
	p.alone = len(h.OtherMilters(s.conf.milter)) == 0
	w, forget, err := p.listen()
	if err != nil {
		return nil, err
	}
	want.DefaultAction, want.Witness = "accept", p.item
	if err := s.inst.Write(h.Plan(want), s.conf.milter); err != nil {
		return forget, err
	}
	if _, err := s.inst.Reload(ctx); err != nil {
		return forget, err
	}
	stop := s.waiting("messages go through Postfix")
	proved, notes, err := p.run(ctx, w)
	if stop(); err != nil {
		return forget, err
	}
	if len(proved) > 0 {
		s.ok("a message by %s went through Postfix and sealmilter: signed and verified; it was not delivered", strings.Join(proved, ", another by "))
	}
	for _, n := range notes {
		s.warn("%s", n)
	}
	return forget, nil
}

// takeBack is --undo.
func (s *Postfix) takeBack(ctx context.Context) error {
	if !s.inst.SetUp() && s.mended {
		s.ok("no other set-up stands here")
		return nil
	}
	if !s.inst.SetUp() {
		return fail("nothing to undo; a milter that was added by hand goes out with postconf -e", "there is no record of a set-up in %s", s.inst.UndoDir())
	}
	diff, kept := s.inst.Undone()
	s.block(diff)
	for _, k := range kept {
		s.warn("%s", k)
	}
	if s.DryRun {
		s.say("\nNothing was changed (--dry-run).")
		return nil
	}
	if err := s.inst.Undo(); err != nil {
		return err
	}
	running, err := s.inst.Reload(ctx)
	if err != nil {
		return fail("postfix -c "+s.Dir+" check", "our edits are taken out, but Postfix does not reload: %w", err)
	}
	if running {
		s.ok("Postfix works without sealmilter; mail leaves unsigned from now on")
	} else {
		s.ok("our edits are taken out; Postfix is not running")
	}
	s.say("Keys, %s, the daemon and its sockets stay as they are.", s.Config)
	return nil
}
