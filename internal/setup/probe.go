package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/sealmilter/sealmilter/internal/child"
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

// Probe is the child: it reads what to send from in and writes to out what came
// of it. The command line has it as `setup probe`.
func Probe(in io.Reader, out io.Writer) error {
	var p probe
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return err
	}
	var told probed
	var err error
	if told.Answer, err = p.send(); err != nil {
		told.Err = err.Error()
	}
	return json.NewEncoder(out).Encode(told)
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

// mtaSide is who connects to the milter, from which folder, and where to.
type mtaSide struct{ user, dir, network, address string }

// postfixSide is smtpd: Postfix's user, in the queue directory, by the name that
// main.cf will hold.
func postfixSide(h postfix.Host, milter string) mtaSide {
	m := mtaSide{user: h.Values.Get("mail_owner"), dir: h.Values.Get("queue_directory"), network: "unix"}
	kind, address, _ := strings.Cut(milter, ":")
	if m.address = address; kind == "inet" {
		m.network = "tcp"
	}
	return m
}

// as runs the probe the way the MTA would.
func (p probe) as(ctx context.Context, mta mtaSide) (client.Answer, error) {
	p.Network, p.Address = mta.network, mta.address
	if os.Geteuid() != 0 {
		return client.Answer{}, fmt.Errorf("only root can be user %s", mta.user)
	}
	in, err := json.Marshal(p)
	if err != nil {
		return client.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, programFor)
	defer cancel()
	cmd, err := child.Command(ctx, mta.user, "/proc/self/exe", "setup", "probe")
	if err != nil {
		return client.Answer{}, err
	}
	cmd.Dir, cmd.Stdin = mta.dir, bytes.NewReader(in)
	data, err := child.Output(cmd)
	if err != nil {
		return client.Answer{}, fmt.Errorf("the self-test does not run: %w", err)
	}
	var out probed
	if err := json.Unmarshal([]byte(data), &out); err != nil {
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
