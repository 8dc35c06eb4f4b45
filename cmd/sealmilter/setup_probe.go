package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/milter/client"
)

// probe is one message through the milter's socket, sent by a child process
// that runs as the MTA's user.
type probe struct {
	Network, Address string
	Peer             client.Peer
	Message          client.Message
}

type probed struct {
	Answer client.Answer
	Err    string
}

// newSetupProbe is the child. It is hidden: nobody has a use for it by hand.
func newSetupProbe() *cobra.Command {
	return &cobra.Command{
		Use:    "probe",
		Short:  "send one message to a milter, as set-up's self-test does",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var p probe
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&p); err != nil {
				return err
			}
			var out probed
			var err error
			if out.Answer, err = p.send(); err != nil {
				out.Err = err.Error()
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(out)
		},
	}
}

func (p probe) send() (client.Answer, error) {
	s, err := client.Dial(p.Network, p.Address)
	if err != nil {
		return client.Answer{}, err
	}
	defer s.Close()
	if err := s.Connect(p.Peer); err != nil {
		return client.Answer{}, err
	}
	return s.Send(p.Message)
}

// as runs the probe the way smtpd would: as Postfix's user, in the queue
// directory, by the name that main.cf will hold.
func (p probe) as(ctx context.Context, h postfix.Host, milter string) (client.Answer, error) {
	kind, address, _ := strings.Cut(milter, ":")
	if p.Network, p.Address = "unix", address; kind == "inet" {
		p.Network = "tcp"
	}
	cred, err := credential(h.Values.Get("mail_owner"))
	if err != nil {
		return client.Answer{}, err
	}
	in, err := json.Marshal(p)
	if err != nil {
		return client.Answer{}, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "setup", "probe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	cmd.Dir = h.Values.Get("queue_directory")
	cmd.Env = []string{}
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	data, err := cmd.Output()
	if err != nil {
		return client.Answer{}, fmt.Errorf("the self-test does not run: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var out probed
	if err := json.Unmarshal(data, &out); err != nil {
		return client.Answer{}, err
	}
	if out.Err != "" {
		return out.Answer, errors.New(out.Err)
	}
	return out.Answer, nil
}

// ownProbe is a message of a program on this host, as Postfix's sendmail
// command hands it over.
func ownProbe(domain, raw string) probe {
	return probe{
		Peer:    client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Name: "localhost", Helo: "localhost", Daemon: "ORIGINATING"},
		Message: client.Message{MailFrom: "postmaster@" + domain, RcptTo: []string{"postmaster@" + domain}, QueueID: "SETUP", Raw: raw},
	}
}

// foreignProbe is a message of a stranger. RFC 5737: the address is nobody's;
// RFC 6761: the domain does not exist, so that no policy stands behind it.
func foreignProbe(domain string) probe {
	return probe{
		Peer: client.Peer{IP: netip.MustParseAddr("192.0.2.1"), Helo: "setup.invalid"},
		Message: client.Message{MailFrom: "setup@setup.invalid", RcptTo: []string{"postmaster@" + domain}, QueueID: "SETUP",
			Raw: "From: Set-up <setup@setup.invalid>\r\nTo: postmaster@" + domain + "\r\nSubject: test of inbound mail\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <setup@setup.invalid>\r\n\r\nThis message is never delivered.\r\n"},
	}
}
