// Package explain tells what the daemon would do with a message in a file, and why:
// a Request becomes a Report, which text and JSON are two renderings of.
package explain

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/secondopinion"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// Request is a message with what is known about how it was handed over.
type Request struct {
	Raw      string     // with LF or CRLF line ends; an mbox's first line is left out
	IP       netip.Addr // of the SMTP client; invalid to take it from Received
	Helo     string
	Name     string  // the client's verified host name
	AuthUser string  // who logged in: the message is ours
	MailFrom *string // nil: the Return-Path field's
	Rcpt     []string
	Outbound bool // the message is ours, however it came
}

// Report is all that is to be said about a message.
type Report struct {
	*transaction.Decision
	Question   transaction.Question // as it was put: without the fields that were left out
	AuthservID string
	NoConfig   string // the configuration file that is not there: the defaults decide
	Guessed    bool   // the client was taken from Received
	LeftOut    int    // fields on top that were added on arrival
	// Second has a verdict a signature, in order: of the message as it is when
	// it comes in, and as we would send it when it is ours.
	Second    []secondopinion.Verdict
	SecondErr error
}

// ErrNoClient: nobody says who handed the message over.
var ErrNoClient = errors.New("no Received field names the client")

// Message asks set what it does with a message, and r what the DNS says of it.
func Message(ctx context.Context, set *transaction.Setup, r resolve.Resolver, req Request) (*Report, error) {
	out := &Report{AuthservID: set.AuthservID}
	if err := out.put(req); err != nil {
		return nil, err
	}
	out.Question.Sendmail = set.MTA == "sendmail"
	x := transaction.Explain(ctx, set, out.Question)
	out.Decision = x.Decision
	h := out.Question.Header
	if x.Direction == auth.Outbound {
		h = x.Header
	}
	out.Second, out.SecondErr = secondopinion.VerifyMessage(io.MultiReader(strings.NewReader(raw(h)), strings.NewReader(out.Question.Body)),
		func(name string) ([]string, error) {
			answer, err := r.LookupTXT(ctx, name)
			if resolve.Void(err) {
				return nil, nil
			}
			return answer.Records, err
		})
	return out, nil
}

func raw(h header.Fields) string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.Raw())
	}
	return b.String() + "\r\n"
}

// put finds out what the request does not say.
func (x *Report) put(req Request) error {
	q := &x.Question
	q.Header, q.Body = split(req.Raw)
	q.Helo, q.AuthUser, q.Recipients = req.Helo, req.AuthUser, req.Rcpt
	if req.MailFrom != nil {
		q.MailFrom = trimAngles(*req.MailFrom)
	} else {
		v, _ := q.Header.First("Return-Path")
		q.MailFrom = trimAngles(header.Unfold(v))
	}
	if req.Outbound {
		q.Listener = auth.Outbound
	}
	q.Client = transaction.Client{Family: 'U', Port: 25000, Name: req.Name, IP: req.IP}
	ours := req.Outbound || req.AuthUser != ""
	if at, r, ok := arrival(q.Header); ok && !ours && (!req.IP.IsValid() || r.Client == req.IP && !slices.Contains(login, r.With)) {
		x.Guessed = !req.IP.IsValid()
		q.Client.IP, x.LeftOut = r.Client, at+1
		if q.Helo == "" {
			q.Helo = r.Helo
		}
	} else {
		x.LeftOut = delivered(q.Header)
	}
	q.Header = q.Header[x.LeftOut:]
	switch {
	case q.Client.IP.Is4():
		q.Client.Family = '4'
	case q.Client.IP.Is6():
		q.Client.Family = '6'
	case !ours:
		return ErrNoClient
	}
	return nil
}
