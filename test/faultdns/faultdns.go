// Package faultdns is a DNS server on loopback for tests: it answers from a
// resolve.Zone over UDP and TCP, and breaks the answers that a test wants
// broken in one of the ways in which real servers and liars break them.
//
// It is no part of the daemon. Nothing in it is random, so that a failure
// repeats.
package faultdns

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Server is a running DNS server. Make it with Start, end it with Close.
type Server struct {
	addr  string
	zone  *resolve.Zone
	fault func(name, qtype string) Fault

	udp  net.PacketConn
	tcp  net.Listener
	done chan struct{} // closed by Close
	wg   sync.WaitGroup

	packets  atomic.Int64
	mu       sync.Mutex
	conns    map[net.Conn]bool
	distinct map[string]bool
}

// Start serves zone. fault says what goes wrong with a question (the name as
// raw bytes, lower case, without a trailing dot; the type as "TXT"); nil:
// nothing ever does.
func Start(zone *resolve.Zone, fault func(name, qtype string) Fault) (*Server, error) {
	if fault == nil {
		fault = func(string, string) Fault { return None }
	}
	s := &Server{zone: zone, fault: fault, done: make(chan struct{}), conns: map[net.Conn]bool{}, distinct: map[string]bool{}}
	var err error
	for range 20 { // the port must be free for both
		if s.udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		s.addr = s.udp.LocalAddr().String()
		if s.tcp, err = net.Listen("tcp", s.addr); err == nil {
			break
		}
		s.udp.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("no port that is free for udp and tcp: %w", err)
	}
	// Hundreds of questions may come at once; a lost packet would look like a fault.
	_ = s.udp.(*net.UDPConn).SetReadBuffer(4 << 20)
	s.wg.Add(2)
	go s.serveUDP()
	go s.serveTCP()
	return s, nil
}

// Addr is IP:PORT, for UDP and TCP.
func (s *Server) Addr() string { return s.addr }

// Close ends the server and waits for its goroutines.
func (s *Server) Close() {
	close(s.done)
	s.udp.Close()
	s.tcp.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Packets returns how many questions have come, retries and TCP included.
func (s *Server) Packets() int64 { return s.packets.Load() }

// Questions returns how many distinct questions (name and type) have come since
// the last Reset.
func (s *Server) Questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.distinct)
}

// Reset forgets the questions that Questions counts.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.distinct)
}

func (s *Server) serveUDP() {
	defer s.wg.Done()
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		var req dns.Msg
		if req.Unpack(buf[:n]) != nil || len(req.Question) != 1 {
			continue
		}
		p := s.plan(&req, false)
		send := func() {
			for _, packet := range p.packets {
				_, _ = s.udp.WriteTo(packet, from)
			}
		}
		if p.after == 0 {
			send()
			continue
		}
		s.wg.Go(func() {
			if s.sleep(p.after) {
				send()
			}
		})
	}
}

func (s *Server) serveTCP() {
	defer s.wg.Done()
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			s.stream(c)
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// stream answers one question of a TCP connection: the client asks no more.
func (s *Server) stream(c net.Conn) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, buf); err != nil {
		return
	}
	var req dns.Msg
	if req.Unpack(buf) != nil || len(req.Question) != 1 {
		return
	}
	p := s.plan(&req, true)
	if !s.sleep(p.after) {
		return
	}
	if p.hang {
		<-s.done
		return
	}
	for _, packet := range p.packets {
		out := append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
		if p.cut > 0 {
			out = out[:min(p.cut, len(out))]
		}
		if p.every == 0 {
			_, _ = c.Write(out)
			continue
		}
		for i := range out {
			if _, err := c.Write(out[i : i+1]); err != nil || !s.sleep(p.every) {
				return
			}
		}
	}
}

// sleep waits; it is false when the server was closed meanwhile.
func (s *Server) sleep(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// count notes a question and returns its name as raw bytes, lower case.
func (s *Server) count(q dns.Question) (name, qtype string, ok bool) {
	s.packets.Add(1)
	name, ok = raw(q.Name)
	qtype = dns.TypeToString[q.Qtype]
	s.mu.Lock()
	s.distinct[qtype+" "+name] = true
	s.mu.Unlock()
	return name, qtype, ok
}

// raw turns the library's form of a name (\DDD and \X for odd bytes) into
// bytes; not ok with a dot inside a label, which the zone cannot name.
func raw(s string) (string, bool) {
	s = strings.TrimSuffix(s, ".")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], s[i] == '\\' && i+1 < len(s)
		switch {
		case escaped && i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			c = (s[i+1]-'0')*100 + (s[i+2]-'0')*10 + s[i+3] - '0'
			i += 3
		case escaped:
			i++
			c = s[i]
		}
		if escaped && c == '.' {
			return "", false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
