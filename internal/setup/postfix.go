package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// Postfix is a set-up of Postfix, for one run.
type Postfix struct {
	Common
	Dir      string // of main.cf; "" for Postfix's own
	FailOpen bool   // mail passes while the daemon is down

	inst   *postfix.Instance
	conf   *configPlan
	mended bool // a set-up that was cut off was put back
}

// Run sets Postfix up, or takes that back. Interrupted, what is half done is put
// back. The error is problem.ErrShown or holds a problem.Error where a hint is known.
func (s *Postfix) Run(ctx context.Context) error {
	if os.Geteuid() != 0 && !s.DryRun {
		return fail("sudo sealmilter setup postfix ..., or look first with --dry-run", "only root can set Postfix up")
	}
	defer s.unlock()
	if err := s.open(ctx); err != nil {
		return err
	}
	if s.Undo {
		return s.takeBack(ctx)
	}
	return s.setUp(ctx)
}

// open finds and reads the Postfix instance.
func (s *Postfix) open(ctx context.Context) error {
	if s.Dir == "" {
		out, err := runProgram(ctx, "postconf", "-h", "config_directory")
		if said, hint, ok := mta.Refusal(err); ok {
			return fail(hint, "Postfix cannot read its configuration: %s", said)
		}
		if err != nil {
			return fail("install Postfix first, or put postconf into the PATH", "Postfix is not to be found: %w", err)
		}
		s.Dir = strings.TrimSpace(out)
	}
	if !s.DryRun {
		if err := s.lock(s.Dir); err != nil {
			return err
		}
	}
	if err := s.openInstance(ctx); err != nil {
		return err
	}
	if s.inst.HalfDone() {
		return s.mend(ctx)
	}
	return nil
}

func (s *Postfix) openInstance(ctx context.Context) error {
	inst, err := postfix.Open(ctx, s.Dir, runProgram)
	if errors.Is(err, fs.ErrNotExist) {
		return fail("give the folder of main.cf with --postfix-config", "no Postfix in %s: %w", s.Dir, err)
	}
	if said, hint, ok := mta.Refusal(err); ok {
		return fail(hint, "Postfix cannot read its configuration: %s", said)
	}
	if err != nil {
		return fail("", "cannot read Postfix in %s: %w", s.Dir, err)
	}
	s.inst = inst
	return nil
}

func (s *Postfix) setUp(ctx context.Context) error {
	h := s.inst.Host
	s.section("What is here")
	chroot := "not chrooted"
	if h.Chrooted() {
		chroot = "chrooted in " + h.Values.Get("queue_directory")
	}
	s.say("Postfix %s in %s, %s", h.Values["mail_version"], s.Dir, chroot)
	nets := readNetworks(h.Values.Get("mynetworks"), hostAddresses())
	var questions []string
	if err := s.planConfig(ctx, nets, &questions); err != nil {
		return err
	}
	want := s.want("tempfail")
	if s.FailOpen {
		want.DefaultAction = "accept"
	}
	final := h.Plan(want)
	if len(final.Problems) == 0 && final.BouncesUnsigned && !s.DryRun {
		var err error
		if want.Bounces, err = s.ask(ctx, "Bounces that Postfix makes leave unsigned. Sign them too (internal_mail_filter_classes = bounce)"); err != nil {
			return err
		}
		final = h.Plan(want)
	}
	questions = append(questions, final.Questions...)
	if len(final.Changes) > 0 {
		questions = append(questions, final.Proving...)
	}
	if err := s.show(ctx, final, questions); err != nil {
		return err
	}
	if s.DryRun {
		s.adviseDatabase(ctx)
		s.say("\nNothing was changed (--dry-run).")
		return nil
	}
	store, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	s.section("Self-test")
	if err := ended(ctx); err != nil {
		return err
	}
	stop := s.waiting("a message goes through the socket")
	err = selfTest(ctx, postfixSide(h, final.MilterName), store, s.Domains)
	if stop(); err != nil {
		return fail("Postfix was not touched. "+s.socketHint(err), "%s does not do its work for user %s: %w", final.MilterName, h.Values.Get("mail_owner"), err)
	}
	s.ok("a whole message through %s as user %s: signed, and a second implementation verifies it", final.MilterName, h.Values.Get("mail_owner"))
	if len(final.Changes) == 0 {
		s.ok("main.cf and master.cf are as they should be already")
	} else if err := s.wire(ctx, want, final, store); err != nil {
		return err
	}
	s.records(ctx, s.conf.cfg, store, mta.Relay(ctx, s.Dir))
	s.adviseSenders(s.conf.cfg)
	s.tagged(ctx, s.conf.cfg, h.Values.Get("milter_header_checks"))
	s.adviseDatabase(ctx)
	return nil
}

// socketHint is what to do about a failed self-test.
func (s *Postfix) socketHint(err error) string {
	owner := s.inst.Host.Values.Get("mail_owner")
	if strings.Contains(err.Error(), "permission denied") {
		return fmt.Sprintf("the socket must be of group %s: usermod -a -G %s %s, restart sealmilter, and run this again; `namei -l %s` shows what is there",
			owner, owner, daemonUser, s.conf.milter.Unix)
	}
	return "`journalctl -u sealmilter` and `sealmilter check` say more"
}

func (s *Postfix) want(action string) postfix.Want {
	w := postfix.Want{Milter: s.conf.milter, DefaultAction: action, DaemonName: "ORIGINATING", DaemonNames: s.conf.cfg.Outbound.DaemonNames}
	if !slices.ContainsFunc(w.DaemonNames, func(n string) bool { return strings.EqualFold(n, w.DaemonName) }) && len(w.DaemonNames) > 0 {
		w.DaemonName = w.DaemonNames[0]
	}
	return w
}

// planConfig works out milter.yaml and says what it means.
func (s *Postfix) planConfig(ctx context.Context, nets networks, questions *[]string) error {
	h := s.inst.Host
	conf, problems, err := planConfig(s.Config, s.Domains, nets.own, postfixPlan(h, underSystemd(ctx, mta.SocketUnit)))
	if err != nil {
		return fail(problem.Hint(err), "%s: %w", s.Config, err)
	}
	s.problems(inspect.Problems(problems, nil))
	if conf == nil || conf.cfg == nil {
		return problem.ErrShown
	}
	s.conf = conf
	s.say("authserv-id %s, socket %s%s", conf.cfg.AuthservID, conf.milter.Unix, conf.milter.TCP)
	for _, n := range nets.left {
		s.warn("mynetworks: %s is not carried over to outbound.networks", n)
	}
	if conf.new == conf.old {
		nets.own, nets.public = nil, nil
	}
	for _, n := range nets.own {
		if !slices.Contains(conf.cfg.Outbound.Networks, n) {
			continue
		}
		s.say("outbound.networks: %s (mynetworks): mail from there is signed", n)
		if slices.Contains(nets.public, n) {
			*questions = append(*questions, fmt.Sprintf("mail of anybody in %s, which is public and wider than this host, is signed as yours", n))
		}
	}
	s.sayOrigin()
	return nil
}

// sayOrigin says whether mail of programs on this host (cron, web sites) will be
// signed.
func (s *Postfix) sayOrigin() {
	o := origin(s.inst.Host)
	if o == "" {
		return
	}
	for _, d := range s.conf.cfg.Sign.Domains {
		if o == d.Name || d.Subdomains && strings.HasSuffix(o, "."+d.Name) {
			s.say("mail of programs on this host comes from @%s: signed with the key of %s", o, d.Name)
			return
		}
	}
	if !strings.Contains(o, ".") {
		s.warn("mail of programs on this host comes from @%s, which is no full domain, and is not signed: give the host its full name (hostnamectl, myhostname in main.cf)", o)
		return
	}
	// Not: set myorigin to --domain. A slip in that would go into all mail.
	if near := tree.Nearest(o, s.Domains); near != "" {
		s.warn("mail of programs on this host comes from @%s: is --domain %s a slip of it?", o, near)
		return
	}
	s.warn("mail of programs on this host comes from @%s, which no key covers: if that is yours, give --domain %s as well", o, o)
}

// show prints the plan and stops where it must not go on.
func (s *Postfix) show(ctx context.Context, p *postfix.Plan, questions []string) error {
	for _, n := range p.Notes {
		s.say("%s", n)
	}
	for _, w := range p.Warnings {
		s.warn("%s", w)
	}
	for i, pr := range p.Problems {
		if i == len(p.Problems)-1 {
			return fail(pr.Hint, "%s", pr.Text)
		}
		s.wrong(pr.Text, pr.Hint)
	}
	s.section("What changes")
	if s.conf.dropIn {
		s.say("%s: systemd opens %s; sealmilter is restarted for it", dropInPath, s.conf.milter.Unix)
	}
	diff := postfix.Diff(s.Config, s.conf.old, s.conf.new) + s.inst.Diff(p)
	if diff == "" {
		diff = "nothing: all files are as they should be"
	}
	s.block(diff)
	for _, c := range p.Changes {
		s.say("%s: %s: %s", c.Place(), c.Name, c.Why)
	}
	if s.FailOpen {
		s.warn("--fail-open: while sealmilter is down, mail leaves unsigned and forged mail comes in unchecked; receivers that enforce DMARC may refuse what you send then")
	}
	if p.BouncesUnsigned {
		s.say("bounces that Postfix makes stay unsigned; --yes sets internal_mail_filter_classes = bounce")
	}
	for _, q := range questions {
		if s.DryRun {
			s.say("needs --yes: %s", q)
			continue
		}
		if yes, err := s.ask(ctx, "Go on: "+q); err != nil {
			return err
		} else if !yes {
			return fail("if that is right, run it again with --yes; else narrow mynetworks, or write outbound.networks into "+s.Config, "nothing was changed: %s", q)
		}
	}
	return nil
}

// prepare makes keys, writes milter.yaml and has the daemon take them up.
func (s *Postfix) prepare(ctx context.Context) (*keys.Store, error) {
	s.section("Keys and configuration")
	if err := makeFolders(s.conf, s.inst.Host); err != nil {
		return nil, err
	}
	store, err := s.makeKeys(ctx, s.conf.cfg)
	if err != nil {
		return nil, err
	}
	if err := putConfig(s.conf, s.done); err != nil {
		return nil, err
	}
	s.ok("%s and its keys can be used", s.Config)
	if s.conf.dropIn {
		if err := s.openSocket(ctx); err != nil {
			return nil, err
		}
	}
	defer s.waiting("the daemon takes the configuration up")()
	return store, bringUp(ctx, s.conf)
}

// openSocket has systemd open the socket in Postfix's queue, where no Postfix was
// when the package was installed. It stays after an undo: one that nobody asks
// costs nothing, and to close it every socket of ours would have to be closed.
func (s *Postfix) openSocket(ctx context.Context) error {
	owner, err := user.Lookup(s.inst.Host.Values.Get("mail_owner"))
	if err != nil {
		return err
	}
	group, err := user.LookupGroupId(owner.Gid)
	if err != nil {
		return err
	}
	if err := (socketUnit{dropInPath, runProgram}).open(ctx, s.conf.milter.Unix, group.Name); err != nil {
		return err
	}
	s.ok("systemd opens %s", s.conf.milter.Unix)
	s.done.keep(dropInPath)
	return nil
}
