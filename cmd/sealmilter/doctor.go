package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/proof"
	"github.com/sealmilter/sealmilter/keys"
)

// doctorPatience bounds a whole examination.
const doctorPatience = 2 * time.Minute

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	config, keys, zone, helo, postfix string
	egress, selectors                 []string
	noMTA, asJSON                     bool
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor DOMAIN",
		Short: "look at a domain as its receivers will, and at the MTA",
		Long: `Compares the keys on disk with the DNS, checks SPF for each of our public
addresses and for the HELO name, their PTR records, DMARC and MX, and whether
the MTA hands its mail to us and reaches the socket. Each finding is PASS, WARN
or FAIL; what is not right comes with what was seen, what is wanted and what to
paste. Changes nothing. Exit code 1 when something fails.`,
		Example: "  sealmilter doctor example.com\n  sealmilter doctor example.com --egress 192.0.2.25,2001:db8::25 --helo mail.example.com",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, err := resolve.CanonicalName(args[0])
			if err != nil {
				return badDomain(err)
			}
			all, err := f.examine(cmd, domain)
			if err != nil {
				return err
			}
			if f.asJSON {
				err = printJSON(cmd, struct {
					Domain   string           `json:"domain"`
					Worst    doctor.Level     `json:"worst"`
					Findings []doctor.Finding `json:"findings"`
				}{domain, doctor.Worst(all), all})
			} else {
				printFindings(cmd.OutOrStdout(), all)
			}
			if err == nil && doctor.Worst(all) == doctor.Fail {
				return problem.ErrShown
			}
			return err
		},
	}
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.keys, "keys", "", "key `folder` (default: sign.keys of the configuration)")
	cmd.Flags().StringSliceVar(&f.egress, "egress", nil, "our public `addresses` (default: egress of the configuration, else the host's own)")
	cmd.Flags().StringVar(&f.helo, "helo", "", "the `name` that the MTA says in HELO (default: the MTA's setting, else the host's name)")
	cmd.Flags().StringSliceVar(&f.selectors, "selector", nil, "`names` of keys that a service holds (newsletter, Amazon SES), to be looked at as well")
	cmd.Flags().StringVar(&f.zone, "zone", "", "ask this zone `file` in place of the DNS: NAME TYPE DATA lines")
	cmd.Flags().StringVar(&f.postfix, "postfix-config", "", "Postfix's configuration `folder` (default: its own)")
	cmd.Flags().BoolVar(&f.noMTA, "no-mta", false, "leave the MTA out")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// examine makes all findings; an error is one of usage.
func (f *doctorFlags) examine(cmd *cobra.Command, domain string) ([]doctor.Finding, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), doctorPatience)
	defer cancel()
	cfg, all := f.configuration()
	egress, err := f.addresses(cfg)
	if err != nil {
		return nil, err
	}
	r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, f.zone)
	if err != nil {
		return nil, err
	}
	defer closeResolver()

	if len(f.egress)+len(cfg.Egress) == 0 && len(egress) > 0 {
		all = append(all, doctor.Finding{Level: doctor.Pass, Check: "config", Subject: "egress", Message: "is not set: looked at are this host's own public addresses, " + joinAddrs(egress)})
	}
	d := doctor.Domain{Name: domain, SDID: domain, Egress: egress, Helo: f.helo, PostfixDir: f.postfix, ViaSES: cfg.Sign.ViaSES()}
	all = append(all, loadForDoctor(cfg, &d)...)
	for _, selector := range f.selectors {
		d.Foreign = append(d.Foreign, strings.ToLower(strings.TrimSpace(selector)))
	}
	var way []doctor.Finding
	if !f.noMTA {
		var helo string
		way, helo = examineMTA(ctx, cfg, f.postfix)
		if d.Helo == "" {
			d.Helo = helo
		}
	}
	if d.Helo == "" {
		d.Helo, _ = os.Hostname()
	}
	d.Helo = strings.ToLower(strings.TrimSuffix(d.Helo, "."))
	return append(append(all, doctor.DNS(ctx, r, d)...), way...), nil
}

// configuration reads milter.yaml; without one, or with a bad one, the defaults
// serve for the rest of the examination.
func (f *doctorFlags) configuration() (*config.Config, []doctor.Finding) {
	var all []doctor.Finding
	if f.config == defaultConfig && !exists(f.config) {
		cfg := config.Default()
		cfg.Sign.Keys = f.keysOr(cfg)
		return cfg, []doctor.Finding{{Level: doctor.Fail, Check: "config", Subject: f.config, Message: "there is no configuration", Want: "see the README, or sealmilter check --help"}}
	}
	cfg, problems := config.Load(f.config)
	for _, p := range problems {
		subject := p.File
		if p.Line > 0 {
			subject = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		level := doctor.Warn
		if p.Severity == config.Error {
			level = doctor.Fail
		}
		all = append(all, doctor.Finding{Level: level, Check: "config", Subject: subject, Message: p.Message, Want: p.Hint})
	}
	if cfg == nil {
		cfg = config.Default()
	} else if len(problems) == 0 {
		all = append(all, doctor.Finding{Level: doctor.Pass, Check: "config", Subject: f.config, Message: "is good"})
	}
	cfg.Sign.Keys = f.keysOr(cfg)
	return cfg, all
}

func (f *doctorFlags) keysOr(cfg *config.Config) string {
	if f.keys != "" {
		return f.keys
	}
	return cfg.Sign.Keys
}

// addresses are the flag's, the configuration's, or those public ones that this
// host has itself, unless all its mail leaves through Amazon SES.
func (f *doctorFlags) addresses(cfg *config.Config) ([]netip.Addr, error) {
	if len(f.egress) > 0 {
		var out []netip.Addr
		for _, s := range f.egress {
			ip, err := netip.ParseAddr(strings.TrimSpace(s))
			if err != nil {
				return nil, usage("addresses, as 192.0.2.25,2001:db8::25", "--egress: %w", err)
			}
			out = append(out, ip.Unmap().WithZone(""))
		}
		return out, nil
	}
	if len(cfg.Egress) > 0 {
		return cfg.Egress, nil
	}
	if cfg.Sign.ViaSES() {
		return nil, nil // this host's own send to SES alone
	}
	var out []netip.Addr
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			if ip := p.Addr().Unmap(); address.Public(ip) {
				out = append(out, ip)
			}
		}
	}
	return out, nil
}

func joinAddrs(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// loadForDoctor fills in the keys of the domain and says what is wrong with them.
func loadForDoctor(cfg *config.Config, d *doctor.Domain) []doctor.Finding {
	var all []doctor.Finding
	store, problems := assemble.Keys(cfg, nil)
	picked, sdid, err := store.Pick(d.Name)
	if errors.Is(err, keys.ErrNotListed) {
		all = append(all, doctor.Finding{Level: doctor.Fail, Check: "config", Subject: d.Name, Message: "is not in sign.domains, so that its mail is not signed",
			Want: "the domain in milter.yaml", Paste: "sign: {domains: [" + d.Name + "]}"})
		alone := *cfg
		alone.Sign.Domains = only(nil, d.Name)
		store, problems = assemble.Keys(&alone, nil)
		picked, sdid, err = store.Pick(d.Name)
	}
	if sdid != "" {
		d.SDID = sdid
	}
	for _, p := range problems {
		if p.Domain != "" && p.Domain != d.SDID {
			continue
		}
		level := doctor.Warn
		if p.Severity == keys.Error {
			level = doctor.Fail
		}
		all = append(all, doctor.Finding{Level: level, Check: "key", Subject: p.Path, Message: p.Message, Want: p.Hint})
	}
	if err != nil {
		f := doctor.Finding{Level: doctor.Fail, Check: "key", Subject: d.Name, Message: err.Error(), Paste: "sealmilter keys new " + d.Name}
		if errors.Is(err, keys.ErrBroken) {
			f.Paste = ""
			if os.Geteuid() != 0 {
				f.Want = "run doctor as root (sudo): keys are for the daemon's user alone"
			}
		}
		return append(all, f)
	}
	d.Keys = picked
	for _, k := range picked {
		f := doctor.Finding{Level: doctor.Pass, Check: "key", Subject: k.Path(), Message: "signs, and a second implementation verifies it"}
		if err := proof.Key(k); err != nil {
			f = doctor.Finding{Level: doctor.Fail, Check: "key", Subject: k.Path(), Message: err.Error(), Paste: "sealmilter keys new " + k.Domain}
		}
		all = append(all, f)
	}
	return all
}

func printFindings(w io.Writer, all []doctor.Finding) {
	n := map[doctor.Level]int{}
	for _, f := range all {
		n[f.Level]++
		fmt.Fprintf(w, "%s  %-6s %s: %s\n", f.Level, f.Check, plain.Text(f.Subject), plain.Text(f.Message))
		want := f.Want
		if strings.Contains(strings.ReplaceAll(f.Paste, `" "`, ""), want) {
			want = "" // it stands in what to paste
		}
		for _, line := range []struct{ label, text string }{{"seen", f.Seen}, {"want", want}, {"paste", f.Paste}} {
			if line.text != "" {
				// A record to paste stands in one line, however long it is.
				fmt.Fprintf(w, "             %-6s %s\n", line.label, plain.Clip(line.text, len(line.text)))
			}
		}
	}
	fmt.Fprintf(w, "\n%d passed, %d warnings, %d failed\n", n[doctor.Pass], n[doctor.Warn], n[doctor.Fail])
}
