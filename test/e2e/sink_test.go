//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// received is a message as it came over the wire: CRLF line ends, dots unstuffed.
type received struct {
	mailFrom string
	data     []byte
}

// smtpServer takes mail and hands each message to deliver. Recipients that begin with "fail" are refused.
type smtpServer struct {
	l       net.Listener
	deliver func(mailFrom string, rcpts []string, data []byte) error
	wg      sync.WaitGroup
}

func newSMTPServer(port int, deliver func(string, []string, []byte) error) (*smtpServer, error) {
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		return nil, err
	}
	return serveSMTP(l, deliver), nil
}

func serveSMTP(l net.Listener, deliver func(string, []string, []byte) error) *smtpServer {
	s := &smtpServer{l: l, deliver: deliver}
	s.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	return s
}

func (s *smtpServer) close() {
	if s == nil {
		return
	}
	s.l.Close()
	s.wg.Wait()
}

func (s *smtpServer) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	say := func(line string) bool {
		_, err := fmt.Fprintf(conn, "%s\r\n", line)
		return err == nil
	}
	var mailFrom string
	var rcpts []string
	for ok := say("220 sink.example ESMTP"); ok; {
		_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			ok = say("250-sink.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT\r\n250 SIZE 100000000")
		case "MAIL":
			mailFrom, rcpts = angle(line), nil
			ok = say("250 2.1.0 ok")
		case "RCPT":
			if to := angle(line); strings.HasPrefix(to, "fail") {
				ok = say("550 5.1.1 no such user")
			} else {
				rcpts = append(rcpts, to)
				ok = say("250 2.1.5 ok")
			}
		case "DATA":
			if len(rcpts) == 0 {
				ok = say("554 5.5.1 no recipients")
				break
			}
			say("354 go ahead")
			data, err := readData(r)
			if err != nil {
				return
			}
			if err := s.deliver(mailFrom, rcpts, data); err != nil {
				ok = say("451 4.3.0 " + strings.ReplaceAll(err.Error(), "\n", " "))
			} else {
				ok = say("250 2.0.0 taken")
			}
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default: // HELO RSET NOOP XFORWARD
			ok = say("250 2.0.0 ok")
		}
	}
}

// angle returns the address of a MAIL or RCPT line.
func angle(line string) string {
	_, addr, _ := strings.Cut(line, "<")
	addr, _, _ = strings.Cut(addr, ">")
	return addr
}

// readData reads up to the lone dot.
func readData(r *bufio.Reader) ([]byte, error) {
	var data bytes.Buffer
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if string(line) == ".\r\n" {
			return data.Bytes(), nil
		}
		data.Write(bytes.TrimPrefix(line, []byte(".")))
	}
}

// sink is the rest of the world: it keeps every message by recipient.
type sink struct {
	*smtpServer
	mu   sync.Mutex
	mail map[string][]received
}

func newSink(port int) (*sink, error) {
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		return nil, err
	}
	return sinkOn(l), nil
}

func sinkOn(l net.Listener) *sink {
	s := &sink{mail: map[string][]received{}}
	s.smtpServer = serveSMTP(l, func(mailFrom string, rcpts []string, data []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, r := range rcpts {
			s.mail[r] = append(s.mail[r], received{mailFrom, data})
		}
		return nil
	})
	return s
}

func (s *sink) close() {
	if s != nil {
		s.smtpServer.close()
	}
}

// all returns what came for rcpt up to now.
func (s *sink) all(rcpt string) []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mail[rcpt]
}

// wait returns the one message for rcpt.
func (s *sink) wait(t *testing.T, rcpt string) []byte {
	t.Helper()
	eventually(t, 30*time.Second, "a message for "+rcpt+" at the sink", func() bool { return len(s.all(rcpt)) > 0 })
	if n := len(s.all(rcpt)); n != 1 {
		t.Fatalf("%d messages for %s at the sink", n, rcpt)
	}
	return s.all(rcpt)[0].data
}

// contentFilter is an after-queue filter as virus scanners are: it takes mail from Postfix and gives it back
// to another smtpd on loopback, unchanged but for a Received field and its own mark.
type contentFilter struct{ *smtpServer }

func newContentFilter(port, back int) (*contentFilter, error) {
	s, err := newSMTPServer(port, func(mailFrom string, rcpts []string, data []byte) error {
		c, err := open(local(back))
		if err != nil {
			return err
		}
		defer c.conn.Close()
		if rep, err := c.cmd("EHLO filter.good.example"); err != nil || rep.code != 250 {
			return fmt.Errorf("EHLO: %v %w", rep, errOr(err, "refused"))
		}
		head := "X-Filtered: yes\r\nReceived: from host.good.example (localhost [127.0.0.1])\r\n\tby filter.good.example (filter) with ESMTP;\r\n\t" +
			time.Now().Format(time.RFC1123Z) + "\r\n"
		rep, err := c.send("<"+mailFrom+">", rcpts, append([]byte(head), data...))
		if err != nil || rep.code != 250 {
			return &textproto.Error{Code: rep.code, Msg: rep.text}
		}
		return nil
	})
	return &contentFilter{s}, err
}

func (f *contentFilter) close() {
	if f != nil {
		f.smtpServer.close()
	}
}
