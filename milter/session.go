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
)

// session is one milter connection: it turns frames into conn and message and
// takes no decision. Everything runs on the connection's own goroutine.
type session struct {
	srv      *Server
	listener auth.Direction
	w        *wire
	terms    terms
	ctx      context.Context

	conn   conn
	macros macros
	msg    *message // nil outside a transaction
	// dropped is how many transactions in a row came to nothing.
	dropped int
	// answering: the MTA waits for the verdict.
	answering bool
	// lastIP is the client of the last CONNECT, for the line that ends the log.
	lastIP netip.Addr
}

// conn is what is known about one SMTP connection.
type conn struct {
	client Client
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
			s.srv.setup().Metrics.Panic("session")
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			if s.answering {
				sendReply(s.w, internalError)
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
	c := Client{Name: shorten(string(host)), Family: rest[0]}
	rest = rest[1:]
	if c.Family == '4' || c.Family == '6' {
		if len(rest) < 2 {
			return fmt.Errorf("connect: %w", errShort)
		}
		c.Port = binary.BigEndian.Uint16(rest)
		c.IP = parseIP(cString(rest[2:]))
	}
	s.conn.client, s.lastIP = c, c.IP
	set := s.srv.setup()
	h := Hints{Listener: s.listener, Client: c, DaemonName: s.macros.get("daemon_name")}
	if Classify(set.Rules, h).Direction == auth.Inbound {
		s.conn.peer = set.Auth.Connect(s.ctx, c.IP)
	}
	return nil
}

// parseIP reads an address as either MTA writes it: Sendmail puts "IPv6:" in
// front. Invalid when it is none.
func parseIP(s string) netip.Addr {
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
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
	h := Hints{
		Listener: s.listener, Client: s.conn.client,
		AuthUser: s.macros.get("auth_authen"), DaemonName: s.macros.get("daemon_name"),
	}
	s.msg = newMessage(s.ctx, set, h, s.conn, shortenPath(address(from)))
	if s.dropped < maxDropped {
		s.msg.authenticate()
	}
	s.msg.memory = &s.srv.memory
	s.msg.mtaName = s.macros.get("j")
	if s.msg.hidesFirst = s.macros.hidesFirst(); s.msg.hidesFirst {
		set.warnHidden(s.macros.get("v"))
	}
	s.msg.sendmail = set.MTA == "sendmail" || set.MTA != "postfix" && s.macros.sendmail()
}

// maxRecipients bounds how many recipients policy can see; the MTA delivers to
// all of them.
const maxRecipients = 1000

func (s *session) rcpt(to string) error {
	if s.msg == nil || s.msg.complete { // checks have their envelope
		return fmt.Errorf("rcpt: %w", errSequence)
	}
	if len(s.msg.env.Recipients) < maxRecipients && s.msg.hold(len(to)) {
		s.msg.env.Recipients = append(s.msg.env.Recipients, address(to))
	}
	return nil
}

func (s *session) header(data []byte) error {
	if s.msg == nil || s.msg.complete { // checks and signatures have their header
		return fmt.Errorf("header: %w", errSequence)
	}
	name, value, ok := bytes.Cut(data, []byte{0})
	if !ok {
		return fmt.Errorf("header: %w", errShort)
	}
	// Only the last NUL ends the value; one inside is part of the message.
	value = bytes.TrimSuffix(value, []byte{0})
	s.msg.addField(string(name), string(value), s.terms.leadingSpace())
	return nil
}

func (s *session) endOfHeader() error {
	if s.msg == nil {
		return fmt.Errorf("end of header: %w", errSequence)
	}
	s.msg.headersDone()
	return nil
}

func (s *session) body(data []byte) error {
	if s.msg == nil {
		return fmt.Errorf("body: %w", errSequence)
	}
	s.msg.headersDone() // libmilter sends the end of header even without a body; be sure
	s.msg.write(data)
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
	if len(data) > 0 {
		m.write(data)
	}
	m.headersDone()
	m.env.QueueID = s.macros.get("i")
	s.answering = true

	done := make(chan outcome, 1)
	go func() { done <- m.finish() }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case o := <-done:
			err := s.answer(m, o)
			s.answering = false
			return err
		case <-tick.C:
			if err := s.w.write(actProgress); err != nil {
				m.cancel()
				<-done
				return err
			}
		}
	}
}

// actProgress is SMFIR_PROGRESS.
const actProgress = 'p'

func (s *session) answer(m *message, o outcome) error {
	if o.reply == nil && !o.discard {
		if err := apply(s.w, s.terms, o.edits); err != nil {
			return err
		}
	}
	m.logLine(o)
	switch {
	case o.reply != nil:
		return sendReply(s.w, *o.reply)
	case o.discard:
		return s.w.write(byte(gomilter.ActDiscard))
	}
	return s.w.write(byte(gomilter.ActContinue))
}

// dropMessage ends what is going on for the message.
func (s *session) dropMessage() {
	if s.msg != nil {
		s.msg.close()
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
