package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/explain"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
)

const (
	// maxMessage bounds what explain reads; MTAs take less by default.
	maxMessage      = 256 << 20
	explainPatience = 2 * time.Minute
	// noName is the authserv-id without a configuration on a host whose name has
	// no dot (RFC 6761 §6.4: .invalid is nobody's).
	noName = "explain.invalid"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	config, zone                    string
	ip, helo, mailFrom, user, name  string
	rcpt                            []string
	outbound, asJSON, mailFromGiven bool
}

func newExplain() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain FILE",
		Short: "tell why a message passes, fails, or is (not) signed",
		Long: `Does with a message in a file (- is standard input) what the daemon would do, and
tells every step: SPF term by term, each DKIM signature beside the verdict of a
second implementation, DMARC, the Authentication-Results field, and the rule that
decides. With --auth or --outbound the message is ours, and it tells which keys
sign, or why none does. Without --ip, the client is the one in the topmost
Received field that names one, and what stands above it was added on arrival and
is left out. Without a configuration the defaults decide. Changes nothing and
sends nothing.`,
		Example: `  sealmilter explain message.eml
  sealmilter explain message.eml --ip 192.0.2.25 --helo mail.example.com --mail-from alice@example.com
  sealmilter explain message.eml --auth alice@example.com`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.mailFromGiven = cmd.Flags().Changed("mail-from")
			ctx, cancel := context.WithTimeout(cmd.Context(), explainPatience)
			defer cancel()
			x, err := f.explain(ctx, cmd, args[0])
			if err != nil {
				return err
			}
			if f.asJSON {
				return printJSON(cmd, x.JSON())
			}
			x.Text(cmd.OutOrStdout())
			return nil
		},
	}
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.ip, "ip", "", "`address` of the SMTP client")
	cmd.Flags().StringVar(&f.helo, "helo", "", "the `name` that it said in HELO")
	cmd.Flags().StringVar(&f.name, "name", "", "the client's verified host `name`, for rules with client.name")
	cmd.Flags().StringVar(&f.mailFrom, "mail-from", "", "`address` of MAIL FROM; \"\" is the null sender (default: the Return-Path field's)")
	cmd.Flags().StringSliceVar(&f.rcpt, "rcpt", nil, "`addresses` of RCPT TO")
	cmd.Flags().StringVar(&f.user, "auth", "", "the `user` that logged in: the message is ours")
	cmd.Flags().BoolVar(&f.outbound, "outbound", false, "the message is ours, however it came")
	cmd.Flags().StringVar(&f.zone, "zone", "", "ask this zone `file` in place of the DNS: NAME TYPE DATA lines")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *explainFlags) explain(ctx context.Context, cmd *cobra.Command, path string) (*explain.Report, error) {
	kf := keyFlags{config: f.config}
	cfg, err := kf.load(cmd)
	if err != nil {
		return nil, err
	}
	noFile := ""
	if cfg.AuthservID == "" { // a file that loads has one, or the host's name
		noFile = defaultConfig
		if cfg.AuthservID, err = (config.Loader{}).HostID(); err != nil {
			cfg.AuthservID = noName
		}
	}
	req, err := f.request(cmd, path)
	if err != nil {
		return nil, err
	}
	r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, f.zone)
	if err != nil {
		return nil, err
	}
	defer closeResolver()
	store, problems := inspect.Keys(cfg)
	parts := assemble.Parts{Keys: store, Resolver: r, Log: slog.New(slog.DiscardHandler)}
	if d := assemble.NewDirectory(cfg.Sign.Senders.Query, parts.Log); d != nil {
		defer d.Close()
		parts.Directory = d
	}
	set := assemble.Setup(cfg, parts)
	x, err := explain.Message(ctx, set, r, req)
	if errors.Is(err, explain.ErrNoClient) {
		return nil, usage("say who handed the message over: --ip and --helo, or --auth USER for one of ours", "%w", err)
	} else if err != nil {
		return nil, err
	}
	if x.NoConfig = noFile; x.Direction == auth.Outbound {
		printKeyProblems(cmd.ErrOrStderr(), problems)
	}
	return x, nil
}

// request is the message in the file with what the flags say.
func (f *explainFlags) request(cmd *cobra.Command, path string) (explain.Request, error) {
	req := explain.Request{Helo: f.helo, Name: f.name, AuthUser: f.user, Rcpt: f.rcpt, Outbound: f.outbound}
	if f.mailFromGiven {
		req.MailFrom = &f.mailFrom
	}
	var err error
	if req.Raw, err = readMessage(cmd, path); err != nil {
		return req, err
	}
	if f.ip != "" {
		ip, err := netip.ParseAddr(strings.TrimPrefix(strings.Trim(f.ip, "[]"), "IPv6:"))
		if err != nil {
			return req, usage("an address, as 192.0.2.25", "--ip: %w", err)
		}
		req.IP = ip.Unmap().WithZone("")
	}
	return req, nil
}

func readMessage(cmd *cobra.Command, path string) (string, error) {
	in := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", problem.Fail("give the file of a message, or - for standard input", "%w", err)
		}
		defer file.Close()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxMessage+1))
	if err == nil && len(raw) > maxMessage {
		err = fmt.Errorf("%s is over %d MiB", path, maxMessage>>20)
	}
	if err != nil {
		return "", problem.Fail("", "%w", err)
	}
	return string(raw), nil
}
