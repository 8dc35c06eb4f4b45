package siege

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Hundreds of connections with 500 KB of header each, none of which ends. The
// daemon stays far below what the unit gives it, honest mail is served meanwhile, and
// each of them is answered, once, when it does end.
func TestHeadersOfHundreds(t *testing.T) {
	const senders = 20
	n := pick(200, 795)
	more := ""
	if !*full {
		more = "limits: {header_memory: 16MiB}\n"
	}
	mail, err := NewMail(senders)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, serve(t, mail.Zone, nil).Addr(), more)
	large := make([]*talker, n)
	defer func() {
		for _, x := range large {
			if x != nil {
				x.c.Close()
			}
		}
	}()
	var wg sync.WaitGroup
	fill := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range fill {
				x, err := openLarge(d.Socket)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					continue
				}
				large[i] = x
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	honest := make(chan error, 1)
	served := 0
	go func() {
		took, err := Load{Socket: d.Socket, Mail: mail, Senders: senders, Workers: 2}.Run(ctx)
		served = len(took)
		honest <- err
	}()
	for i := range n {
		fill <- i
	}
	close(fill)
	wg.Wait()
	cancel()
	if err := <-honest; err != nil {
		t.Errorf("honest mail: %v", err)
	}
	refused := 0
	for i, x := range large {
		if x == nil {
			continue
		}
		code, text, err := x.end()
		switch {
		case err != nil:
			t.Errorf("message %d is not answered: %v", i, err)
		case code == 'y' && strings.HasPrefix(text, "451 4.3.2 "):
			refused++
		case code != 'c':
			t.Errorf("message %d: %c %q", i, code, text)
		}
	}
	if refused == 0 || refused == n {
		t.Errorf("%d of %d gave way", refused, n)
	}
	peak, err := d.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d gave way, %d honest messages beside them; peak RSS %.1f MB", refused, n, served, float64(peak)/1e6)
	limit := int64(pick(100e6, 200e6)) // 16 and 64 MiB of headers, not 100 and 400 MB
	if !raceEnabled && peak > limit {
		t.Errorf("peak RSS %d bytes, want at most %d", peak, limit)
	}
}

// talker is a milter connection in the middle of a message.
type talker struct{ c net.Conn }

// openLarge sends 500 KB of header and does not end it.
func openLarge(socket string) (*talker, error) {
	c, err := net.DialTimeout("unix", socket, 30*time.Second)
	if err != nil {
		return nil, err
	}
	x := &talker{c}
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	out := Frame('O', "\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff")
	out = append(out, Frame('C', "large.example\x004\x61\xa8203.0.113.9\x00")...)
	out = append(out, Frame('M', "<a@large.example>\x00")...)
	out = append(out, Frame('L', "From\x00 <a@large.example>\x00")...)
	for i := range 50 {
		out = append(out, Frame('L', fmt.Sprintf("X-Large-%d\x00 %s\x00", i, strings.Repeat("x", 10_000)))...)
	}
	if _, err := c.Write(out); err != nil {
		c.Close()
		return nil, err
	}
	if code, _, err := x.read(); code != 'O' {
		c.Close()
		return nil, fmt.Errorf("the offer is answered by %c: %v", code, err)
	}
	if code, text, err := x.read(); code != 'c' {
		c.Close()
		return nil, fmt.Errorf("MAIL is answered by %c %q: %v", code, text, err)
	}
	return x, nil
}

func (x *talker) read() (byte, string, error) {
	var head [5]byte
	if _, err := io.ReadFull(x.c, head[:]); err != nil {
		return 0, "", err
	}
	data := make([]byte, binary.BigEndian.Uint32(head[:])-1)
	_, err := io.ReadFull(x.c, data)
	return head[4], string(data), err
}

// end ends the message and returns the verdict, behind which nothing may come.
func (x *talker) end() (code byte, text string, err error) {
	if _, err := x.c.Write(append(append(Frame('N', ""), Frame('B', "text\r\n")...), Frame('E', "")...)); err != nil {
		return 0, "", err
	}
	for {
		code, text, err = x.read()
		if err != nil || !strings.ContainsRune("imqp", rune(code)) {
			break
		}
	}
	if err != nil {
		return 0, "", err
	}
	if _, err := x.c.Write(Frame('Q', "")); err != nil {
		return 0, "", err
	}
	if again, more, err := x.read(); err == nil {
		return 0, "", fmt.Errorf("a second answer: %c %q", again, more)
	}
	return code, text, nil
}
