package faultdns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Fault is what goes wrong with one question.
type Fault string

// The faults. All but OnlyTCP and AD leave the asker without the records.
const (
	None      Fault = ""           // the zone's answer
	Silence   Fault = "silence"    // no answer at all, to TCP neither
	Late      Fault = "late"       // the right answer, LateBy after the question
	Drip      Fault = "drip"       // truncated, and over TCP a byte every DripEvery
	ServFail  Fault = "servfail"   // RCODE 2
	Refused   Fault = "refused"    // RCODE 5
	WrongID   Fault = "wrong id"   // the right answer under another id, and nothing else
	WrongName Fault = "wrong name" // the right answer to another question
	OnlyTCP   Fault = "only tcp"   // truncated, and TCP gives the zone's answer
	NoTCP     Fault = "no tcp"     // truncated, and TCP closes at once
	CutTCP    Fault = "cut tcp"    // truncated, and TCP ends in the middle of the answer
	Chain     Fault = "chain"      // an alias of a name that is an alias, without end
	Loop      Fault = "loop"       // an alias of an alias of itself
	Huge      Fault = "huge"       // 64 KB over TCP: more records than anybody has
	NXDomain  Fault = "nxdomain"   // no such name, whatever the zone says
	Lame      Fault = "lame"       // a referral: the server does not do recursion
	Garbage   Fault = "garbage"    // a packet with the right id that is no DNS message
	AD        Fault = "ad"         // the zone's answer, with a claim that it was validated
)

// Temporary are the faults after which nobody knows whether the records exist.
var Temporary = []Fault{Silence, Late, Drip, ServFail, Refused, WrongID, WrongName, NoTCP, CutTCP, Chain, Loop, Huge, Lame, Garbage}

const (
	// LateBy is longer than any time-out of a resolver or a message in tests.
	LateBy = 30 * time.Second
	// DripEvery makes a short answer take minutes.
	DripEvery = time.Second
)

// plan is what is sent back.
type plan struct {
	packets [][]byte
	after   time.Duration // wait before the first
	every   time.Duration // TCP: between two bytes
	cut     int           // TCP: bytes after which the connection ends
	hang    bool          // TCP: stays open and says nothing
}

func (s *Server) plan(req *dns.Msg, tcp bool) plan {
	q := req.Question[0]
	name, qtype, ok := s.count(q)
	m := new(dns.Msg).SetReply(req)
	m.RecursionAvailable = true
	if opt := req.IsEdns0(); opt != nil {
		m.SetEdns0(1232, false)
	}
	if !ok {
		m.Rcode = dns.RcodeNameError
		return plan{packets: pack(m)}
	}
	truncated := func() plan {
		m.Truncated = true
		return plan{packets: pack(m)}
	}
	rcode := func(n int) plan {
		m.Rcode = n
		return plan{packets: pack(m)}
	}
	f := s.fault(name, qtype)
	switch f {
	case Silence:
		return plan{hang: true}
	case ServFail:
		return rcode(dns.RcodeServerFailure)
	case Refused:
		return rcode(dns.RcodeRefused)
	case NXDomain:
		m.Ns = soa(q.Name)
		return rcode(dns.RcodeNameError)
	case Lame:
		m.RecursionAvailable = false
		m.Ns = []dns.RR{&dns.NS{Hdr: head("example.", dns.TypeNS), Ns: "ns.example."}}
		return plan{packets: pack(m)}
	case Garbage:
		return plan{packets: [][]byte{append([]byte{byte(req.Id >> 8), byte(req.Id), 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0}, "\xc0\x0c\xff\xff"...)}}
	case Chain:
		m.Answer = []dns.RR{alias(q.Name, next(q.Name))}
		return plan{packets: pack(m)}
	case Loop:
		other := "loop." + strings.TrimPrefix(q.Name, "loop.")
		m.Answer = []dns.RR{alias(q.Name, other), alias(other, q.Name)}
		return plan{packets: pack(m)}
	case OnlyTCP, Drip, NoTCP, CutTCP, Huge:
		if !tcp {
			return truncated()
		}
	}
	switch {
	case f == NoTCP:
		return plan{}
	case f == Huge:
		m.Compress = true
		for i := range 2000 {
			m.Answer = append(m.Answer, filler(q, i))
		}
		return plan{packets: pack(m)}
	case !s.answer(m, q, name, qtype):
		return plan{hang: true}
	}
	p := plan{}
	switch f {
	case Late:
		p.after = LateBy
	case Drip:
		p.every = DripEvery
	case CutTCP:
		p.cut = 20
	case WrongID:
		m.Id ^= 0x5555
	case WrongName:
		m.Question[0].Name = "x." + q.Name
	case AD:
		m.AuthenticatedData = true
	}
	if !tcp {
		size := dns.MinMsgSize
		if opt := req.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
	p.packets = pack(m)
	return p
}

// answer puts the zone's answer into m, aliases first; false is the zone's
// "!timeout".
func (s *Server) answer(m *dns.Msg, q dns.Question, name, qtype string) bool {
	ctx := context.Background()
	var err error
	add := func(rr dns.RR) { m.Answer = append(m.Answer, rr) }
	h := head(s.aliases(m, q.Name, name, qtype), q.Qtype)
	switch qtype {
	case "TXT":
		var a resolve.Answer[string]
		a, err = s.zone.LookupTXT(ctx, name)
		for _, txt := range a.Records {
			add(&dns.TXT{Hdr: h, Txt: pieces(txt)})
		}
	case "A":
		var a resolve.Answer[netip.Addr]
		a, err = s.zone.LookupA(ctx, name)
		for _, ip := range a.Records {
			add(&dns.A{Hdr: h, A: net.IP(ip.AsSlice())})
		}
	case "AAAA":
		var a resolve.Answer[netip.Addr]
		a, err = s.zone.LookupAAAA(ctx, name)
		for _, ip := range a.Records {
			b := ip.As16()
			add(&dns.AAAA{Hdr: h, AAAA: net.IP(b[:])})
		}
	case "MX":
		var a resolve.Answer[resolve.MX]
		a, err = s.zone.LookupMX(ctx, name)
		for _, mx := range a.Records {
			add(&dns.MX{Hdr: h, Preference: mx.Preference, Mx: wire(mx.Host)})
		}
	case "PTR":
		ip, ok := address(name)
		if !ok {
			err = resolve.ErrNXDomain
			break
		}
		var a resolve.Answer[string]
		a, err = s.zone.LookupPTR(ctx, ip)
		for _, host := range a.Records {
			add(&dns.PTR{Hdr: h, Ptr: wire(host)})
		}
	default:
		m.Rcode = dns.RcodeNotImplemented
		return true
	}
	switch {
	case err == nil:
	case errors.Is(err, resolve.ErrNXDomain):
		m.Rcode, m.Ns = dns.RcodeNameError, soa(q.Name)
	case errors.Is(err, resolve.ErrNoData):
		m.Ns = soa(q.Name)
	case strings.Contains(err.Error(), "no answer in time"):
		return false
	default:
		m.Rcode = dns.RcodeServerFailure
	}
	return true
}

// aliases puts those on the way from owner, which is name in the library's form,
// to the records into m, and returns the last target. Where they go in circles
// the zone says so of its own.
func (s *Server) aliases(m *dns.Msg, owner, name, qtype string) string {
	for range 10 {
		target, ok := s.zone.Alias(name, qtype)
		if !ok {
			break
		}
		m.Answer = append(m.Answer, alias(owner, wire(target)))
		owner, name = wire(target), target
	}
	return owner
}

func pack(m *dns.Msg) [][]byte {
	b, err := m.Pack()
	if err != nil { // a name that does not go on the wire: the client sees silence
		return nil
	}
	return [][]byte{b}
}

func head(name string, qtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 60}
}

func soa(name string) []dns.RR {
	return []dns.RR{&dns.SOA{Hdr: head(name, dns.TypeSOA), Ns: "ns.example.", Mbox: "root.example.", Minttl: 60}}
}

func alias(from, to string) dns.RR { return &dns.CNAME{Hdr: head(from, dns.TypeCNAME), Target: to} }

// next is another name, as long as the first: c1.x, c2.x, ...
func next(name string) string {
	first, rest, _ := strings.Cut(name, ".")
	var n int
	if _, err := fmt.Sscanf(first, "faultdns%d", &n); err == nil {
		return fmt.Sprintf("faultdns%d.%s", n+1, rest)
	}
	return "faultdns1." + rest
}

// filler is a record of the type that was asked for.
func filler(q dns.Question, i int) dns.RR {
	h := head(q.Name, q.Qtype)
	switch q.Qtype {
	case dns.TypeA:
		return &dns.A{Hdr: h, A: net.IPv4(198, 18, byte(i>>8), byte(i))}
	case dns.TypeAAAA:
		return &dns.AAAA{Hdr: h, AAAA: net.ParseIP(fmt.Sprintf("2001:db8::%x", i))}
	case dns.TypeMX:
		return &dns.MX{Hdr: h, Preference: uint16(i), Mx: "mx.example."}
	case dns.TypePTR:
		return &dns.PTR{Hdr: h, Ptr: "host.example."}
	}
	return &dns.TXT{Hdr: h, Txt: []string{fmt.Sprint(i)}}
}

// pieces cuts a record into character-strings, escaped as the library wants
// them: into two at least, so that whoever asks has to join them
// (RFC 7208 §3.3, RFC 6376 §3.6.2.2).
func pieces(txt string) []string {
	out := []string{}
	for n := min(255, (len(txt)+1)/2); len(txt) > n; {
		out, txt = append(out, escape(txt[:n])), txt[n:]
	}
	return append(out, escape(txt))
}

// wire is a name of the zone in the library's form.
func wire(name string) string { return escape(name) + "." }

func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' || c == '"' {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// address reads the name of a PTR record.
func address(name string) (netip.Addr, bool) {
	if v4, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		l := strings.Split(v4, ".")
		if len(l) != 4 {
			return netip.Addr{}, false
		}
		ip, err := netip.ParseAddr(l[3] + "." + l[2] + "." + l[1] + "." + l[0])
		return ip, err == nil
	}
	v6, ok := strings.CutSuffix(name, ".ip6.arpa")
	digits := strings.ReplaceAll(v6, ".", "")
	if !ok || len(v6) != 63 || len(digits) != 32 {
		return netip.Addr{}, false
	}
	b := []byte(digits)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	var ip [16]byte
	if _, err := hex.Decode(ip[:], b); err != nil {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(ip), true
}
