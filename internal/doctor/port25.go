package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

const (
	// port25For bounds the whole try.
	port25For = 5 * time.Second
	// maxGreeting is a reply line of RFC 5321 §4.5.3.1.5.
	maxGreeting = 512
)

// Dialer makes connections; net.Dialer.DialContext is one.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Port25 tries whether this host reaches the port to which mail is sent (RFC 5321
// §4.5.4.2): it waits for the greeting of host, says QUIT and sends nothing else.
func Port25(ctx context.Context, dial Dialer, host, domain string) Finding {
	ctx, cancel := context.WithTimeout(ctx, port25For)
	defer cancel()
	f := Finding{Level: Fail, Check: "port25", Subject: host, Who: Provider,
		Ask: []words.Text{
			words.Say("to a cloud (a form or a ticket: \"remove email sending limits\", \"open outgoing port 25\"): Please open outgoing TCP port 25 for our instance. "+
				"It is the mail server of %s and signs what it sends with DKIM; complaints reach us at %s.", domain, "abuse@"+domain),
			words.Say("to an Internet provider: Please open outgoing TCP port 25 of our line, on whose fixed address we run the mail server of %s.", domain),
		}}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(host, "25"))
	if err != nil {
		var lookup *net.DNSError
		f.Seen = show(err.Error())
		switch {
		case errors.As(err, &lookup):
			f.Level, f.Who, f.Ask = Warn, You, nil
			f.Message, f.Want = words.Say("the host has no address here, so that nothing was tried"), words.Say("the name of a mail server elsewhere, as one MX of a large provider")
		case errors.Is(err, syscall.ECONNREFUSED):
			f.Level, f.Message = Warn, words.Say("refuses the connection at port 25: it takes no mail, or a firewall on the way answers for it")
			f.Want = words.Say("a greeting; try another host before you ask anybody")
		default:
			f.Message = words.Say("cannot be reached at port 25: clouds and home providers often block it, and then no mail leaves directly")
			f.Want = words.Say("port 25 open on the way out, or a relay (relayhost, SMART_HOST) at port 587 or 465")
		}
		return f
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := greeting(conn)
	switch {
	case strings.HasPrefix(line, "220"):
		_, _ = io.WriteString(conn, "QUIT\r\n")
		return Finding{Level: Pass, Check: "port25", Subject: host, Message: words.Say("greets at port 25: mail can leave (%s)", clip(line))}
	case line != "":
		f.Level, f.Message, f.Seen = Warn, words.Say("answers at port 25 without the greeting of a mail server: it refuses our address, or something on the way answers for it"), show(line)
	default:
		f.Message = words.Say("takes the connection at port 25 and does not greet: something on the way answers for it")
		if err != nil {
			f.Seen = show(err.Error())
		}
	}
	f.Want = words.Say("a greeting; try another host before you ask anybody")
	return f
}

// greeting reads one line, byte by byte: nothing behind it is ours to read.
func greeting(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < maxGreeting {
		if _, err := io.ReadFull(r, b); err != nil {
			return string(line), err
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	return strings.TrimRight(string(line), "\r"), nil
}
