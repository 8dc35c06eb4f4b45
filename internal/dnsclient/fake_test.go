package dnsclient

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// question as a handler sees it.
type asked struct {
	key  string // "TXT a.example."
	edns bool
	ad   bool
	tcp  bool
}

// handler returns the messages to send back, none for silence.
type handler func(req *dns.Msg, a asked) []*dns.Msg

// fake is a DNS server on loopback, UDP and (unless noTCP) TCP.
type fake struct {
	addr string

	mu      sync.Mutex
	handle  handler
	history []asked
}

func (f *fake) set(h handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handle = h
}

// asked returns the questions so far.
func (f *fake) asked() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.history...)
}

func (f *fake) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	q := req.Question[0]
	_, tcp := w.LocalAddr().(*net.TCPAddr)
	a := asked{dns.TypeToString[q.Qtype] + " " + q.Name, req.IsEdns0() != nil, req.AuthenticatedData, tcp}
	f.mu.Lock()
	f.history = append(f.history, a)
	h := f.handle
	f.mu.Unlock()
	for _, m := range h(req, a) {
		_ = w.WriteMsg(m)
	}
}

// withTCP and withoutTCP say which sockets newFake opens.
const (
	withTCP    = true
	withoutTCP = false
)

func newFake(t *testing.T, tcp bool, h handler) *fake {
	t.Helper()
	f := &fake{handle: h}
	for range 20 { // the port must be free for both
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f.addr = pc.LocalAddr().String()
		if !tcp {
			serve(t, &dns.Server{PacketConn: pc, Handler: f})
			return f
		}
		l, err := net.Listen("tcp", f.addr)
		if err != nil {
			_ = pc.Close()
			continue
		}
		serve(t, &dns.Server{PacketConn: pc, Handler: f})
		serve(t, &dns.Server{Listener: l, Handler: f})
		return f
	}
	t.Fatal("no port that is free for udp and tcp")
	return nil
}

func serve(t *testing.T, s *dns.Server) {
	t.Helper()
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// respond answers req with records in the master file's form.
func respond(t *testing.T, req *dns.Msg, records ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetReply(req)
	m.RecursionAvailable = true
	for _, s := range records {
		m.Answer = append(m.Answer, mustRR(t, s))
	}
	return m
}

// soa of the negative answers: TTL 600, MINIMUM 300.
const soa = "example. 600 IN SOA ns.example. root.example. 1 2 3 4 300"

// negative answers req with an RCODE and SOA.
func negative(t *testing.T, req *dns.Msg, rcode int, records ...string) *dns.Msg {
	t.Helper()
	m := respond(t, req, records...)
	m.Rcode = rcode
	m.Ns = []dns.RR{mustRR(t, soa)}
	return m
}

func failing(req *dns.Msg, rcode int) []*dns.Msg {
	m := new(dns.Msg).SetRcode(req, rcode)
	m.RecursionAvailable = true
	return []*dns.Msg{m}
}

func mustRR(t *testing.T, s string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(s)
	if err != nil {
		t.Errorf("record %q: %v", s, err)
	}
	return rr
}

// answering is a handler with the same records for each question.
func answering(t *testing.T, records ...string) handler {
	return func(req *dns.Msg, _ asked) []*dns.Msg { return []*dns.Msg{respond(t, req, records...)} }
}

func silent(*dns.Msg, asked) []*dns.Msg { return nil }

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newClient asks the fakes, with time enough for a busy machine.
func newClient(t *testing.T, cfg Config, fakes ...*fake) *Client {
	t.Helper()
	for _, f := range fakes {
		cfg.Servers = append(cfg.Servers, f.addr)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// joinCtx tells when a look-up has joined a flight: it is then that Done is
// first asked for.
type joinCtx struct {
	context.Context
	once   sync.Once
	joined chan struct{}
}

func newJoinCtx(ctx context.Context) *joinCtx {
	return &joinCtx{Context: ctx, joined: make(chan struct{})}
}

func (c *joinCtx) Done() <-chan struct{} {
	c.once.Do(func() { close(c.joined) })
	return c.Context.Done()
}
