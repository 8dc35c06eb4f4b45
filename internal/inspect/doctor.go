package inspect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/proof"
	"github.com/sealmilter/sealmilter/keys"
)

// Examination is what doctor is asked.
type Examination struct {
	Domain     string // a canonical name
	Config     string // path of milter.yaml
	MayLack    bool   // ... nobody named it, so that it may not be there
	State      string // the daemon's folder, with the domains that a database gave
	Keys       string // key folder, "" for the configuration's
	Zone       string // file to ask in place of the DNS, "" for none
	Helo       string // "" for the MTA's
	PostfixDir string // "" for Postfix's own
	Egress     []netip.Addr
	Selectors  []string // of keys that a service holds
	NoMTA      bool
}

// Doctor makes all findings.
func Doctor(ctx context.Context, e Examination) ([]doctor.Finding, error) {
	cfg, all := e.configuration()
	egress := e.addresses(cfg)
	relay := ""
	if !e.NoMTA && len(e.Egress)+len(cfg.Egress) == 0 && !cfg.Sign.ViaSES() {
		if relay = mta.Relay(ctx, e.PostfixDir); relay != "" {
			egress = nil
		}
	}
	r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, e.Zone)
	if err != nil {
		return nil, err
	}
	defer closeResolver()

	if len(e.Egress)+len(cfg.Egress) == 0 && len(egress) > 0 {
		all = append(all, doctor.Finding{Level: doctor.Pass, Check: "config", Subject: "egress", Message: "is not set: looked at are this host's own public addresses, " + joinAddrs(egress)})
	}
	d := doctor.Domain{Name: e.Domain, SDID: e.Domain, Egress: egress, Helo: e.Helo, PostfixDir: e.PostfixDir, ViaSES: cfg.Sign.ViaSES(), Servers: servers(r), Relay: relay}
	all = append(all, loadKeys(cfg, &d)...)
	all = append(all, runningDaemon(ctx, cfg.Admin.Addr, d.SDID)...)
	for _, selector := range e.Selectors {
		d.Foreign = append(d.Foreign, strings.ToLower(strings.TrimSpace(selector)))
	}
	var way []doctor.Finding
	if !e.NoMTA {
		var helo string
		way, helo = examineMTA(ctx, cfg, e.PostfixDir)
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

// servers names those that r asks, "" for a zone.
func servers(r resolve.Resolver) string {
	if c, ok := r.(interface{ Servers() []string }); ok {
		return strings.Join(c.Servers(), ", ")
	}
	return ""
}

// configuration reads milter.yaml; without one, or with a bad one, the defaults
// serve for the rest of the examination.
func (e *Examination) configuration() (*config.Config, []doctor.Finding) {
	var all []doctor.Finding
	if e.MayLack && !mta.Exists(e.Config) {
		cfg := config.Default()
		cfg.Sign.Keys = e.keysOr(cfg)
		return cfg, []doctor.Finding{{Level: doctor.Fail, Check: "config", Subject: e.Config, Message: "there is no configuration", Want: "see the README, or sealmilter check --help"}}
	}
	cfg, problems := config.Load(e.Config)
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
		all = append(all, doctor.Finding{Level: doctor.Pass, Check: "config", Subject: e.Config, Message: "is good"})
	}
	cfg.Sign.Keys = e.keysOr(cfg)
	listed, unknown := Listed(cfg, e.State)
	if unknown != nil {
		all = append(all, doctor.Finding{Level: doctor.Warn, Check: "config", Subject: unknown.Place, Message: unknown.Message, Want: unknown.Hint})
	}
	return listed, all
}

func (e *Examination) keysOr(cfg *config.Config) string {
	if e.Keys != "" {
		return e.Keys
	}
	return cfg.Sign.Keys
}

// addresses are those asked for, the configuration's, or those public ones that
// this host has itself, unless all its mail leaves through Amazon SES.
func (e *Examination) addresses(cfg *config.Config) []netip.Addr {
	switch {
	case len(e.Egress) > 0:
		return e.Egress
	case len(cfg.Egress) > 0:
		return cfg.Egress
	case cfg.Sign.ViaSES():
		return nil // this host's own send to SES alone
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
	return out
}

func joinAddrs(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// MTA is set-up's word for this host's: "postfix" where there is none.
func MTA() string {
	if _, postfix := mta.FindPostconf(); !postfix && mta.Exists(sendmailCF) {
		return "sendmail"
	}
	return "postfix"
}

// mtaWord is MTA, unless the configuration says it.
func mtaWord(cfg *config.Config) string {
	if cfg.MTA == "auto" {
		return MTA()
	}
	return cfg.MTA
}

// loadKeys fills in the keys of the domain and says what is wrong with them.
func loadKeys(cfg *config.Config, d *doctor.Domain) []doctor.Finding {
	var all []doctor.Finding
	store, problems := Keys(cfg)
	picked, sdid, err := store.Pick(d.Name)
	if errors.Is(err, keys.ErrNotListed) {
		all = append(all, doctor.Finding{Level: doctor.Fail, Check: "config", Subject: d.Name, Message: "is not in sign.domains, so that its mail is not signed",
			Want: "the domain in sign.domains of milter.yaml, which set-up puts there", Paste: "sealmilter setup " + mtaWord(cfg) + " --domain " + d.Name})
		alone := *cfg
		alone.Sign.Domains = []config.SignDomain{{Name: d.Name, Subdomains: true}}
		store, problems = Keys(&alone)
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
				f.Want = asRoot + ": keys are for the daemon's user alone"
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
