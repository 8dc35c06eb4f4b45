package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/sendmail"
	"github.com/sealmilter/sealmilter/keys"
)

func newSetupSendmail() *cobra.Command {
	s := setupSendmail{}
	cmd := &cobra.Command{
		Use:   "sendmail --domain DOMAIN",
		Short: "show, or with --apply do, what Sendmail needs to use sealmilter",
		Long: `Sets Sendmail up. Without --apply it prints the lines for sendmail.mc, the
milter.yaml that it would write and the commands that take both up.

With --apply it makes keys, writes milter.yaml, tests a whole message through the
socket, and has a Sendmail of its own, which runs from the new sendmail.mc beside
the real one, pass a message on. Only then it edits sendmail.mc, rebuilds
sendmail.cf and restarts Sendmail. Anything that goes wrong puts the files back.
Run again it changes only what is not right yet.

--undo takes our lines out of sendmail.mc, and leaves everything else, the keys and
milter.yaml.`,
		Example: "  sealmilter setup sendmail --domain example.com\n  sealmilter setup sendmail --domain example.com --apply\n  sealmilter setup sendmail --undo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.talk = newTalk(cmd, s.yes)
			return s.run(cmd)
		},
	}
	configFlag(cmd, &s.config)
	f := cmd.Flags()
	f.StringSliceVarP(&s.domains, "domain", "d", nil, "`domain` of your mail addresses; may be given several times")
	f.StringVar(&s.mcPath, "mc", "/etc/mail/sendmail.mc", "`file` that sendmail.cf is built from")
	f.BoolVar(&s.apply, "apply", false, "do it")
	f.BoolVar(&s.dryRun, "dry-run", false, "show what would change, and change nothing")
	f.BoolVar(&s.undo, "undo", false, "take our lines out of sendmail.mc")
	f.BoolVarP(&s.yes, "yes", "y", false, "answer every question with yes")
	f.StringVar(&s.rebuild, "rebuild", "", "shell `command` that builds sendmail.cf (default: make in the folder of sendmail.mc, or m4)")
	f.StringVar(&s.restart, "restart", "", "shell `command` that restarts Sendmail (default: systemctl restart sendmail, where systemd runs it)")
	f.StringVar(&s.program, "sendmail", "", "Sendmail's `program` (default: where Debian or Red Hat have it)")
	cmd.MarkFlagsMutuallyExclusive("apply", "undo")
	return cmd
}

type setupSendmail struct {
	talk
	config, mcPath            string
	domains                   []string
	apply, dryRun, undo, yes  bool
	rebuild, restart, program string

	mcText, cfText string // as they are; cfText is "" where there is none
	mc             *sendmail.MC
	conf           *configPlan
	socket         string // ours, in Sendmail's notation
}

func (s *setupSendmail) run(cmd *cobra.Command) error {
	// Interrupted, what is half done is put back.
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := canonicalDomains(s.domains, s.undo, "sendmail"); err != nil {
		return err
	}
	if os.Geteuid() != 0 && (s.apply || s.undo) && !s.dryRun {
		return fail("sudo sealmilter setup sendmail ..., or look first with --dry-run", "only root can set Sendmail up")
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	if s.undo {
		return s.takeBack(ctx)
	}
	return s.setUp(ctx)
}

// cfPath is what is built from the .mc.
func (s *setupSendmail) cfPath() string { return strings.TrimSuffix(s.mcPath, ".mc") + ".cf" }

// open reads the .mc and the .cf, and finds out how they are rebuilt.
func (s *setupSendmail) open(ctx context.Context) error {
	abs, err := filepath.Abs(s.mcPath)
	if err != nil {
		return err
	}
	s.mcPath = abs
	data, err := os.ReadFile(s.mcPath)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(sendmailPackage()+"; or name the file that sendmail.cf is built from with --mc", "no %s: Sendmail's configuration cannot be built", s.mcPath)
	}
	if err != nil {
		return err
	}
	s.mcText, s.mc = string(data), sendmail.Parse(string(data))
	for _, f := range s.mc.Includes() {
		if filepath.IsAbs(f) && !exists(f) {
			return fail(sendmailPackage(), "%s includes %s, which is missing", s.mcPath, f)
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

func (s *setupSendmail) setUp(ctx context.Context) error {
	s.section("What is here")
	s.say("Sendmail, configured by %s", s.mcPath)
	nets, left := s.relays()
	var questions []string
	if err := s.planConfig(nets, left, &questions); err != nil {
		return err
	}
	plan := s.mc.Plan(s.socket)
	if plan.Problem != "" {
		return fail("take it out, or give it the socket "+s.socket, "%s: %s", s.mcPath, plan.Problem)
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
	for _, d := range []string{postfix.Diff(s.config, s.conf.old, s.conf.new), postfix.Diff(s.mcPath, s.mcText, plan.Text)} {
		if d != "" {
			s.say("%s", strings.TrimSuffix(d, "\n"))
		}
	}
	if !s.apply || s.dryRun {
		s.printed(plan, questions)
		return nil
	}
	for _, q := range questions {
		if !s.ask("Go on: " + q) {
			return fail("if that is right, run it again with --yes; else write outbound.networks into "+s.config, "nothing was changed: %s", q)
		}
	}
	store, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	if err := s.wire(ctx, plan, store); err != nil {
		return err
	}
	s.records(s.conf.cfg, s.domains, store)
	return nil
}

// printed says what is to be done by hand.
func (s *setupSendmail) printed(plan sendmail.Plan, questions []string) {
	for _, q := range questions {
		s.say("needs --yes: %s", q)
	}
	if plan.Lines != "" {
		s.section("Lines for " + s.mcPath + ", in front of MAILER")
		s.say("%s", strings.TrimSuffix(plan.Lines, "\n"))
	}
	s.section("By hand")
	for _, d := range s.domains {
		s.say("sealmilter keys new %s   # unless it has keys", d)
	}
	s.say("# write %s and %s as shown above", s.config, s.mcPath)
	s.say("sealmilter check --config %s", s.config)
	s.say("systemctl enable %[1]s && systemctl reload-or-restart %[1]s", unitName)
	s.say("%s", s.rebuild)
	s.say("%s", or(s.restart, "# restart Sendmail"))
	s.say("\nNothing was changed. --apply does all of it, tests it first, and puts back what does not work.")
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// relays are the clients that Sendmail relays for: proposals for
// outbound.networks.
func (s *setupSendmail) relays() (nets []netip.Prefix, left []sendmail.Relay) {
	var all []sendmail.Relay
	for name, read := range map[string]func(string) []sendmail.Relay{"access": sendmail.Access, "relay-domains": sendmail.RelayDomains} {
		if data, err := os.ReadFile(filepath.Join(filepath.Dir(s.mcPath), name)); err == nil {
			all = append(all, read(string(data))...)
		}
	}
	for _, r := range all {
		switch {
		case !r.Net.IsValid():
			if !strings.HasPrefix(strings.ToLower(r.Entry), "localhost") {
				left = append(left, r)
			}
		case !r.Net.Addr().IsLoopback() && !slices.Contains(nets, r.Net):
			nets = append(nets, r.Net)
		}
	}
	slices.SortFunc(nets, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	slices.SortFunc(left, func(a, b sendmail.Relay) int { return strings.Compare(a.Entry, b.Entry) })
	return nets, left
}

// planConfig works out milter.yaml and says what it means.
func (s *setupSendmail) planConfig(nets []netip.Prefix, left []sendmail.Relay, questions *[]string) error {
	name := s.mc.Define("confDOMAIN_NAME")
	if name == "" {
		name, _ = os.Hostname()
	}
	conf, problems, err := planConfig(s.config, s.domains, nets, mtaPlan{"sendmail", name, s.chooseSocket})
	if err != nil {
		return fail(config.Hint(err), "%s: %w", s.config, err)
	}
	s.showProblems(problems)
	if conf == nil || conf.cfg == nil {
		return errShown
	}
	s.conf = conf
	s.socket = sendmailSocket(conf.milter)
	s.say("authserv-id %s, socket %s", conf.cfg.AuthservID, s.socket)
	for _, r := range left {
		s.warn("RELAY for %s is not carried over to outbound.networks: %s", r.Entry, r.Why)
	}
	public := wide(nets, hostAddresses())
	for _, n := range nets {
		switch {
		case !slices.Contains(conf.cfg.Outbound.Networks, n):
			s.say("Sendmail relays for %s, which is not in outbound.networks: its mail leaves unsigned unless it logs in", n)
		case conf.new == conf.old:
		default:
			s.say("outbound.networks: %s (RELAY in Sendmail's access): mail from there is signed", n)
			if slices.Contains(public, n) {
				*questions = append(*questions, fmt.Sprintf("mail of anybody in %s, which is public and wider than this host, is signed as yours", n))
			}
		}
	}
	return nil
}

// chooseSocket is the first listener that takes mail of both directions, and whose
// folder Sendmail accepts where it exists.
func (s *setupSendmail) chooseSocket(cfg *config.Config) (e postfix.Endpoint, listen string, dropIn bool) {
	for _, l := range cfg.Listen {
		if l.Direction == "inbound" {
			continue
		}
		this := endpointOf(l.Addr)
		if folderFault(this) == "" {
			return this, "", false
		}
		if e == (postfix.Endpoint{}) {
			e = this
		}
	}
	if e == (postfix.Endpoint{}) {
		e = endpointOf(cfg.Listen[0].Addr)
	}
	return e, "", false
}

// folderFault says why Sendmail refuses a socket: it calls one unsafe whose folder
// others may write to, even a sticky one.
func folderFault(e postfix.Endpoint) string {
	if e.Unix == "" {
		return ""
	}
	dir := filepath.Dir(e.Unix)
	st, err := os.Stat(dir)
	if err == nil && st.Mode().Perm()&0o022 != 0 {
		return fmt.Sprintf("%s is group- or world-writable (%v): Sendmail refuses a socket there as unsafe", dir, st.Mode())
	}
	return ""
}

// sendmailSocket is the endpoint in the notation of S=.
func sendmailSocket(e postfix.Endpoint) string {
	if e.TCP == "" {
		return "unix:" + e.Unix
	}
	host, port, _ := net.SplitHostPort(e.TCP)
	if strings.Contains(host, ":") {
		return "inet6:" + port + "@" + host
	}
	return "inet:" + port + "@" + host
}

// prepare makes keys, writes milter.yaml, has the daemon take them up, and tests
// it as the user that Sendmail is.
func (s *setupSendmail) prepare(ctx context.Context) (*keys.Store, error) {
	s.section("Keys and configuration")
	if err := makeKeyFolder(s.conf); err != nil {
		return nil, err
	}
	store, err := s.makeKeys(s.conf.cfg, s.domains)
	if err != nil {
		return nil, err
	}
	if err := putConfig(s.conf); err != nil {
		return nil, err
	}
	s.ok("%s", s.config)
	if err := bringUp(ctx, s.conf); err != nil {
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
	if err := selfTest(ctx, mta, store, s.domains); err != nil {
		return nil, fail("Sendmail was not touched. `journalctl -u sealmilter` and `sealmilter check` say more", "%s does not do its work for user %s: %w", s.socket, mta.user, err)
	}
	s.ok("a whole message through %s as user %s: signed, and a second implementation verifies it", s.socket, mta.user)
	return store, nil
}

// runsAs is the user that Sendmail talks to milters as.
func (s *setupSendmail) runsAs() string {
	user, _, _ := strings.Cut(sendmail.Option(s.cfText, "RunAsUser"), ":")
	return or(user, "root")
}
