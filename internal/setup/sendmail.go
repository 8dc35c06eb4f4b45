package setup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/sendmail"
	"github.com/sealmilter/sealmilter/keys"
)

// Sendmail is a set-up of Sendmail, for one run.
type Sendmail struct {
	Common
	MC    string // path of the file that sendmail.cf is built from
	Apply bool   // else it is only shown
	// What the shell runs to build sendmail.cf and to restart Sendmail, and
	// Sendmail's program; "" for what is usual here.
	Rebuild, Restart, Program string

	mcText, cfText string // as they are; cfText is "" where there is none
	mc             *sendmail.MC
	conf           *configPlan
	socket         string // ours, in Sendmail's notation
}

// Run sets Sendmail up, or takes that back. Interrupted, what is half done is put
// back. The error is problem.ErrShown or holds a problem.Error where a hint is known.
func (s *Sendmail) Run(ctx context.Context) error {
	if os.Geteuid() != 0 && (s.Apply || s.Undo) && !s.DryRun {
		return fail("sudo sealmilter setup sendmail ..., or look first with --dry-run", "only root can set Sendmail up")
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

// cfPath is what is built from the .mc.
func (s *Sendmail) cfPath() string { return strings.TrimSuffix(s.MC, ".mc") + ".cf" }

// open reads the .mc and the .cf, and finds out how they are rebuilt.
func (s *Sendmail) open(ctx context.Context) error {
	abs, err := filepath.Abs(s.MC)
	if err != nil {
		return err
	}
	s.MC = abs
	if (s.Apply || s.Undo) && !s.DryRun {
		if err := s.lock(filepath.Dir(s.MC)); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(s.MC)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(sendmailPackage()+"; or name the file that sendmail.cf is built from with --mc", "no %s: Sendmail's configuration cannot be built", s.MC)
	}
	if err != nil {
		return err
	}
	s.mcText, s.mc = string(data), sendmail.Parse(string(data))
	for _, f := range s.mc.Includes() {
		if filepath.IsAbs(f) && !mta.Exists(f) {
			return fail(sendmailPackage(), "%s includes %s, which is missing", s.MC, f)
		}
	}
	if data, err := os.ReadFile(s.cfPath()); err == nil {
		s.cfText = string(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.commands(ctx)
	return nil
}

// sendmailPackage says what to install.
func sendmailPackage() string {
	release, _ := os.ReadFile("/etc/os-release")
	like := ""
	for line := range strings.Lines(string(release)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name == "ID" || name == "ID_LIKE" {
			like += " " + strings.Trim(value, `"`)
		}
	}
	for _, id := range strings.Fields(like) {
		switch id {
		case "debian":
			return "install it: apt-get install sendmail-bin sendmail-cf m4 make, then sendmailconfig"
		case "fedora", "rhel", "centos":
			return "install it: dnf install sendmail sendmail-cf m4 make"
		}
	}
	return "install Sendmail and the package of its m4 files, sendmail-cf"
}

func (s *Sendmail) setUp(ctx context.Context) error {
	s.section("What is here")
	s.say("Sendmail, configured by %s", s.MC)
	nets, left := s.relays()
	var questions []string
	if err := s.planConfig(nets, left, &questions); err != nil {
		return err
	}
	plan := s.mc.Plan(s.socket)
	if plan.Problem != "" {
		return fail("take it out, or give it the socket "+s.socket, "%s: %s", s.MC, plan.Problem)
	}
	for _, f := range s.mc.Filters() {
		if f.Name == sendmail.Name {
			continue
		}
		if other := postfix.Signer(f.Name + " " + f.Spec); other != "" {
			s.warn("the milter %s leads to %s: switch off what sealmilter does now, or messages are signed or judged twice", f.Name, other)
		} else {
			s.say("the milter %s stays in front of sealmilter", f.Name)
		}
	}
	for _, w := range plan.Warnings {
		s.warn("%s", w)
	}
	s.section("What changes")
	for _, d := range []string{postfix.Diff(s.Config, s.conf.old, s.conf.new), postfix.Diff(s.MC, s.mcText, plan.Text)} {
		if d != "" {
			s.block(d)
		}
	}
	if !s.Apply || s.DryRun {
		s.printed(plan, questions)
		return nil
	}
	for _, q := range questions {
		if yes, err := s.ask(ctx, "Go on: "+q); err != nil {
			return err
		} else if !yes {
			return fail("if that is right, run it again with --yes; else write outbound.networks into "+s.Config, "nothing was changed: %s", q)
		}
	}
	store, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	if err := s.wire(ctx, plan, store); err != nil {
		return err
	}
	s.records(ctx, s.conf.cfg, store, mta.SmartHost(s.cfText))
	s.adviseSenders(s.conf.cfg)
	s.tagged(ctx, s.conf.cfg, "")
	return nil
}

// printed says what is to be done by hand.
func (s *Sendmail) printed(plan sendmail.Plan, questions []string) {
	for _, q := range questions {
		s.say("needs --yes: %s", q)
	}
	if plan.Lines != "" {
		s.section("Lines for " + s.MC + ", in front of MAILER")
		s.block(plan.Lines)
	}
	s.section("By hand")
	for _, d := range s.Domains {
		s.say("sealmilter keys new %s   # unless it has keys", d)
	}
	s.say("# write %s and %s as shown above", s.Config, s.MC)
	s.say("sealmilter check --config %s", s.Config)
	s.say("systemctl enable %[1]s && systemctl reload-or-restart %[1]s", unitName)
	s.say("%s", s.Rebuild)
	s.say("%s", or(s.Restart, "# restart Sendmail"))
	s.say("\nNothing was changed. --apply does all of it, tests it first, and puts back what does not work.")
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// prepare makes keys, writes milter.yaml, has the daemon take them up, and tests
// it as the user that Sendmail is.
func (s *Sendmail) prepare(ctx context.Context) (*keys.Store, error) {
	s.section("Keys and configuration")
	if err := makeKeyFolder(s.conf); err != nil {
		return nil, err
	}
	store, err := s.makeKeys(ctx, s.conf.cfg)
	if err != nil {
		return nil, err
	}
	if err := putConfig(s.conf, s.done); err != nil {
		return nil, err
	}
	s.ok("%s", s.Config)
	stop := s.waiting("the daemon takes the configuration up")
	err = bringUp(ctx, s.conf)
	if stop(); err != nil {
		return nil, err
	}
	s.section("Self-test")
	if fault := folderFault(s.conf.milter); fault != "" {
		return nil, fail("chmod go-w "+filepath.Dir(s.conf.milter.Unix), "%s", fault)
	}
	mta := mtaSide{user: s.runsAs(), dir: "/", network: "unix", address: s.conf.milter.Unix}
	if s.conf.milter.TCP != "" {
		mta.network, mta.address = "tcp", s.conf.milter.TCP
	}
	if err := selfTest(ctx, mta, store, s.Domains); err != nil {
		return nil, fail("Sendmail was not touched. `journalctl -u sealmilter` and `sealmilter check` say more", "%s does not do its work for user %s: %w", s.socket, mta.user, err)
	}
	s.ok("a whole message through %s as user %s: signed, and a second implementation verifies it", s.socket, mta.user)
	return store, nil
}

// runsAs is the user that Sendmail talks to milters as.
func (s *Sendmail) runsAs() string {
	user, _, _ := strings.Cut(sendmail.Option(s.cfText, "RunAsUser"), ":")
	return or(user, "root")
}
