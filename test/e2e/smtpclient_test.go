//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// client is an SMTP client that sends what it is told, line by line.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

// reply is an SMTP reply: its code and its lines without the code.
type reply struct {
	code int
	text string // the lines joined by "\n", "5.7.1 text"
}

func (r reply) String() string { return strconv.Itoa(r.code) + " " + r.text }

// from is who a client says it is: XCLIENT gives Postfix another client address and name.
type from struct{ ip, name, helo string }

// The clients of the tests.
var (
	sender   = from{"192.0.2.10", "mail.sender.example", "mail.sender.example"}
	stranger = from{"203.0.113.66", "[UNAVAILABLE]", "stranger.example"}
	roaming  = from{"198.51.100.7", "[UNAVAILABLE]", "laptop.example"}
	ourself  = from{ourEgress, "mail.good.example", "mail.good.example"}
)

// open connects to a port of 127.0.0.1 and reads the greeting.
func open(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, r: bufio.NewReaderSize(conn, 8192)}
	if rep, err := c.reply(); err != nil || rep.code != 220 {
		conn.Close()
		return nil, fmt.Errorf("greeting %v: %w", rep, errOr(err, "not 220"))
	}
	return c, nil
}

func errOr(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// dial opens a session for a test: greeting, XCLIENT unless who is zero, EHLO.
func dial(t *testing.T, addr string, who from) *client {
	t.Helper()
	c, err := open(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	helo := who.helo
	if who == (from{}) {
		helo = "localhost"
	} else {
		c.must(t, 250, "EHLO localhost")
		addr := who.ip
		if strings.Contains(addr, ":") {
			addr = "IPV6:" + addr
		}
		c.must(t, 220, "XCLIENT NAME="+who.name+" ADDR="+addr)
	}
	c.must(t, 250, "EHLO "+helo)
	return c
}

// reply reads one reply.
func (c *client) reply() (reply, error) {
	var rep reply
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		line, err := c.r.ReadString('\n')
		if err != nil {
			return rep, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return rep, fmt.Errorf("short reply %q", line)
		}
		if rep.code, err = strconv.Atoi(line[:3]); err != nil {
			return rep, err
		}
		if rep.text != "" {
			rep.text += "\n"
		}
		rep.text += strings.TrimLeft(line[3:], " -")
		if len(line) == 3 || line[3] == ' ' {
			return rep, nil
		}
	}
}

// cmd sends one line and reads its reply.
func (c *client) cmd(line string) (reply, error) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(60 * time.Second))
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		return reply{}, err
	}
	return c.reply()
}

// must sends one line and expects a reply code.
func (c *client) must(t *testing.T, code int, line string) reply {
	t.Helper()
	rep, err := c.cmd(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if rep.code != code {
		t.Fatalf("%s: %v, want %d", line, rep, code)
	}
	return rep
}

// auth logs in as the lab's user.
func (c *client) auth() (reply, error) { return c.authAs(saslUser) }

func (c *client) authAs(user string) (reply, error) {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + saslPassword))
	return c.cmd("AUTH PLAIN " + plain)
}

// body sends what DATA carries, with dots stuffed, and the end.
func (c *client) body(msg []byte) (reply, error) {
	if err := c.part(msg); err != nil {
		return reply{}, err
	}
	return c.cmd(".")
}

// part sends whole lines of a message. msg must end in CRLF.
func (c *client) part(msg []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(60 * time.Second))
	stuffed := bytes.ReplaceAll(msg, []byte("\r\n."), []byte("\r\n.."))
	if bytes.HasPrefix(stuffed, []byte(".")) {
		stuffed = append([]byte("."), stuffed...)
	}
	_, err := c.conn.Write(stuffed)
	return err
}

// send runs one transaction and returns the first refusal, or the reply to the end of DATA.
// mailFrom has its angle brackets and parameters: "<a@b> SMTPUTF8".
func (c *client) send(mailFrom string, rcpts []string, msg []byte) (reply, error) {
	lines := []string{"MAIL FROM:" + mailFrom}
	for _, r := range rcpts {
		lines = append(lines, "RCPT TO:<"+r+">")
	}
	for _, line := range append(lines, "DATA") {
		if rep, err := c.cmd(line); err != nil || rep.code >= 400 {
			return rep, err
		}
	}
	return c.body(msg)
}

// mustSend is send for a message that must be accepted.
func (c *client) mustSend(t *testing.T, mailFrom, rcpt string, msg []byte) {
	t.Helper()
	if rep, err := c.send(mailFrom, []string{rcpt}, msg); err != nil || rep.code != 250 {
		t.Fatalf("MAIL FROM:%s RCPT TO:<%s>: %v %v", mailFrom, rcpt, rep, err)
	}
}

// submit opens an authenticated session on the submission port, as a client on the road.
func submit(t *testing.T, l *lab) *client {
	t.Helper()
	return submitAs(t, l, saslUser)
}

func submitAs(t *testing.T, l *lab, user string) *client {
	t.Helper()
	c := dial(t, local(l.postfix.ports.submit), roaming)
	if rep, err := c.authAs(user); err != nil || rep.code != 235 {
		t.Fatalf("AUTH: %v %v", rep, err)
	}
	return c
}
