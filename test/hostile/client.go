package hostile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
)

// Client plays the MTA in raw frames: unlike milter/client it sends whatever
// bytes it is given.
type Client struct {
	conn     net.Conn
	r        *bufio.Reader
	protocol uint32 // what the milter asked for
	peer     Peer
	sent     int
}

// Verdict is what the milter did with one message.
type Verdict struct {
	Code   int    // 250, or the reply's
	Text   string // of the reply, "5.7.1 ..."
	Held   string // the reason of a quarantine
	Fields header.Fields
	// Errors are edits that an MTA would not do, or that Postfix and Sendmail
	// would do differently.
	Errors []string
}

// protocol flags of the milter protocol, version 6 (libmilter mfdef.h).
const (
	noConnReply   = 0x1000
	noHeloReply   = 0x2000
	noMailReply   = 0x4000
	noRcptReply   = 0x8000
	noHeaderReply = 0x80
	noEOHReply    = 0x40000
	noBodyReply   = 0x80000
	leadingSpace  = 0x100000
	allProtocol   = 0x1fffff
	allActions    = 0x1ff
)

// ioTimeout ends a test whose milter hangs.
const ioTimeout = time.Minute

// Dial connects and negotiates with everything that Postfix and Sendmail offer.
func Dial(network, address string) (*Client, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, r: bufio.NewReader(conn)}
	offer := binary.BigEndian.AppendUint32(nil, 6)
	offer = binary.BigEndian.AppendUint32(offer, allActions)
	offer = binary.BigEndian.AppendUint32(offer, allProtocol)
	if err := c.write('O', string(offer)); err != nil {
		return nil, err
	}
	code, data, err := c.read()
	if err != nil || code != 'O' || len(data) < 12 {
		conn.Close()
		return nil, fmt.Errorf("negotiation: %q, %d bytes, %v", code, len(data), err)
	}
	c.protocol = binary.BigEndian.Uint32([]byte(data[8:]))
	if c.protocol&leadingSpace == 0 {
		return nil, errors.New("the milter does not want leading spaces")
	}
	return c, nil
}

// Close ends the session as an MTA does.
func (c *Client) Close() error {
	c.write('Q', "")
	return c.conn.Close()
}

func (c *Client) write(code byte, data string) error {
	c.conn.SetDeadline(time.Now().Add(ioTimeout))
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	_, err := c.conn.Write(append(append(b, code), data...))
	return err
}

func (c *Client) read() (byte, string, error) {
	var n uint32
	if err := binary.Read(c.r, binary.BigEndian, &n); err != nil {
		return 0, "", err
	}
	if n == 0 || n > 1<<20 {
		return 0, "", fmt.Errorf("frame of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c.r, b)
	return b[0], string(b[1:]), err
}

// step sends a command and takes the milter's "continue", unless it said that
// it does not answer.
func (c *Client) step(code byte, data string, silent uint32) error {
	if err := c.write(code, data); err != nil || c.protocol&silent != 0 {
		return err
	}
	got, _, err := c.read()
	if err == nil && got != 'c' {
		err = fmt.Errorf("answer %q to %q", got, code)
	}
	return err
}

// maxChunk is how much body an MTA sends in one frame.
const maxChunk = 65535

// Deliver sends one message. When its peer is another one than before, a new
// SMTP connection is told first, as Sendmail does with QUIT_NC.
func (c *Client) Deliver(m Message) (Verdict, error) {
	if c.peer != m.Peer {
		if err := c.connect(m.Peer); err != nil {
			return Verdict{}, err
		}
	}
	c.sent++
	id := "4H" + strconv.Itoa(c.sent)
	err := errors.Join(
		c.write('D', "M"+"i\x00"+id+"\x00"),
		c.step('M', "<"+m.MailFrom+">\x00", noMailReply),
		c.step('R', "<"+m.RcptTo+">\x00", noRcptReply))
	for _, f := range m.Fields {
		if err != nil {
			return Verdict{}, err
		}
		err = c.step('L', f.Name+"\x00"+strings.ReplaceAll(f.Value, "\r\n", "\n")+"\x00", noHeaderReply)
	}
	err = errors.Join(err, c.step('N', "", noEOHReply))
	for chunk := range slices.Chunk([]byte(m.Body), maxChunk) {
		err = errors.Join(err, c.step('B', string(chunk), noBodyReply))
	}
	err = errors.Join(err, c.write('D', "E"+"i\x00"+id+"\x00"), c.write('E', ""))
	if err != nil {
		return Verdict{}, err
	}
	v, err := c.verdict(m)
	return v, errors.Join(err, c.write('A', "")) // Postfix sends ABORT behind every message
}

func (c *Client) connect(p Peer) error {
	if c.peer.IP.IsValid() {
		if err := c.write('K', ""); err != nil {
			return err
		}
	}
	c.peer = p
	family := "4"
	if p.IP.Is6() {
		family = "6"
	}
	return errors.Join(
		c.write('D', "Cj\x00"+AuthservID+"\x00{daemon_name}\x00smtpd\x00v\x00Postfix 3.7.11\x00"),
		c.step('C', "["+p.IP.String()+"]\x00"+family+"\x61\xa8"+p.IP.String()+"\x00", noConnReply),
		c.step('H', p.Helo+"\x00", noHeloReply))
}

// verdict reads edits until the final answer.
func (c *Client) verdict(m Message) (Verdict, error) {
	v := Verdict{Code: 250}
	e := newEditor(m.Fields)
	for {
		code, data, err := c.read()
		if err != nil {
			return v, err
		}
		switch code {
		case 'p':
		case 'i', 'm':
			if len(data) < 4 || strings.Count(data[4:], "\x00") != 2 {
				return v, fmt.Errorf("malformed edit %q", data)
			}
			name, rest, _ := strings.Cut(data[4:], "\x00")
			value := strings.TrimSuffix(rest, "\x00")
			e.edit(code, int(binary.BigEndian.Uint32([]byte(data))), name, value)
		case 'q':
			v.Held = strings.TrimSuffix(data, "\x00")
		case 'y':
			text := strings.ReplaceAll(strings.TrimSuffix(data, "\x00"), "%%", "%")
			v.Code, err = strconv.Atoi(text[:min(3, len(text))])
			v.Text = strings.TrimPrefix(text[min(3, len(text)):], " ")
			v.Fields, v.Errors = e.result()
			return v, err
		case 'c', 'a':
			v.Fields, v.Errors = e.result()
			return v, nil
		default:
			return v, fmt.Errorf("unexpected answer %q %q", code, data)
		}
	}
}
