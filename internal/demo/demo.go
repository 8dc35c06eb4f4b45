// Package demo plays the whole job in one process: keys, a signed message, its
// arrival, a spoof and forged results, through the real server on a unix socket.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/milter"
	"github.com/sealmilter/sealmilter/milter/client"
)

// demo is one run: the daemon, the zone, the transcript.
type demo struct {
	out    io.Writer
	path   string // of the socket
	failed []string
}

// Run plays the transcript to out; what is not as it should be is an error.
func Run(ctx context.Context, out io.Writer) error {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "sealmilter-demo-")
	if err != nil {
		return problem.Fail("set TMPDIR to a folder that you may write to", "%w", err)
	}
	defer os.RemoveAll(dir)
	d := &demo{out: out, path: filepath.Join(dir, "milter.sock")}

	fmt.Fprintln(out, "sealmilter demo: the whole job in one process, without root, DNS or MTA.")
	fmt.Fprint(out, "The configuration is three lines:\n\n", indent("    ", configText))
	zone, err := d.makeKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	stop, err := d.serve(ctx, dir, zone)
	if err != nil {
		return err
	}
	err = d.play()
	if stopErr := stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return problem.Fail("this is a bug: please report it with the transcript above", "demo: %w", err)
	}
	if len(d.failed) > 0 {
		return problem.Fail("this is a bug: please report it with the transcript above", "not as it should be: %s", strings.Join(d.failed, "; "))
	}
	fmt.Fprintf(out, "\nAll came out as it should, in %s.\n", time.Since(begin).Round(10*time.Millisecond))
	return nil
}

func (d *demo) makeKeys(dir string) (*resolve.Zone, error) {
	d.title("1. Keys for example.com", "sealmilter keys new example.com")
	made, err := keys.Generate(dir, "example.com", keys.GenerateOptions{})
	if err != nil {
		return nil, err
	}
	zone := resolve.MustZone(zoneText)
	for _, k := range made {
		if err := zone.Add(k.Name(), "TXT", publish.Record(k)); err != nil {
			return nil, err
		}
		fmt.Fprintf(d.out, "    %-40s TXT  %s\n", k.Name(), ellipsis(publish.Record(k), 44))
	}
	fmt.Fprintln(d.out, "    (put into the demo's DNS, with SPF and DMARC p=reject for example.com)")
	return zone, nil
}

// serve starts the real server on a unix socket; stop ends it.
func (d *demo) serve(ctx context.Context, dir string, zone *resolve.Zone) (stop func() error, err error) {
	cfg, problems := config.Parse("demo.yaml", []byte(configText))
	if err := problems.Err(); err != nil {
		return nil, err
	}
	cfg.Sign.Keys = filepath.Join(dir, "keys")
	store, broken := assemble.Keys(cfg, nil)
	if slices.ContainsFunc(broken, func(p keys.Problem) bool { return p.Severity == keys.Error }) {
		return nil, errors.New(broken[0].String())
	}
	set := assemble.Setup(cfg, assemble.Parts{Keys: store, Resolver: zone, Log: slog.New(slog.DiscardHandler)})
	l, err := socket.Listen("unix", d.path, socket.Options{Mode: 0o600})
	if err != nil {
		return nil, err
	}
	srv := milter.NewServer(assemble.Server(cfg), set)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(milter.Listener{Listener: l}) }()
	return func() error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return errors.Join(srv.Shutdown(ctx), <-done)
	}, nil
}

func (d *demo) play() error {
	d.title("2. Alice submits a message on port 587, logged in", "")
	fmt.Fprint(d.out, indent("    > ", headOf(mailText)))
	signed, err := d.send(
		client.Peer{IP: homeIP, Helo: "laptop", Daemon: "ORIGINATING"},
		client.Message{AuthUser: "alice@example.com", MailFrom: "alice@example.com", RcptTo: []string{"bob@example.net"}, Raw: mailText})
	if err != nil {
		return err
	}
	d.fields(signed.Raw, "DKIM-Signature")
	d.check("the message carries two signatures, RSA on top",
		signed.Code == 250 && regexp.MustCompile(`(?s)^DKIM-Signature:[^\n]*a=rsa-sha256.*DKIM-Signature:[^\n]*a=ed25519-sha256`).MatchString(signed.Raw))

	d.title("3. The signed message arrives by SMTP from 192.0.2.25", "")
	arrived, err := d.send(
		client.Peer{IP: mailOutIP, Name: "mail.example.com", Helo: "mail.example.com"},
		client.Message{MailFrom: "alice@example.com", RcptTo: []string{"bob@example.net"}, Raw: signed.Raw})
	if err != nil {
		return err
	}
	d.fields(arrived.Raw, "Authentication-Results")
	results := topField(arrived.Raw)
	d.check("dkim=pass twice, spf=pass, dmarc=pass", arrived.Code == 250 && strings.Count(results, "dkim=pass") == 2 &&
		strings.Contains(results, "spf=pass") && strings.Contains(results, "dmarc=pass"))

	d.title("4. 203.0.113.66 pretends to be a bank that publishes p=reject", "")
	fmt.Fprint(d.out, indent("    > ", headOf(spoofText)))
	spoof, err := d.send(
		client.Peer{IP: dslIP, Name: "dsl-66.isp.example", Helo: "bank.example"},
		client.Message{MailFrom: "security@bank.example", RcptTo: []string{"bob@example.com"}, Raw: spoofText})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "    < %d %s\n", spoof.Code, spoof.Text)
	d.check("rejected while the sender is still connected", spoof.Code == 550 && strings.HasPrefix(spoof.Text, "5.7.1 "))

	d.title("5. A message brings Authentication-Results in our name", "")
	fmt.Fprint(d.out, indent("    > ", headOf(forgedText)))
	forged, err := d.send(
		client.Peer{IP: dslIP, Name: "dsl-66.isp.example", Helo: "isp.example"},
		client.Message{MailFrom: "mallory@isp.example", RcptTo: []string{"bob@example.com"}, Raw: forgedText})
	if err != nil {
		return err
	}
	d.fields(forged.Raw, "Authentication-Results")
	d.check("the two forged fields are gone, ours is the only one", forged.Code == 250 &&
		strings.Count(forged.Raw, "Authentication-Results:") == 1 && strings.HasPrefix(forged.Raw, "Authentication-Results:") &&
		!strings.Contains(forged.Raw, "bank.example"))
	return nil
}

// send plays one SMTP session with one message.
func (d *demo) send(p client.Peer, m client.Message) (client.Answer, error) {
	s, err := client.Dial("unix", d.path)
	if err != nil {
		return client.Answer{}, err
	}
	defer s.Close()
	if err := s.Connect(p); err != nil {
		return client.Answer{}, err
	}
	m.QueueID = "4dEMo0001"
	return s.Send(m)
}
