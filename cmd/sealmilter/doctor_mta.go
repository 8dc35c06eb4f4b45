package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/child"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/filing"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/setup"
	"github.com/sealmilter/sealmilter/milter/client"
)

const (
	sendmailCF = "/etc/mail/sendmail.cf"
	sendmailMC = "/etc/mail/sendmail.mc"
	// probePatience is what connecting to a socket and negotiating may take.
	probePatience = 10 * time.Second
	postconfTime  = 20 * time.Second
)

// examineMTA looks at the MTA of this host, and tells the name that it says in
// HELO.
func examineMTA(ctx context.Context, cfg *config.Config, postfixDir string) ([]doctor.Finding, string) {
	var listens []doctor.Socket
	for _, l := range cfg.Listen {
		listens = append(listens, doctor.Socket{Network: l.Addr.Network, Addr: l.Addr.Addr})
	}
	listens = append(listens, systemdListens(ctx)...)
	var all []doctor.Finding
	var targets []doctor.Target
	var helo, checks string
	postconf, found := findPostconf()
	switch cf, err := os.ReadFile(sendmailCF); {
	case found && (cfg.MTA != "sendmail" || err != nil):
		p, err := readPostfix(ctx, postconf, postfixDir)
		if err != nil {
			return []doctor.Finding{{Level: doctor.Fail, Check: "mta", Subject: postconf, Message: err.Error(), Want: "a Postfix configuration that can be read"}}, ""
		}
		all, targets = doctor.Postfix(p, listens, cfg.Outbound.DaemonNames)
		checks = p.Main["milter_header_checks"]
		helo = p.Helo()
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
		helo = conf.Helo()
	default:
		return []doctor.Finding{doctor.NoMTA()}, ""
	}
	for _, t := range targets {
		asUser, err := probeAs(ctx, t)
		all = append(all, doctor.Reached(t, asUser, err))
	}
	dovecot, err := output(ctx, "doveconf", "-n")
	if err != nil {
		dovecot = "" // none here, or not for us to ask
	}
	filed := filing.Host{Dovecot: dovecot, Checks: checks}.Look()
	return append(all, doctor.Quarantine(cfg.Policy.Quarantine, filed)), helo
}

// systemdListens are the unix sockets that systemd opens for us.
func systemdListens(ctx context.Context) []doctor.Socket {
	if !exists("/run/systemd/system") {
		return nil
	}
	out, err := output(ctx, "systemctl", "show", "--property=Listen", setup.SocketUnit)
	if err != nil {
		return nil
	}
	return parseListen(out)
}

// parseListen reads `Listen=/run/sealmilter/milter.sock (Stream)`, a line a socket.
func parseListen(out string) []doctor.Socket {
	var all []doctor.Socket
	for line := range strings.Lines(out) {
		if path, ok := strings.CutSuffix(strings.TrimSpace(strings.TrimPrefix(line, "Listen=")), " (Stream)"); ok && filepath.IsAbs(path) {
			all = append(all, doctor.Socket{Network: "unix", Addr: path})
		}
	}
	return all
}

// findPostconf looks where PATH of an ordinary user does not, too.
func findPostconf() (string, bool) {
	if p, err := exec.LookPath("postconf"); err == nil {
		return p, true
	}
	for _, p := range []string{"/usr/sbin/postconf", "/usr/local/sbin/postconf"} {
		if exists(p) {
			return p, true
		}
	}
	return "", false
}

func readPostfix(ctx context.Context, postconf, dir string) (doctor.PostfixConf, error) {
	var base []string
	if dir != "" {
		base = []string{"-c", dir}
	}
	names := append(doctor.PostfixNames(), "config_directory")
	// -x expands $name; before Postfix 2.10 it does not exist.
	out, err := output(ctx, postconf, append(append(base[:len(base):len(base)], "-x"), names...)...)
	if err != nil {
		out, err = output(ctx, postconf, append(base[:len(base):len(base)], names...)...)
	}
	if err != nil {
		return doctor.PostfixConf{}, err
	}
	p := doctor.PostfixConf{Dir: dir, Main: postfix.ParseValues(out)}
	if dir == "" {
		dir = p.Main["config_directory"]
	}
	text, err := os.ReadFile(filepath.Join(dir, "master.cf"))
	if err != nil {
		return doctor.PostfixConf{}, err
	}
	p.Master = string(text)
	return p, nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, postconfTime)
	defer cancel()
	cmd, err := child.Command(ctx, "", name, args...)
	if err != nil {
		return "", err
	}
	out, err := child.Output(cmd)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// probeAs connects to a socket with the rights of the MTA's user, where we are
// root: in a process of its own, since rights belong to one.
func probeAs(ctx context.Context, t doctor.Target) (asUser bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	root := os.Geteuid() == 0
	as := t.User
	if !root || as == "root" {
		as = ""
	}
	cmd, err := child.Command(ctx, as, "/proc/self/exe", "probe", t.Network, t.Addr)
	if err != nil {
		return false, err
	}
	_, err = child.Output(cmd)
	var failed *child.Failed
	switch {
	case err == nil:
		return root, nil
	case errors.As(err, &failed):
		if failed.Stderr != "" {
			err = errors.New(strings.TrimPrefix(failed.Stderr, "error: "))
		}
		return root, err
	}
	// Our own file may lie where that user cannot get at it.
	return false, fmt.Errorf("not tried as user %s: %w", t.User, err)
}

// newProbe is doctor's other process: it connects, negotiates, and says nothing
// but what went wrong.
func newProbe() *cobra.Command {
	return &cobra.Command{
		Use:    "probe NETWORK ADDRESS",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := client.Dial(args[0], args[1])
			if err != nil {
				return problem.Fail("", "%w", err)
			}
			s.Close()
			return nil
		},
	}
}
