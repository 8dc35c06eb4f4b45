package siege

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// offers of the MTA: everything, as Postfix and Sendmail make it; and what an
// old one makes, which wants an answer to every command.
var offers = [][]byte{
	Frame('O', "\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"),
	Frame('O', "\x00\x00\x00\x02\x00\x00\x00\x3f\x00\x00\x00\x7f"),
}

// script are frames as MTAs send them.
var script = [][]byte{
	Frame('D', "Cj\x00mx.siege.example\x00{daemon_name}\x00smtpd\x00v\x00Postfix 3.7.11\x00"),
	Frame('D', "C{daemon_name}\x00ORIGINATING\x00"),
	Frame('D', "M{auth_authen}\x00kim\x00{mail_addr}\x00a@d0.sender.example\x00"),
	Frame('D', "Bi\x004ABC\x00"),
	Frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00"),
	Frame('C', "six.example\x006\x61\xa8IPv6:2001:db8::1\x00"),
	Frame('C', "localhost\x00U"),
	Frame('H', "out.sender.example\x00"),
	Frame('M', "<a@d0.sender.example>\x00SIZE=100\x00"),
	Frame('M', "<>\x00"),
	Frame('R', "<box@good.example>\x00"),
	Frame('T', ""),
	Frame('L', "From\x00 Ann <a@d0.sender.example>\x00"),
	Frame('L', "Subject\x00 =?utf-8?q?x?=\n\tfolded\x00"),
	Frame('L', "Authentication-Results\x00 mx.siege.example; dmarc=pass\x00"),
	Frame('L', "DKIM-Signature\x00 v=1; a=ed25519-sha256; d=d0.sender.example; s=s1; h=from; bh=AAAA; b=AAAA\x00"),
	Frame('L', "Received\x00 from x ([192.0.2.1]) by y; Sat, 21 Nov 2026 12:00:00 +0000\x00"),
	Frame('N', ""),
	Frame('B', "line\r\nline \t\r\n\r\n"),
	Frame('B', strings.Repeat("x", 2000)+"\n"),
	Frame('E', ""),
	Frame('E', "rest\r\n"),
	Frame('A', ""),
	Frame('K', ""),
	Frame('U', "FOO\x00"),
	Frame('Q', ""),
}

// mutator makes frames. It knows where the session stands, because a frame out
// of sequence ends the connection and what comes after it is not read: most
// frames are damaged where it does not matter to the sequence, a few anywhere.
type mutator struct {
	*rand.Rand
	open, complete bool // a transaction; its header section
}

func (m *mutator) next() []byte {
	if m.IntN(50) == 0 {
		return m.anything()
	}
	codes := "DDCHHMMMKAU"
	switch {
	case m.open && m.complete:
		codes = "BBBEEDAU"
	case m.open:
		codes = "RRLLLLLLLNBEDATU"
	}
	code := codes[m.IntN(len(codes))]
	f := m.of(code)
	switch code {
	case 'M':
		m.open, m.complete = true, false
	case 'N', 'B':
		m.complete = true
	case 'E', 'A', 'K', 'C', 'H':
		m.open = false
	}
	data := slices.Clone(f[5:])
	if m.IntN(3) > 0 {
		data = m.damage(data)
	}
	switch code { // what makes the frame readable at all
	case 'L':
		data = append(data, 0)
	case 'C':
		data = append(data, "\x004\x61\xa8192.0.2.1\x00"...)
	}
	return Frame(code, string(data))
}

// of is a frame of the script with this code.
func (m *mutator) of(code byte) []byte {
	for {
		if f := script[m.IntN(len(script))]; f[4] == code {
			return f
		}
	}
}

func (m *mutator) damage(data []byte) []byte {
	data = slices.Clone(data)
	switch n := len(data); m.IntN(4) {
	case 0: // some bytes are others
		for i := 0; n > 0 && i < 1+m.IntN(4); i++ {
			data[m.IntN(n)] = byte(m.Uint32())
		}
	case 1: // some are missing or there twice
		if n > 0 {
			data = slices.Concat(data[:m.IntN(n)], data[m.IntN(n):])
		}
	case 2: // noise in the middle
		i := m.IntN(n + 1)
		data = slices.Concat(data[:i], []byte(noise(m.Rand, m.IntN(64))), data[i:])
	case 3:
		data = []byte(noise(m.Rand, m.IntN(1<<m.IntN(12))))
	}
	return data
}

// anything is a frame that the session may not survive.
func (m *mutator) anything() []byte {
	f := slices.Clone(script[m.IntN(len(script))])
	switch m.IntN(4) {
	case 0:
		return f
	case 1:
		f[m.IntN(len(f))] = byte(m.Uint32()) // the length, too
		return f
	case 2:
		return Frame(byte(m.Uint32()), noise(m.Rand, m.IntN(100)))
	}
	return []byte(noise(m.Rand, 1+m.IntN(20)))
}

func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
		if r.IntN(4) == 0 {
			b[i] = "\x00\r\n <>@;=\"\\%"[r.IntN(12)]
		}
	}
	return string(b)
}

// answers reads what the daemon says to one connection, counts the answers that
// end a command, and says what no MTA
// should get: broken frames, unknown answers, bare line ends, replies that are
// no replies.
func answers(c net.Conn, verdicts *atomic.Int64) error {
	r := bufio.NewReader(c)
	var head [5]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil
		}
		n := binary.BigEndian.Uint32(head[:])
		if n == 0 || n > 1<<20 {
			return fmt.Errorf("a frame of %d bytes", n)
		}
		data := make([]byte, n-1)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil
		}
		if why := wrongAnswer(head[4], string(data)); why != "" {
			return fmt.Errorf("%s: %q %.200q", why, head[4], data)
		}
		if strings.IndexByte("Ocy", head[4]) >= 0 {
			verdicts.Add(1)
		}
	}
}

func wrongAnswer(code byte, data string) string {
	switch code {
	case 'O', 'c', 'p', 'q':
	case 'y':
		text, ok := strings.CutSuffix(data, "\x00")
		if !ok || len(text) > 512 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return "no reply line"
		}
		if text[0] != '4' && text[0] != '5' {
			return "not a refusal"
		}
	case 'i', 'm':
		if len(data) < 6 || data[len(data)-1] != 0 {
			return "short edit"
		}
		name, value, ok := strings.Cut(data[4:len(data)-1], "\x00")
		if !ok || name == "" || strings.ContainsAny(value, "\r\x00") {
			return "broken field"
		}
		for i, line := range strings.Split(value, "\n") {
			if len(line) > 998-len(name)-1 || i > 0 && (line == "" || line[0] != ' ' && line[0] != '\t') {
				return "broken line"
			}
		}
	default:
		return "unknown answer"
	}
	return ""
}

// Random and mutated frames from many connections; an honest one beside them
// gets its verdicts, and when they are gone nothing is left of them.
func TestMutatedFrames(t *testing.T) {
	const conns, senders = 64, 20
	frames := int64(pick(20_000, 1_000_000))
	mail, err := NewMail(senders)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, serve(t, mail.Zone, nil).Addr(), "log: {level: error}\n")
	before, err := d.Goroutines()
	if err != nil {
		t.Fatal(err)
	}
	load := Load{Socket: d.Socket, Mail: mail, Senders: senders, Workers: 2}
	ctx, done := context.WithCancel(t.Context())
	var honest sync.WaitGroup
	honest.Go(func() {
		took, err := load.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%d honest messages and spoofs beside them, slowest %v", len(took), Quantile(took, 1).Round(time.Millisecond))
	})
	var sent, answered, opened atomic.Int64
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(2026, uint64(i)))
			for answered.Load() < frames && !t.Failed() {
				opened.Add(1)
				if err := storm(d.Socket, r, &sent, &answered, frames); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	done()
	honest.Wait()
	t.Logf("%d frames answered of %d sent over %d connections, %d at a time", answered.Load(), sent.Load(), opened.Load(), conns)
	settle(t, d, before)
	wantRSS(t, d, 150e6)
}

// storm sends frames over one connection until the daemon has had enough of it.
// Only answered ones count: what is sent behind a fatal one is never read.
func storm(socket string, r *rand.Rand, sent, answered *atomic.Int64, limit int64) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	said := make(chan error, 1)
	go func() { said <- answers(c, answered) }()
	if r.IntN(50) > 0 { // else the first frame is any
		_, _ = c.Write(offers[min(r.IntN(4), 1)])
	}
	m := mutator{Rand: r}
	for answered.Load() < limit {
		if _, err := c.Write(m.next()); err != nil {
			break
		}
		sent.Add(1)
	}
	// What was written is read to its end: then the daemon closes, too.
	_ = c.(*net.UnixConn).CloseWrite()
	return <-said
}
