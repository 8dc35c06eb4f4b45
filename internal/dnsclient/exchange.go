package dnsclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// ednsSize is what fits into one packet on every path, so that no answer
	// comes in fragments, which can be lost and forged.
	ednsSize = 1232
	// rounds is how often a server that does not answer is asked.
	rounds = 2
	// maxStray bounds the packets of a flood that are looked at for one answer.
	maxStray = 100
)

// exchange asks the servers in turn, beginning with the one that answered
// last, until one gives an answer that says something about q. Each try gets
// its share of what is left of ctx's time, so that every server is tried
// within it. The error wraps ErrTemporary and tells what the last server did.
func (c *Client) exchange(ctx context.Context, q question) (m *dns.Msg, trusted bool, err error) {
	servers := c.servers.current()
	n := len(servers)
	first := c.first.Load()
	dead := make([]bool, n)
	for i := range rounds * n {
		k := (int(first%uint32(n)) + i) % n
		if dead[k] {
			continue
		}
		left := 0
		for j := i; j < rounds*n; j++ {
			if !dead[(int(first%uint32(n))+j)%n] {
				left++
			}
		}
		s := servers[k]
		t := try{server: s, q: q, share: remaining(ctx) / time.Duration(left), wantAD: s.trustAD || c.trustAD}
		// Somewhere between us and a silent server EDNS may be the reason.
		t.edns = i < n
		var e error
		if m, e = t.run(ctx); e == nil {
			if i > 0 {
				c.first.CompareAndSwap(first, uint32(k))
			}
			return m, t.wantAD, nil
		}
		err = fmt.Errorf("server %s: %w", s.addr, e)
		// A server that answered, or whose host did, says the same next time.
		dead[k] = !errors.Is(e, errNoAnswer)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, false, fmt.Errorf("%w: %w", resolve.ErrTemporary, err)
}

var errNoAnswer = errors.New("no answer in time")

// remaining is the time until ctx's deadline, which the client always sets.
func remaining(ctx context.Context) time.Duration {
	d, _ := ctx.Deadline()
	return time.Until(d)
}

// try is one question to one server.
type try struct {
	server server
	q      question
	share  time.Duration
	edns   bool
	wantAD bool
	// direct: the server speaks for itself, and who asks judges a referral.
	direct, iterative bool
}

// run asks, falling back from EDNS to plain and from UDP to TCP.
func (t try) run(ctx context.Context) (*dns.Msg, error) {
	m, err := t.udpThenTCP(ctx)
	if err != nil {
		return nil, err
	}
	if t.edns && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers) {
		// RFC 6891 §7: that is how a server without EDNS answers.
		t.edns = false
		if m, err = t.udpThenTCP(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, rcodeError(m)
	case !t.direct && m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && !m.Authoritative && !m.RecursionAvailable && !hasSOA(m):
		// RFC 2308 §2.2: a referral, from a server that does not resolve for us.
		return nil, errors.New("does not do recursion")
	}
	return m, nil
}

func hasSOA(m *dns.Msg) bool { _, ok := negativeTTL(m); return ok }

// rcodeError names the RCODE, and the server's reason where it gives one from
// the list of RFC 8914 §4. Its free text stays out.
func rcodeError(m *dns.Msg) error {
	rcode, ok := dns.RcodeToString[m.Rcode]
	if !ok {
		rcode = fmt.Sprintf("rcode %d", m.Rcode)
	}
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if ede, ok := o.(*dns.EDNS0_EDE); ok && dns.ExtendedErrorCodeToString[ede.InfoCode] != "" {
				return fmt.Errorf("%s (%s)", rcode, dns.ExtendedErrorCodeToString[ede.InfoCode])
			}
		}
	}
	return errors.New(rcode)
}

// query builds the packet: recursion desired as a rule, a random id, nothing else.
func (t try) query() (id uint16, packet []byte, err error) {
	m := new(dns.Msg).SetQuestion(askName(t.q.name), t.q.qtype)
	m.RecursionDesired = !t.iterative
	m.AuthenticatedData = t.wantAD // RFC 6840 §5.7: we understand the bit in the answer
	if t.edns {
		m.SetEdns0(ednsSize, false)
	}
	packet, err = m.Pack()
	return m.Id, packet, err
}

func (t try) udpThenTCP(ctx context.Context) (*dns.Msg, error) {
	m, err := t.overUDP(ctx)
	if err != nil || !m.Truncated {
		return m, err
	}
	// The server is there: TCP may take longer than a lost packet is waited for.
	t.share = max(t.share, remaining(ctx)/2)
	if m, err = t.overTCP(ctx); err != nil {
		return nil, fmt.Errorf("truncated answer, and over tcp: %w", err)
	}
	return m, nil
}

// overUDP reads packets until one answers the question; what has another id
// or question is somebody's guess or an old answer (RFC 5452 §9.1). An answer
// that ends in mid-record counts as truncated.
func (t try) overUDP(ctx context.Context) (*dns.Msg, error) {
	conn, release, err := t.dial(ctx, "udp")
	if err != nil {
		return nil, err
	}
	defer release()
	id, packet, err := t.query()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, ioError(err)
	}
	buf := make([]byte, 4096) // more than we offer: some servers do not care
	for range maxStray {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, ioError(err)
		}
		var m dns.Msg
		err = m.Unpack(buf[:n])
		if !t.answers(&m, id) {
			continue
		}
		if err != nil {
			m.Truncated = true
		}
		return &m, nil
	}
	return nil, fmt.Errorf("more than %d packets that answer other questions", maxStray)
}

func (t try) overTCP(ctx context.Context) (*dns.Msg, error) {
	conn, release, err := t.dial(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	defer release()
	id, packet, err := t.query()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		return nil, ioError(err)
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, ioError(err)
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, ioError(err)
	}
	var m dns.Msg
	if err := m.Unpack(buf); err != nil {
		return nil, fmt.Errorf("broken answer: %w", err)
	}
	if !t.answers(&m, id) || m.Truncated {
		return nil, errors.New("answer to another question, or truncated again")
	}
	return &m, nil
}

// answers reports whether m is the response to our packet. A server that
// refuses may leave the question out.
func (t try) answers(m *dns.Msg, id uint16) bool {
	if m.Id != id || !m.Response || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	got := m.Question[0]
	name, ok := rawName(got.Name)
	return ok && len(m.Question) == 1 && lower(name) == t.q.name &&
		got.Qtype == t.q.qtype && got.Qclass == dns.ClassINET
}

// dial opens a socket, with a source port of the kernel's choosing for each
// question, that stops when the share is used up or the client is closed.
func (t try) dial(ctx context.Context, network string) (net.Conn, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, t.share)
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, t.server.addr.String())
	if err != nil {
		cancel()
		return nil, nil, ioError(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); cancel(); _ = conn.Close() }, nil
}

// ioError tells silence from a refusal, and leaves our own port out of the text.
func ioError(err error) error {
	var netErr net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout() {
		return errNoAnswer
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}
