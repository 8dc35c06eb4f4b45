package milter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	gomilter "github.com/emersion/go-milter"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// session is one milter connection: it turns frames into conn and a transaction
// and takes no decision. Everything runs on the connection's own goroutine.
type session struct {
	srv      *Server
	listener auth.Direction
	w        *wire
	terms    terms
	ctx      context.Context

	conn   conn
	macros macros
	msg    *transaction.Message // nil outside a transaction
	// dropped is how many transactions in a row came to nothing.
	dropped int
	// answering: the MTA waits for the verdict.
	answering bool
	// lastIP is the client of the last CONNECT, for the line that ends the log.
	lastIP netip.Addr
}

// conn is what is known about one SMTP connection.
type conn struct {
	client transaction.Client
	helo   string
	peer   *auth.Peer
}

var (
	errQuit     = errors.New("quit")
	errSequence = errors.New("command out of sequence")
	errShort    = errors.New("frame is too short")
)

// serve runs until the MTA ends the connection, breaks the protocol, or the
// server ends it.
func (s *session) serve() (err error) {
	defer s.reset()
	defer func() {
		if v := recover(); v != nil {
			s.srv.setup().Panicked("session")
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			if s.answering {
				sendReply(s.w, transaction.InternalError)
			}
		}
	}()
	f, err := s.w.read(true)
	if err != nil {
		return err
	}
	if gomilter.Code(f.code) != gomilter.CodeOptNeg {
		f.release()
		return fmt.Errorf("%w: the first frame is %q, not the MTA's offer", errSequence, f.code)
	}
	s.terms, err = agree(f.data)
	f.release()
	if err != nil {
		return err
	}
	if err := s.terms.answer(s.w); err != nil {
		return err
	}
	for {
		f, err := s.w.read(false)
		if err != nil {
			return err
		}
		err = s.handle(f)
		f.release()
		if err != nil {
			return err
		}
	}
}

// handle takes one frame and answers it, unless it was agreed not to.
func (s *session) handle(f frame) error {
	var err error
	switch gomilter.Code(f.code) {
	case gomilter.CodeMacro:
		s.macros.set(f.data)
		return nil
	case gomilter.CodeAbort:
		s.endMessage()
		return nil
	case gomilter.CodeQuit:
		return errQuit
	case gomilter.CodeQuitNewConn:
		s.reset()
		s.macros = macros{}
		return nil
	case gomilter.CodeConn:
		err = s.connect(f.data)
	case gomilter.CodeHelo:
		s.endMessage()
		s.conn.helo = shorten(cString(f.data))
	case gomilter.CodeMail:
		s.mail(cString(f.data))
	case gomilter.CodeRcpt:
		err = s.rcpt(cString(f.data))
	case gomilter.CodeHeader:
		err = s.header(f.data)
	case gomilter.CodeEOH:
		err = s.endOfHeader()
	case gomilter.CodeBody:
		err = s.body(f.data)
	case gomilter.CodeEOB:
		return s.endOfBody(f.data)
	case gomilter.CodeData, codeUnknown:
		// Not asked for (SMFIP_NODATA, SMFIP_NOUNKNOWN); an old MTA may not know
		// the flags.
	default:
		return fmt.Errorf("%w: unknown command %q", errSequence, f.code)
	}
	if err != nil || s.terms.silent(f.code) {
		return err
	}
	return s.w.write(byte(gomilter.ActContinue))
}

// codeUnknown is SMFIC_UNKNOWN, an SMTP command that the MTA does not know.
const codeUnknown = gomilter.Code('U')

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// maxName bounds what is kept of a client's name, HELO and MAIL FROM. RFC 1035
// §2.3.4: a domain has 255 octets at most, some 1,000 as U-labels, so a name that is
// cut was none, and is none; SPF still sees that it is too long to be shown.
const maxName = 4096

func shorten(name string) string {
	if len(name) > maxName {
		return strings.Clone(name[:maxName])
	}
	return name
}

// shortenPath takes from the left, as RFC 7208 §7.3 does: the domain stays. A path
// has 256 octets at most (RFC 5321 §4.5.3.1.3), and the MTAs take none of 2,048.
func shortenPath(path string) string {
	if len(path) > maxName {
		return strings.Clone(path[len(path)-maxName:])
	}
	return path
}

func (s *session) connect(data []byte) error {
	s.reset()
	host, rest, ok := bytes.Cut(data, []byte{0})
	if !ok || len(rest) < 1 {
		return fmt.Errorf("connect: %w", errShort)
	}
	c := transaction.Client{Name: shorten(string(host)), Family: rest[0]}
	rest = rest[1:]
	if c.Family == '4' || c.Family == '6' {
		if len(rest) < 2 {
			return fmt.Errorf("connect: %w", errShort)
		}
		c.Port = binary.BigEndian.Uint16(rest)
		c.IP = transaction.ParseIP(cString(rest[2:]))
	}
	s.conn.client, s.lastIP = c, c.IP
	set := s.srv.setup()
	h := transaction.Hints{Listener: s.listener, Client: c, DaemonName: s.macros.get("daemon_name")}
	if transaction.Classify(set.Rules, h).Direction == auth.Inbound {
		s.conn.peer = set.Auth.Connect(s.ctx, c.IP)
	}
	return nil
}

// address takes one pair of angle brackets away; Postfix's sendmail(1) mail
// has none.
func address(s string) string {
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

// maxDropped is how many transactions a client may drop in a row before nothing
// is asked ahead for it any more: MAIL and RSET in a loop would have the
// resolver ask thousands of questions a second that nobody needs.
const maxDropped = 3

func (s *session) mail(from string) {
	s.dropMessage() // without ABORT or end of body: its macros have just come
	s.w.open.Store(true)
	set := s.srv.setup()
	s.msg = transaction.Begin(s.ctx, set, transaction.Offer{
		Hints: transaction.Hints{
			Listener: s.listener, Client: s.conn.client,
			AuthUser: s.macros.get("auth_authen"), DaemonName: s.macros.get("daemon_name"),
		},
		Helo: s.conn.helo, MailFrom: shortenPath(address(from)), Peer: s.conn.peer, Memory: &s.srv.memory,
		MTA: transaction.MTA{
			Name: s.macros.get("j"), Version: s.macros.get("v"), HidesFirst: s.macros.hidesFirst(),
			Sendmail: set.MTA == "sendmail" || set.MTA != "postfix" && s.macros.sendmail(),
		},
	})
	if s.dropped < maxDropped {
		s.msg.Authenticate()
	}
}

func (s *session) rcpt(to string) error {
	if s.msg == nil || s.msg.Complete() { // checks have their envelope
		return fmt.Errorf("rcpt: %w", errSequence)
	}
	s.msg.Recipient(address(to))
	return nil
}

func (s *session) header(data []byte) error {
	if s.msg == nil || s.msg.Complete() { // checks and signatures have their header
		return fmt.Errorf("header: %w", errSequence)
	}
	name, value, ok := bytes.Cut(data, []byte{0})
	if !ok {
		return fmt.Errorf("header: %w", errShort)
	}
	// Only the last NUL ends the value; one inside is part of the message.
	value = bytes.TrimSuffix(value, []byte{0})
	s.msg.Field(string(name), string(value), s.terms.leadingSpace())
	return nil
}

func (s *session) endOfHeader() error {
	if s.msg == nil {
		return fmt.Errorf("end of header: %w", errSequence)
	}
	s.msg.EndOfHeader()
	return nil
}

func (s *session) body(data []byte) error {
	if s.msg == nil {
		return fmt.Errorf("body: %w", errSequence)
	}
	s.msg.Body(data)
	return nil
}

// progressEvery is how often the MTA hears from us while it waits at the end
// of body; Sendmail gives up after 10 s of silence by default.
const progressEvery = 3 * time.Second

func (s *session) endOfBody(data []byte) error {
	if s.msg == nil {
		return fmt.Errorf("end of body: %w", errSequence)
	}
	defer func() {
		s.endMessage()
		s.dropped = 0
	}()
	m := s.msg
	m.Body(data)
	queueID := s.macros.get("i")
	s.answering = true

	done := make(chan *transaction.Decision, 1)
	go func() { done <- m.Finish(queueID) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case d := <-done:
			err := s.answer(m, d)
			s.answering = false
			return err
		case <-tick.C:
			if err := s.w.write(actProgress); err != nil {
				m.Cancel()
				<-done
				return err
			}
		}
	}
}

// actProgress is SMFIR_PROGRESS.
const actProgress = 'p'

func (s *session) answer(m *transaction.Message, d *transaction.Decision) error {
	if d.Reply == nil && !d.Discard {
		if err := apply(s.w, s.terms, d.Edits); err != nil {
			return err
		}
	}
	m.Tell(d)
	switch {
	case d.Reply != nil:
		return sendReply(s.w, *d.Reply)
	case d.Discard:
		return s.w.write(byte(gomilter.ActDiscard))
	}
	return s.w.write(byte(gomilter.ActContinue))
}

// dropMessage ends what is going on for the message.
func (s *session) dropMessage() {
	if s.msg != nil {
		s.msg.Close()
		s.msg = nil
		s.dropped++
	}
}

// endMessage drops the message; the connection's facts stay.
func (s *session) endMessage() {
	s.dropMessage()
	s.macros.endMessage()
	s.w.open.Store(false)
}

// reset drops everything about the SMTP connection.
func (s *session) reset() {
	s.endMessage()
	s.conn.peer.Close()
	s.conn, s.dropped = conn{}, 0
}
