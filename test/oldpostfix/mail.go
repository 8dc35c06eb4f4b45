package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/milter/client"
)

// sendmail takes one message of a local program and passes it through
// non_smtpd_milters at once, where Postfix has pickup do it.
func (f *fake) sendmail(args []string) error {
	f.hang("sendmail")
	from := ""
	for i, a := range args {
		switch a {
		case "-C":
			f.dir = args[i+1]
		case "-f":
			from = args[i+1]
		}
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	if err != nil {
		return err
	}
	own := "Received: by mail.example.com (Postfix, from userid 0)\r\n\tid 4QLOCAL; Fri, 27 Nov 2026 12:00:00 +0000 (UTC)\r\n"
	peer := client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Name: "localhost", Helo: "localhost"}
	_, err = f.filter("non_smtpd_milters", peer, client.Message{MailFrom: from, RcptTo: args[len(args)-1:], QueueID: "4QLOCAL", Raw: string(text)}, own)
	return err
}

// filter puts our own Received on top, unless header_checks drop it, and has each
// milter of the list see the message, one after the other.
func (f *fake) filter(list string, peer client.Peer, m client.Message, received string) (client.Answer, error) {
	v, err := f.values()
	if err != nil {
		return client.Answer{}, err
	}
	if v.Get("header_checks") == "" {
		m.Raw = received + strings.ReplaceAll(strings.ReplaceAll(m.Raw, "\r\n", "\n"), "\n", "\r\n")
	}
	peer.MTA = "Postfix " + f.text
	peer.Daemon = v.Get("milter_macro_daemon_name")
	answer := client.Answer{Code: 250, Raw: m.Raw}
	for _, item := range postfix.List(v.Get(list)) {
		if strings.HasPrefix(item, "{") && !f.version.AtLeast(3, 0) {
			return answer, fmt.Errorf("bad milter: %s", item)
		}
		action := v.Get("milter_default_action")
		milter := postfix.Milters(item)[0]
		if milter.DefaultAction != "" {
			action = milter.DefaultAction
		}
		a, err := f.ask(filepath.Join(v.Get("queue_directory"), strings.TrimPrefix(milter.Address, "unix:")), peer, m)
		switch {
		case err != nil && action == "accept":
			f.called("milter", []string{milter.Address, "accept:", err.Error()})
			continue
		case err != nil:
			return client.Answer{Code: 451, Text: "4.7.1 Service unavailable - try again later"}, nil
		case a.Code != 250 || a.Discard:
			return a, nil
		}
		answer, m.Raw = a, a.Raw
	}
	f.called("passed", []string{answer.Raw})
	return answer, nil
}

func (f *fake) ask(socket string, peer client.Peer, m client.Message) (client.Answer, error) {
	s, err := client.Dial("unix", socket)
	if err != nil {
		return client.Answer{}, err
	}
	defer s.Close()
	if err := s.Connect(peer); err != nil {
		return client.Answer{}, err
	}
	return s.Send(m)
}

// master serves SMTP on the address of -l, for the instance of -c, until it is
// killed.
func (f *fake) master(args []string) error {
	if len(args) != 4 || args[0] != "-c" || args[2] != "-l" {
		return errors.New("usage: master -c config_dir -l address")
	}
	f.dir = args[1]
	l, err := net.Listen("tcp", args[3])
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go f.smtpd(c)
	}
}

func (f *fake) smtpd(c net.Conn) {
	defer c.Close()
	r := textproto.NewReader(bufio.NewReader(c))
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	m := client.Message{QueueID: "4QSMTP"}
	peer := client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Port: 4000, Name: "localhost"}
	say("220 mail.example.com ESMTP Postfix")
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		path := strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(rest), "from:<"), ">")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			peer.Helo = rest
			say("250-mail.example.com")
			say("250 8BITMIME")
		case "MAIL":
			if strings.Contains(strings.ToUpper(rest), "SMTPUTF8") {
				say("555 5.5.4 Unsupported option: SMTPUTF8")
				continue
			}
			m.MailFrom, _, _ = strings.Cut(path, ">")
			say("250 2.1.0 Ok")
		case "RCPT":
			m.RcptTo = []string{strings.TrimPrefix(path, "to:<")}
			say("250 2.1.5 Ok")
		case "DATA":
			say("354 End data with <CR><LF>.<CR><LF>")
			text, err := r.ReadDotBytes()
			if err != nil {
				return
			}
			m.Raw = string(text)
			own := "Received: from localhost (localhost [127.0.0.1])\r\n\tby mail.example.com (Postfix) with ESMTP id 4QSMTP; Fri, 27 Nov 2026 12:00:00 +0000 (UTC)\r\n"
			a, err := f.filter("smtpd_milters", peer, m, own)
			switch {
			case err != nil:
				f.called("fatal", []string{err.Error()})
				say("451 4.3.0 Error: queue file write error")
			case a.Code != 250:
				say(fmt.Sprintf("%d %s", a.Code, a.Text))
			default:
				say("250 2.0.0 Ok: queued as 4QSMTP")
			}
		case "QUIT":
			say("221 2.0.0 Bye")
			return
		default:
			say("250 2.0.0 Ok")
		}
	}
}
