package conformance

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// nameserver is a recursive resolver, as far as its one zone goes, on a
// loopback port for UDP and TCP.
type nameserver struct {
	addr string
	// onlyTCP: every answer over UDP is empty and truncated.
	onlyTCP bool

	records map[question][]dns.RR
	names   map[string]bool // those that exist, the ones above included
	silent  map[question]bool
}

type question struct {
	name string // lower case, as the DNS library escapes it, with a trailing dot
	typ  uint16
}

func newNameserver() *nameserver {
	return &nameserver{records: map[question][]dns.RR{}, names: map[string]bool{}, silent: map[question]bool{}}
}

// add takes a record in the form of spfsuite.Scenario.Records. Before start.
func (s *nameserver) add(name, typ string, data ...string) error {
	if typ == "PTR" {
		if ip, err := netip.ParseAddr(name); err == nil {
			name = resolve.ReverseName(ip)
		}
	}
	name = escape(strings.TrimSuffix(name, ".")) + "."
	if _, ok := dns.IsDomainName(name); !ok {
		return fmt.Errorf("%q is no name", name)
	}
	q := question{strings.ToLower(name), dns.StringToType[typ]}
	if len(data) == 1 && data[0] == "!timeout" {
		s.silent[q] = true
		return nil
	}
	h := dns.RR_Header{Name: name, Rrtype: q.typ, Class: dns.ClassINET, Ttl: 300}
	host := func(s string) string { return escape(strings.TrimSuffix(s, ".")) + "." }
	var rr dns.RR
	switch typ {
	case "TXT":
		var parts []string
		for _, p := range data {
			parts = append(parts, escape(p))
		}
		rr = &dns.TXT{Hdr: h, Txt: parts}
	case "A":
		rr = &dns.A{Hdr: h, A: net.ParseIP(data[0])}
	case "AAAA":
		rr = &dns.AAAA{Hdr: h, AAAA: net.ParseIP(data[0])}
	case "MX":
		p, err := strconv.ParseUint(data[0], 10, 16)
		if err != nil || len(data) != 2 {
			return fmt.Errorf("MX %q", data)
		}
		rr = &dns.MX{Hdr: h, Preference: uint16(p), Mx: host(data[1])}
	case "PTR":
		rr = &dns.PTR{Hdr: h, Ptr: host(data[0])}
	case "CNAME":
		rr = &dns.CNAME{Hdr: h, Target: host(data[0])}
	default:
		return fmt.Errorf("record type %q", typ)
	}
	s.records[q] = append(s.records[q], rr)
	for _, i := range dns.Split(q.name) {
		s.names[q.name[i:]] = true
	}
	return nil
}

// escape writes bytes in the master file's form (RFC 1035 §5.1), except dots.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		case strings.IndexByte(`"\@();$ '`, c) >= 0:
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// start answers until the test ends.
func (s *nameserver) start(t *testing.T) {
	t.Helper()
	for range 20 { // the port must be free for both
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.addr = pc.LocalAddr().String()
		l, err := net.Listen("tcp", s.addr)
		if err != nil {
			_ = pc.Close()
			continue
		}
		s.serve(t, &dns.Server{PacketConn: pc, Handler: s})
		s.serve(t, &dns.Server{Listener: l, Handler: s})
		return
	}
	t.Fatal("no port that is free for udp and tcp")
}

func (s *nameserver) serve(t *testing.T, srv *dns.Server) {
	t.Helper()
	started, done := make(chan struct{}), make(chan error, 1)
	srv.NotifyStartedFunc = func() { close(started) }
	go func() { done <- srv.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := srv.Shutdown(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// ServeDNS answers one question, aliases followed.
func (s *nameserver) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	_, tcp := w.LocalAddr().(*net.TCPAddr)
	m := new(dns.Msg).SetReply(req)
	m.RecursionAvailable = true
	if s.onlyTCP && !tcp {
		m.Truncated = true
		_ = w.WriteMsg(m)
		return
	}
	q := question{strings.ToLower(req.Question[0].Name), req.Question[0].Qtype}
	for range 8 {
		if s.silent[q] {
			return
		}
		if rrs := s.records[q]; len(rrs) > 0 {
			m.Answer = append(m.Answer, rrs...)
			break
		}
		alias := s.records[question{q.name, dns.TypeCNAME}]
		if len(alias) == 0 {
			if !s.names[q.name] {
				m.Rcode = dns.RcodeNameError
			}
			m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60},
				Ns: "ns.invalid.", Mbox: "root.invalid.", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: 60}}
			break
		}
		m.Answer = append(m.Answer, alias[0])
		q.name = strings.ToLower(alias[0].(*dns.CNAME).Target)
	}
	if opt := req.IsEdns0(); opt != nil && !tcp {
		m.Truncate(int(opt.UDPSize()))
	}
	_ = w.WriteMsg(m)
}
