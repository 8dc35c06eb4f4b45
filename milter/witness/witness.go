// Package witness is a milter that stands behind ours while a set-up proves
// itself: it takes down one message as Postfix passes it on after us, and has
// Postfix drop it. Every other message it lets through as soon as its header
// has been seen.
//
// It asks for no option of the protocol, so that any MTA speaks to it: the frames
// are few, and go-milter's server races with its own Close. It changes nothing,
// and decides nothing about the proof.
package witness

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Field carries the token that marks the one message.
const Field = "X-Sealmilter-Setup"

const (
	maxMessage = 256 << 10 // far above what set-up sends
	maxFrame   = 1 << 20
	idle       = 5 * time.Minute
)

// Witness listens until Close.
type Witness struct {
	l     net.Listener
	token string
	seen  chan string
	wait  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// Listen takes down messages with the token that come through l.
func Listen(l net.Listener, token string) *Witness {
	w := &Witness{l: l, token: token, seen: make(chan string, 8), conns: map[net.Conn]bool{}}
	w.wait.Go(w.accept)
	return w
}

// Seen hands over each message with the token, its lines ending in CRLF.
func (w *Witness) Seen() <-chan string { return w.seen }

// Close ends the listener and its connections. An MTA that still knows of it
// does what the default action of this milter says: it must be accept.
func (w *Witness) Close() error {
	err := w.l.Close()
	w.mu.Lock()
	w.closed = true
	for c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.wait.Wait()
	return err
}

func (w *Witness) accept() {
	for {
		c, err := w.l.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		if w.closed {
			c.Close()
		} else {
			w.conns[c] = true
			w.wait.Go(func() { w.serve(c) })
		}
		w.mu.Unlock()
	}
}

func (w *Witness) serve(c net.Conn) {
	defer func() {
		c.Close()
		w.mu.Lock()
		delete(w.conns, c)
		w.mu.Unlock()
	}()
	s := session{seen: w.seen, token: w.token}
	r := bufio.NewReader(c)
	for {
		c.SetDeadline(time.Now().Add(idle))
		cmd, data, err := read(r)
		if err != nil {
			return
		}
		answer, goOn := s.command(cmd, data)
		if !goOn {
			return
		}
		if answer != nil {
			if _, err := c.Write(frame(answer)); err != nil {
				return
			}
		}
	}
}

var errFrame = errors.New("bad frame")

func read(r io.Reader) (cmd byte, data []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return 0, nil, errFrame
	}
	buf := make([]byte, n)
	_, err = io.ReadFull(r, buf)
	return buf[0], buf[1:], err
}

func frame(answer []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)
}

// session is one connection and its message.
type session struct {
	seen   chan<- string
	token  string
	raw    strings.Builder
	marked bool
}

// command answers a frame; nil is no answer. The letters are libmilter's.
func (s *session) command(cmd byte, data []byte) (answer []byte, goOn bool) {
	switch cmd {
	case 'O': // version, no actions, no options
		if len(data) < 12 {
			return nil, false
		}
		version := min(6, binary.BigEndian.Uint32(data))
		return append(binary.BigEndian.AppendUint32([]byte{'O'}, version), make([]byte, 8)...), true
	case 'D', 'K': // macros; the end of a connection with another to follow
		return nil, true
	case 'A':
		s.reset()
		return nil, true
	case 'Q':
		return nil, false
	case 'M':
		s.reset()
	case 'L':
		s.field(data)
	case 'N':
		if !s.marked {
			return []byte{'a'}, true
		}
		s.add("\r\n")
	case 'B':
		s.add(string(data))
	case 'E':
		if !s.marked {
			return []byte{'a'}, true
		}
		s.add(string(data))
		select {
		case s.seen <- s.raw.String():
		default: // nobody wants to know any more
		}
		s.reset()
		return []byte{'d'}, true
	}
	return []byte{'c'}, true
}

func (s *session) reset() {
	s.raw.Reset()
	s.marked = false
}

// field gets name and value, without the one space behind the colon.
func (s *session) field(data []byte) {
	name, value, _ := bytes.Cut(bytes.TrimSuffix(data, []byte{0}), []byte{0})
	if string(name) == Field && strings.TrimSpace(string(value)) == s.token {
		s.marked = true
	}
	folded := strings.ReplaceAll(strings.ReplaceAll(string(value), "\r\n", "\n"), "\n", "\r\n")
	s.add(string(name) + ": " + folded + "\r\n")
}

func (s *session) add(text string) {
	if s.raw.Len()+len(text) <= maxMessage {
		s.raw.WriteString(text)
	}
}
