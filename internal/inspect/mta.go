package inspect

import (
	"context"
	"io/fs"
	"os"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/internal/filing"
	"github.com/sealmilter/sealmilter/internal/mta"
)

const (
	sendmailCF = "/etc/mail/sendmail.cf"
	sendmailMC = "/etc/mail/sendmail.mc"
)

// seenMTA is what the MTA's configuration says beside its findings.
type seenMTA struct {
	helo      string // the name that it says in HELO
	protocols string // Postfix's inet_protocols
}

// examineMTA looks at the MTA of this host.
func examineMTA(ctx context.Context, cfg *config.Config, postfixDir string) ([]doctor.Finding, seenMTA) {
	var listens []doctor.Socket
	for _, l := range cfg.Listen {
		listens = append(listens, doctor.Socket{Network: l.Addr.Network, Addr: l.Addr.Addr})
	}
	for _, path := range mta.SystemdListens(ctx, mta.SocketUnit) {
		listens = append(listens, doctor.Socket{Network: "unix", Addr: path})
	}
	var all []doctor.Finding
	var targets []doctor.Target
	var seen seenMTA
	var checks string
	postconf, found := mta.FindPostconf()
	switch cf, err := os.ReadFile(sendmailCF); {
	case found && (cfg.MTA != "sendmail" || err != nil):
		p := doctor.PostfixConf{Dir: postfixDir}
		p.Main, p.Master, err = mta.Postfix(ctx, postconf, postfixDir, doctor.PostfixNames())
		if said, hint, ok := mta.Refusal(err); ok {
			return []doctor.Finding{{Level: doctor.Fail, Check: "mta", Subject: "Postfix", Who: doctor.You,
				Message: words.Say("cannot read its configuration"), Seen: words.Data(said), Want: words.Data(hint)}}, seenMTA{}
		}
		if err != nil {
			return []doctor.Finding{{Level: doctor.Fail, Check: "mta", Subject: postconf, Who: doctor.You,
				Message: words.Data(err.Error()), Want: words.Say("a Postfix configuration that can be read")}}, seenMTA{}
		}
		all, targets = doctor.Postfix(p, listens, cfg.Outbound.DaemonNames)
		checks = p.Main["milter_header_checks"]
		seen = seenMTA{helo: p.Helo(), protocols: p.Main["inet_protocols"]}
	case err == nil:
		mc, _ := os.ReadFile(sendmailMC)
		conf := doctor.SendmailConf{CF: string(cf), MC: string(mc), Mode: func(dir string) (fs.FileMode, error) {
			st, err := os.Stat(dir)
			if err != nil {
				return 0, err
			}
			return st.Mode(), nil
		}}
		all, targets = doctor.Sendmail(conf, listens)
		seen.helo = conf.Helo()
	default:
		return []doctor.Finding{doctor.NoMTA()}, seenMTA{}
	}
	for _, t := range targets {
		asUser, err := mta.Reach(ctx, t.User, t.Network, t.Addr)
		all = append(all, doctor.Reached(t, asUser, err))
	}
	dovecot, err := mta.Output(ctx, "doveconf", "-n")
	if err != nil {
		dovecot = "" // none here, or not for us to ask
	}
	filed := filing.Host{Dovecot: dovecot, Checks: checks}.Look()
	return append(all, doctor.Quarantine(cfg.Policy.Quarantine, filed)), seen
}
