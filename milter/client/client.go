// Package client plays the MTA's part of a milter session: it tells the daemon
// of a connection and its messages as Postfix would, and applies the edits that
// come back. demo, setup's self-test and the protocol tests use it.
//
// It speaks through go-milter's client. It deliberately sends no mail.
package client

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	gomilter "github.com/emersion/go-milter"

	"github.com/sealmilter/sealmilter/internal/postfix/version"
)

// Peer is the SMTP client that the MTA tells the milter about.
type Peer struct {
	IP   netip.Addr // invalid: a unix socket, as a local program
	Port uint16     // Postfix says 0 for its sendmail command
	Name string     // verified host name; "" becomes "[IP]"
	Helo string
	// Daemon is {daemon_name}: "ORIGINATING" on a submission service.
	Daemon string
	// MTA is the v macro; "" becomes "Postfix 3.7.11". A Postfix that hides the
	// first field of every message, which is meant to be its own Received, does so
	// here too: Message.Raw begins with it.
	MTA string
}

// Message is one transaction.
type Message struct {
	AuthUser string // {auth_authen}
	MailFrom string // without angle brackets
	RcptTo   []string
	QueueID  string
	Raw      string // header section, empty line, body; line ends LF or CRLF
}

// Answer is what the milter did.
type Answer struct {
	Code int    // 250 for accepted, else the reply's
	Text string // the reply, "5.7.1 ..." ("%%" is "%" again)
	// Raw is the message as it goes on: with the edits, line ends CRLF.
	Raw string
	// Held is the quarantine reason, "" when the message is not held.
	Held    string
	Discard bool
	Edits   int
}

// Session is one milter connection, which carries one SMTP connection.
type Session struct {
	s      *gomilter.ClientSession
	hidden int // fields at the top that the MTA shows to nobody
}

// offer is what Postfix 3.7 and Sendmail 8.17 offer.
var offer = gomilter.ClientOptions{
	ActionMask:   0x1ff,
	ProtocolMask: 0x1fffff,
	ReadTimeout:  time.Minute,
	WriteTimeout: time.Minute,
}

// Dial connects and negotiates. network is "unix" or "tcp".
func Dial(network, address string) (*Session, error) {
	s, err := gomilter.NewClientWithOptions(network, address, offer).Session()
	if err != nil {
		return nil, err
	}
	return &Session{s: s}, nil
}

// Close ends the session in order.
func (s *Session) Close() error { return s.s.Close() }

// Connect tells of a new SMTP connection. Once a session, before Send.
func (s *Session) Connect(p Peer) error {
	family, addr := gomilter.FamilyInet, p.IP.String()
	switch {
	case !p.IP.IsValid():
		family, addr = gomilter.FamilyUnix, "/dev/null"
	case p.IP.Is6():
		family = gomilter.FamilyInet6
	}
	name := p.Name
	if name == "" {
		name = "[" + addr + "]"
	}
	daemon := p.Daemon
	if daemon == "" {
		daemon = "smtpd"
	}
	mta := p.MTA
	if mta == "" {
		mta = "Postfix 3.7.11"
	}
	if v, ok := version.FromMacro(mta); ok && v.HidesFirst() {
		s.hidden = 1
	}
	if err := s.s.Macros(gomilter.CodeConn, "j", "mail.example.com", "{daemon_name}", daemon, "v", mta); err != nil {
		return err
	}
	if err := goOn(s.s.Conn(name, family, p.Port, addr)); err != nil {
		return err
	}
	return goOn(s.s.Helo(p.Helo))
}

var errEarly = errors.New("answer before the end of the message")

// goOn takes the answer to a step in the middle of a message. sealmilter says
// nothing there, or goes on.
func goOn(act *gomilter.Action, err error) error {
	if err != nil {
		return err
	}
	if act.Code != gomilter.ActContinue {
		return fmt.Errorf("%w: %q %s", errEarly, act.Code, act.SMTPText)
	}
	return nil
}

// Begin opens a transaction: MAIL and RCPT. Send does it for itself.
func (s *Session) Begin(m Message) error {
	var macros []string
	if m.AuthUser != "" {
		macros = append(macros, "{auth_type}", "PLAIN", "{auth_authen}", m.AuthUser)
	}
	if err := s.s.Macros(gomilter.CodeMail, macros...); err != nil {
		return err
	}
	if err := goOn(s.s.Mail(m.MailFrom, nil)); err != nil {
		return err
	}
	for _, to := range m.RcptTo {
		if err := goOn(s.s.Rcpt(to, nil)); err != nil {
			return err
		}
	}
	return nil
}

// Send runs one message through the milter.
func (s *Session) Send(m Message) (Answer, error) {
	if err := s.Begin(m); err != nil {
		return Answer{}, err
	}
	fields, body := split(m.Raw)
	edits, act, err := s.content(m.QueueID, fields, body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Edits: len(edits)}
	for _, e := range edits {
		if fields, err = s.apply(fields, e, &a); err != nil {
			return a, err
		}
	}
	a.Raw = join(fields, body)
	if err := a.reply(act); err != nil {
		return a, err
	}
	// Postfix sends ABORT after every end of message.
	return a, s.s.Abort()
}

// content sends header section and body, and returns what the milter does with them.
func (s *Session) content(queueID string, fields []field, body string) ([]gomilter.ModifyAction, *gomilter.Action, error) {
	for _, f := range fields[min(s.hidden, len(fields)):] {
		value := strings.ReplaceAll(f.value, "\r\n", "\n")
		if !s.leadingSpace() {
			value = strings.TrimPrefix(value, " ")
		}
		if err := s.s.Macros(gomilter.CodeHeader, "i", queueID); err != nil {
			return nil, nil, err
		}
		if err := goOn(s.s.HeaderField(f.name, value)); err != nil {
			return nil, nil, err
		}
	}
	if err := goOn(s.s.HeaderEnd()); err != nil {
		return nil, nil, err
	}
	for chunk := range slices.Chunk([]byte(body), gomilter.MaxBodyChunk) {
		if err := goOn(s.s.BodyChunk(chunk)); err != nil {
			return nil, nil, err
		}
	}
	if err := s.s.Macros(gomilter.CodeEOB, "i", queueID); err != nil {
		return nil, nil, err
	}
	return s.s.End()
}

// reply is what the SMTP client hears.
func (a *Answer) reply(act *gomilter.Action) error {
	switch act.Code {
	case gomilter.ActContinue, gomilter.ActAccept:
		a.Code, a.Text = 250, "2.0.0 Ok"
	case gomilter.ActDiscard:
		a.Code, a.Discard = 250, true
	case gomilter.ActReplyCode:
		a.Code, a.Text = act.SMTPCode, strings.ReplaceAll(act.SMTPText, "%%", "%")
	case gomilter.ActTempFail:
		a.Code = 451
	case gomilter.ActReject:
		a.Code = 550
	default:
		return fmt.Errorf("unexpected answer %q", act.Code)
	}
	return nil
}

func (s *Session) leadingSpace() bool { return s.s.ProtocolOption(gomilter.OptHeaderLeadingSpace) }
