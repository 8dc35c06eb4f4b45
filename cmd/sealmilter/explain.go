package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/secondopinion"
	"github.com/sealmilter/sealmilter/internal/transaction"
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
				return printJSON(cmd, x.report())
			}
			x.print(cmd.OutOrStdout())
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

// explained is what explain found.
type explained struct {
	transaction.Explanation
	question   transaction.Question
	authservID string
	noFile     bool // there is no configuration
	guessed    bool // the client was taken from Received
	left       int  // fields on top that were left out
	// second has a verdict a signature, in order: of the message as it is when
	// it comes in, and as we would send it when it is ours.
	second    []secondopinion.Verdict
	secondErr error
}

func (f *explainFlags) explain(ctx context.Context, cmd *cobra.Command, path string) (*explained, error) {
	kf := keyFlags{config: f.config}
	cfg, err := kf.load(cmd)
	if err != nil {
		return nil, err
	}
	noFile := cfg.AuthservID == "" // a file that loads has one, or the host's name
	if noFile {
		if cfg.AuthservID, err = (config.Loader{}).HostID(); err != nil {
			cfg.AuthservID = noName
		}
	}
	q, guessed, left, err := f.question(cmd, path)
	if err != nil {
		return nil, err
	}
	q.Sendmail = cfg.MTA == "sendmail"
	r, closeResolver, err := assemble.ZoneOrDNS(cfg.DNS, f.zone)
	if err != nil {
		return nil, err
	}
	defer closeResolver()
	store, problems := assemble.Keys(cfg, nil)
	set := assemble.Setup(cfg, assemble.Parts{Keys: store, Resolver: r, Log: slog.New(slog.DiscardHandler)})
	x := &explained{question: q, guessed: guessed, left: left, authservID: cfg.AuthservID, noFile: noFile}
	x.Explanation = transaction.Explain(ctx, set, q)
	h := q.Header
	if x.Direction == auth.Outbound {
		printKeyProblems(cmd.ErrOrStderr(), problems)
		h = x.Header
	}
	x.second, x.secondErr = secondopinion.VerifyMessage(io.MultiReader(strings.NewReader(rawHeader(h)), strings.NewReader(q.Body)),
		func(name string) ([]string, error) {
			answer, err := r.LookupTXT(ctx, name)
			if resolve.Void(err) {
				return nil, nil
			}
			return answer.Records, err
		})
	return x, nil
}

func rawHeader(h header.Fields) string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.Raw())
	}
	return b.String() + "\r\n"
}

// question reads the message and finds out what the flags do not say.
func (f *explainFlags) question(cmd *cobra.Command, path string) (q transaction.Question, guessed bool, left int, err error) {
	raw, err := readMessage(cmd, path)
	if err != nil {
		return q, false, 0, err
	}
	q.Header, q.Body = splitMessage(raw)
	q.Helo, q.MailFrom, q.AuthUser, q.Recipients = f.helo, trimAngles(f.mailFrom), f.user, f.rcpt
	if !f.mailFromGiven {
		v, _ := q.Header.First("Return-Path")
		q.MailFrom = trimAngles(header.Unfold(v))
	}
	if f.outbound {
		q.Listener = auth.Outbound
	}
	q.Client = transaction.Client{Family: 'U', Port: 25000, Name: f.name}
	if f.ip != "" {
		ip, err := netip.ParseAddr(strings.TrimPrefix(strings.Trim(f.ip, "[]"), "IPv6:"))
		if err != nil {
			return q, false, 0, usage("an address, as 192.0.2.25", "--ip: %w", err)
		}
		q.Client.IP = ip.Unmap().WithZone("")
	}
	ours := f.outbound || f.user != ""
	if at, r, ok := arrival(q.Header); ok && !ours && (f.ip == "" || r.Client == q.Client.IP && !slices.Contains(login, r.With)) {
		guessed = f.ip == ""
		q.Client.IP, left = r.Client, at+1
		if q.Helo == "" {
			q.Helo = r.Helo
		}
	} else {
		left = delivered(q.Header)
	}
	q.Header = q.Header[left:]
	switch {
	case q.Client.IP.Is4():
		q.Client.Family = '4'
	case q.Client.IP.Is6():
		q.Client.Family = '6'
	case !ours:
		return q, false, 0, usage(
			"say who handed the message over: --ip and --helo, or --auth USER for one of ours", "no Received field names the client")
	}
	return q, guessed, left, nil
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

// splitMessage cuts a message into its fields and its body, with CRLF line
// ends. An mbox's first line is left out; a line that is no field begins the
// body, as in Postfix.
func splitMessage(raw string) (header.Fields, string) {
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	if strings.HasPrefix(raw, "From ") {
		_, raw, _ = strings.Cut(raw, "\r\n")
	}
	var h header.Fields
	for raw != "" {
		line, rest, _ := strings.Cut(raw, "\r\n")
		if line == "" {
			return h, rest
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case (line[0] == ' ' || line[0] == '\t') && len(h) > 0:
			h[len(h)-1].Value += "\r\n" + line
		case !ok || strings.ContainsAny(strings.TrimRight(name, " \t"), " \t") || strings.TrimSpace(name) == "":
			return h, raw
		default:
			h = append(h, header.Field{Name: name, Value: value})
		}
		raw = rest
	}
	return h, ""
}

// login are the protocols of a client that logged in (RFC 3848 and, for the UTF8
// ones, RFC 6531): such a message was not handed over from outside, and a web
// mailer on the host itself has the address that receivers see.
var login = []string{"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA", "HTTP", "HTTPS"}

// arrival finds the Received field of the host that took the message from
// outside, with its place: the topmost that names a client other than the host
// itself.
func arrival(h header.Fields) (at int, r header.Received, ok bool) {
	at, r = transaction.FirstOutside(h, func(netip.Addr) bool { return false })
	return at, r, at >= 0 && r.Client.IsValid()
}

// delivered counts the fields on top that the delivery into a mailbox added.
func delivered(h header.Fields) int {
	for i, f := range h {
		switch {
		case f.Is("Return-Path"), f.Is("Delivered-To"), f.Is("X-Original-To"), f.Is("Envelope-To"):
		case f.Is("Received") && strings.HasPrefix(header.ParseReceived(f.Value).With, "LMTP"):
		default:
			return i
		}
	}
	return len(h)
}

func trimAngles(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "<"), ">")
}
