//go:build e2e

package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// milterClient speaks the milter protocol as an MTA does, frame by frame, so that a test decides what comes when.
type milterClient struct {
	conn     net.Conn
	w        *bufio.Writer
	r        *bufio.Reader
	protocol uint32 // what the milter answered: NR_ flags among it
	macros   bool   // send a macro frame before every header and chunk, as Postfix does
}

// Frames are 64 KiB less one, as both MTAs send them.
const milterChunk = 65535

// unCRLF writes folds as both MTAs do: LF and the white space.
var unCRLF = strings.NewReplacer("\r\n ", "\n ", "\r\n\t", "\n\t")

// noReply are the protocol flags under which the milter does not answer a command.
var noReply = map[byte]uint32{'L': 0x80, 'C': 0x1000, 'H': 0x2000, 'M': 0x4000, 'R': 0x8000, 'T': 0x10000, 'N': 0x40000, 'B': 0x80000}

// notWanted are the flags under which the MTA does not send a command at all.
var notWanted = map[byte]uint32{'C': 0x1, 'H': 0x2, 'M': 0x4, 'R': 0x8, 'B': 0x10, 'L': 0x20, 'N': 0x40, 'T': 0x200}

func newMilterClient(conn net.Conn) (*milterClient, error) {
	m := &milterClient{conn: conn, w: bufio.NewWriterSize(conn, 128<<10), r: bufio.NewReaderSize(conn, 64<<10)}
	var offer [12]byte
	binary.BigEndian.PutUint32(offer[0:], 6)
	binary.BigEndian.PutUint32(offer[4:], 0x1ff)
	binary.BigEndian.PutUint32(offer[8:], 0x1fffff)
	if err := m.write('O', string(offer[:])); err != nil {
		return nil, err
	}
	code, data, err := m.read()
	if err != nil || code != 'O' || len(data) < 12 {
		return nil, fmt.Errorf("negotiation: %q %d bytes: %w", code, len(data), errOr(err, "unexpected"))
	}
	m.protocol = binary.BigEndian.Uint32(data[8:])
	return m, nil
}

func (m *milterClient) write(code byte, data string) error {
	var head [5]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(data)+1))
	head[4] = code
	_, _ = m.w.Write(head[:])
	_, err := m.w.WriteString(data)
	return err
}

func (m *milterClient) read() (byte, []byte, error) {
	if err := m.w.Flush(); err != nil {
		return 0, nil, err
	}
	_ = m.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	var head [5]byte
	if _, err := io.ReadFull(m.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > 1<<20 {
		return 0, nil, fmt.Errorf("frame of %d bytes", n)
	}
	data := make([]byte, n-1)
	_, err := io.ReadFull(m.r, data)
	return head[4], data, err
}

// command sends one command and, unless the milter said that it will not answer, wants Continue.
func (m *milterClient) command(code byte, data string) error {
	if m.protocol&notWanted[code] != 0 {
		return nil
	}
	if err := m.write(code, data); err != nil {
		return err
	}
	if m.protocol&noReply[code] != 0 {
		return nil
	}
	got, _, err := m.read()
	if err != nil || got != 'c' {
		return fmt.Errorf("%q answered with %q: %w", code, got, errOr(err, "not continue"))
	}
	return nil
}

func (m *milterClient) macro(stage byte, pairs ...string) error {
	return m.write('D', string(stage)+strings.Join(pairs, "\x00")+"\x00")
}

// connect begins an SMTP session. authenticated users get the macros of a submission service.
func (m *milterClient) connect(name, ip string) error {
	family := "4"
	if strings.Contains(ip, ":") {
		family = "6"
	}
	if err := m.macro('C', "j", "host.good.example", "{daemon_name}", "host.good.example", "v", "Postfix 3.7.11", "_", name+" ["+ip+"]"); err != nil {
		return err
	}
	if err := m.command('C', name+"\x00"+family+"\x30\x39"+ip+"\x00"); err != nil {
		return err
	}
	return m.command('H', name+"\x00")
}

// message runs one transaction up to the final reply and returns it with the names of the fields inserted on the way.
// msg has CRLF line ends; mailFrom and rcpt have no angle brackets.
func (m *milterClient) message(mailFrom, rcpt, user string, msg []byte) (final byte, text string, inserted []string, err error) {
	head, body, _ := strings.Cut(string(msg), "\r\n\r\n")
	auth := []string{"{mail_addr}", mailFrom}
	if user != "" {
		auth = append(auth, "{auth_authen}", user, "{auth_type}", "PLAIN")
	}
	do := func(err2 error) {
		if err == nil {
			err = err2
		}
	}
	do(m.macro('M', auth...))
	do(m.command('M', "<"+mailFrom+">\x00"))
	do(m.macro('R', "{rcpt_addr}", rcpt))
	do(m.command('R', "<"+rcpt+">\x00"))
	do(m.macro('T', "i", "4ABC"))
	do(m.command('T', ""))
	for _, f := range strings.Split(unCRLF.Replace(head), "\r\n") {
		name, value, _ := strings.Cut(f, ":")
		if m.macros {
			do(m.macro('L', "i", "4ABC"))
		}
		do(m.command('L', name+"\x00"+value+"\x00"))
	}
	do(m.command('N', ""))
	for len(body) > 0 && err == nil {
		n := min(len(body), milterChunk)
		if m.macros {
			do(m.macro('B', "i", "4ABC"))
		}
		do(m.command('B', body[:n]))
		body = body[n:]
	}
	do(m.macro('E', "i", "4ABC"))
	do(m.write('E', ""))
	for err == nil {
		var data []byte
		if final, data, err = m.read(); err != nil {
			break
		}
		switch final {
		case 'p', 'm', '+', '-', 'q': // progress and edits
		case 'i':
			name, _, _ := strings.Cut(string(data[min(4, len(data)):]), "\x00")
			inserted = append(inserted, strings.ToLower(name))
		case 'h':
			name, _, _ := strings.Cut(string(data), "\x00")
			inserted = append(inserted, strings.ToLower(name))
		default:
			return final, strings.TrimRight(string(data), "\x00"), inserted, nil
		}
	}
	return final, text, inserted, err
}

func (m *milterClient) abort() error { return m.write('A', "") }
