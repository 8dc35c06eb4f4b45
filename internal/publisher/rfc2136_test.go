package publisher

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// primary is a server on loopback that has the zone example.com, and says what the
// test tells it to.
type primary struct {
	addr string
	// answer changes what is sent for a question ("SOA") or an update; nil: good.
	answer func(kind string, m *dns.Msg)
	sign   func(m *dns.Msg) // nil: as it should be

	mu   sync.Mutex
	seen []*dns.Msg
}

func (p *primary) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	p.mu.Lock()
	p.seen = append(p.seen, req)
	p.mu.Unlock()
	m := new(dns.Msg).SetReply(req)
	kind := "UPDATE"
	if req.Opcode == dns.OpcodeQuery {
		kind, m.Authoritative, m.Rcode = "SOA", true, dns.RcodeNameError
		m.Ns = []dns.RR{rr("example.com. 5 IN SOA ns.example.com. root.example.com. 1 2 3 4 5")}
	}
	if w.TsigStatus() != nil || req.IsTsig() == nil {
		m.Rcode = dns.RcodeNotAuth
		_ = w.WriteMsg(m)
		return
	}
	if p.answer != nil {
		p.answer(kind, m)
	}
	if p.sign != nil && kind == "UPDATE" {
		p.sign(m)
	} else if m.IsTsig() == nil {
		m.SetTsig("up.example.", dns.HmacSHA256, fudge, time.Now().Unix())
	}
	_ = w.WriteMsg(m)
}

func rr(s string) dns.RR {
	r, err := dns.NewRR(s)
	if err != nil {
		panic(err)
	}
	return r
}

func newPrimary(t *testing.T, p *primary) *primary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	other := strings.Replace(secret64, "M", "N", 1)
	s := &dns.Server{Listener: l, Handler: p, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept },
		TsigSecret: map[string]string{"up.example.": secret64, "other.example.": other}}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		_ = s.Shutdown()
		<-done
	})
	return p
}

func newUpdater(t *testing.T, server string) Publisher {
	t.Helper()
	u, err := NewRFC2136(Config2136{Server: server, TSIGFile: keyFile(t, "hmac-sha256:up.example:"+secret64, 0o600)})
	if err != nil {
		t.Fatal(err, problem.Hint(err))
	}
	return u
}

// One message takes what is there away and puts the record, unless the name is an
// alias.
func TestUpdate(t *testing.T) {
	p := newPrimary(t, &primary{})
	u := newUpdater(t, p.addr)
	for _, tc := range []struct {
		c    Change
		want []string
	}{
		{sample, []string{
			"s1._domainkey.example.com.\t0\tNONE\tCNAME\t",
			"s1._domainkey.example.com.\t0\tCLASS255\tTXT\t",
			"s1._domainkey.example.com.\t300\tIN\tTXT\t\"v=DKIM1; p=" + strings.Repeat("A", 244) + "\" \"" + strings.Repeat("A", 56) + `\"\\"`,
		}},
		{Change{Name: "s1._domainkey.example.com", Remove: true}, []string{
			"s1._domainkey.example.com.\t0\tNONE\tCNAME\t",
			"s1._domainkey.example.com.\t0\tCLASS255\tTXT\t",
		}},
	} {
		p.seen = nil
		if err := u.Publish(t.Context(), tc.c); err != nil {
			t.Fatal(err)
		}
		if len(p.seen) != 2 || p.seen[0].RecursionDesired || p.seen[0].Question[0].Qtype != dns.TypeSOA {
			t.Fatalf("%v", p.seen)
		}
		m := p.seen[1]
		var got []string
		for _, r := range append(m.Answer, m.Ns...) {
			got = append(got, strings.TrimPrefix(r.String(), ";"))
		}
		if d := cmp.Diff(tc.want, got); d != "" || m.Opcode != dns.OpcodeUpdate || m.Question[0].Name != "example.com." || m.Question[0].Qtype != dns.TypeSOA || len(m.Answer) != 1 {
			t.Errorf("%s\n%v", d, m)
		}
	}
}

func TestUpdateFails(t *testing.T) {
	rcode := func(on string, rcode int) func(string, *dns.Msg) {
		return func(kind string, m *dns.Msg) {
			if kind == on {
				m.Rcode, m.Ns = rcode, nil
			}
		}
	}
	updates := func(answer func(string, *dns.Msg)) func(string, *dns.Msg) {
		return func(kind string, m *dns.Msg) {
			if kind == "UPDATE" {
				answer(kind, m)
			}
		}
	}
	tsig := func(code uint16, other string) func(string, *dns.Msg) {
		return func(_ string, m *dns.Msg) {
			m.Rcode = dns.RcodeNotAuth
			m.SetTsig("up.example.", dns.HmacSHA256, fudge, time.Now().Unix())
			r := m.Extra[len(m.Extra)-1].(*dns.TSIG)
			r.Error, r.OtherData, r.OtherLen = code, other, uint16(len(other)/2)
		}
	}
	soa := func(change func(m *dns.Msg)) func(string, *dns.Msg) {
		return func(kind string, m *dns.Msg) {
			if kind == "SOA" {
				change(m)
			}
		}
	}
	for title, tc := range map[string]struct {
		answer     func(string, *dns.Msg)
		sign       func(*dns.Msg)
		name       string
		want, hint string
		later      bool
	}{
		"refused": {answer: rcode("UPDATE", dns.RcodeRefused), want: "refuses key up.example to change it",
			hint: `in the zone "example.com": update-policy { grant up.example subdomain _domainkey.example.com. TXT; };`},
		"not its zone":          {answer: rcode("SOA", dns.RcodeRefused), want: "does not have its zone", hint: "the primary of the zone"},
		"not its primary":       {answer: rcode("UPDATE", dns.RcodeNotAuth), want: "does not have its zone", hint: "the primary of the zone"},
		"other zone":            {answer: rcode("UPDATE", dns.RcodeNotZone), want: "not in zone example.com", hint: "the primary of the zone"},
		"no updates":            {answer: rcode("UPDATE", dns.RcodeNotImplemented), want: "no dynamic updates", hint: "publish: hook"},
		"alias came":            {answer: rcode("UPDATE", dns.RcodeYXRrset), want: "is an alias (CNAME): nothing was changed", hint: "remove the CNAME"},
		"server fails":          {answer: rcode("UPDATE", dns.RcodeServerFailure), want: "SERVFAIL", hint: "journal", later: true},
		"no such name":          {answer: rcode("UPDATE", dns.RcodeNameError), want: "says NXDOMAIN", hint: "its log"},
		"code of nobody's":      {answer: rcode("UPDATE", 13), want: "says rcode 13", hint: "its log"},
		"no such key":           {answer: tsig(dns.RcodeBadKey, ""), want: "has no key up.example of hmac-sha256", hint: "the same key"},
		"refused as Knot does":  {answer: updates(tsig(dns.RcodeBadKey, "")), want: "refuses key up.example to change it", hint: "update-policy"},
		"clocks, at the update": {answer: updates(tsig(dns.RcodeBadTime, "")), want: "its clock differ (", hint: "timedatectl", later: true},
		"other secret":          {answer: tsig(dns.RcodeBadSig, ""), want: "another secret for key up.example", hint: "same secret"},
		"clocks": {answer: tsig(dns.RcodeBadTime, fmt.Sprintf("%012x", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC).Unix())),
			want: "it has 2020-01-02T03:04:05Z, we have 20", hint: "timedatectl", later: true},
		"clocks, no time":     {answer: tsig(dns.RcodeBadTime, ""), want: "its clock differ (", hint: "timedatectl", later: true},
		"clocks, half a time": {answer: tsig(dns.RcodeBadTime, "5e0d"), want: "its clock differ (", hint: "timedatectl set-ntp true", later: true},
		"other tsig error":    {answer: tsig(22, ""), want: "tsig error 22", hint: "its log"},
		"not signed":          {sign: func(*dns.Msg) {}, want: "not signed with key up.example", hint: "between us"},
		"signed by another":   {sign: func(m *dns.Msg) { m.SetTsig("other.example.", dns.HmacSHA256, fudge, time.Now().Unix()) }, want: "not signed", hint: "between us"},
		"weaker algorithm":    {sign: func(m *dns.Msg) { m.SetTsig("up.example.", dns.HmacSHA1, fudge, time.Now().Unix()) }, want: "not signed", hint: "between us"},
		"old signature":       {sign: func(m *dns.Msg) { m.SetTsig("up.example.", dns.HmacSHA256, fudge, time.Now().Unix()-1000) }, want: "not signed", hint: "between us"},
		"other id":            {answer: func(_ string, m *dns.Msg) { m.Id++ }, want: "answers another question", later: true},
		"a question":          {answer: func(_ string, m *dns.Msg) { m.Response = false }, want: "answers another question", later: true},
		"alias": {answer: soa(func(m *dns.Msg) {
			m.Rcode, m.Answer = dns.RcodeSuccess, []dns.RR{rr("S1._domainkey.example.com. 5 IN CNAME s1.hoster.example.")}
		}), want: "is an alias (CNAME) of s1.hoster.example: nothing was changed", hint: "publish the record at s1.hoster.example itself"},
		"delegated": {answer: soa(func(m *dns.Msg) {
			m.Authoritative, m.Rcode, m.Ns = false, dns.RcodeSuccess, []dns.RR{rr("_domainkey.example.com. 5 IN NS ns.example.net.")}
		}), want: "does not have its zone", hint: "the primary of the zone"},
		"a resolver": {answer: soa(func(m *dns.Msg) { m.Authoritative = false }), want: "does not have its zone", hint: "the primary of the zone"},
		"zone elsewhere": {answer: soa(func(m *dns.Msg) { m.Ns = []dns.RR{rr("example.org. 5 IN SOA a. b. 1 2 3 4 5")} }),
			want: "does not have its zone", hint: "the primary of the zone"},
		"the zone itself": {name: "Example.com", want: "it is the zone itself", hint: "below _domainkey"},
		"bad name":        {name: "a b", want: "not a name of", hint: "A-labels"},
	} {
		t.Run(title, func(t *testing.T) {
			p := newPrimary(t, &primary{answer: tc.answer, sign: tc.sign})
			c := sample
			if tc.name != "" {
				c.Name = tc.name
			}
			err := newUpdater(t, p.addr).Publish(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(problem.Hint(err), tc.hint) || errors.Is(err, ErrLater) != tc.later {
				t.Errorf("%v, hint %q; want %q, %q", err, problem.Hint(err), tc.want, tc.hint)
			}
		})
	}
}

// A server that tells its zone at the zone only is asked on the way up, so far.
func TestZoneAbove(t *testing.T) {
	asked := func(p *primary) (names []string) {
		for _, m := range p.seen {
			names = append(names, m.Question[0].Name)
		}
		return names
	}
	p := &primary{}
	p.answer = func(kind string, m *dns.Msg) {
		switch {
		case kind != "SOA":
		case m.Question[0].Name == "example.com.":
			m.Answer, m.Ns = m.Ns, nil
		default: // with an alias that is another name's
			m.Answer, m.Ns = []dns.RR{rr("example.com. 5 IN CNAME elsewhere.example.")}, nil
		}
	}
	newPrimary(t, p)
	if err := newUpdater(t, p.addr).Publish(t.Context(), sample); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked(p), " "); got != "s1._domainkey.example.com. _domainkey.example.com. example.com. example.com." {
		t.Error(got)
	}
	p.seen = nil
	c := sample
	c.Name = strings.Repeat("a.", 100) + "example.org"
	if err := newUpdater(t, p.addr).Publish(t.Context(), c); err == nil || len(asked(p)) != maxSteps {
		t.Errorf("%v, asked %d times", err, len(asked(p)))
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	u := newUpdater(t, addr)
	check := func(ctx context.Context, want string) {
		t.Helper()
		if err := u.Publish(ctx, sample); err == nil || !errors.Is(err, ErrLater) || !strings.Contains(err.Error(), want) || !strings.Contains(problem.Hint(err), "listen on tcp at "+addr) {
			t.Errorf("%v, hint %q, want %q", err, problem.Hint(err), want)
		}
	}
	conns := make(chan net.Conn)
	go func() {
		defer close(conns)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c := <-conns
		_, _ = c.Read(make([]byte, 1)) // it was asked, and stays silent
		cancel()
		c.Close()
		for c := range conns { // it says what is no message
			_, _ = c.Write([]byte{0, 20, 1, 2, 3})
			c.Close()
		}
	}()
	check(ctx, "no answer in time")
	check(t.Context(), "server "+addr)
	l.Close()
	check(t.Context(), "connection refused")
}

func TestServerNames(t *testing.T) {
	key := keyFile(t, "hmac-sha256:up.example:"+secret64, 0o600)
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]": "[2001:db8::1]:53",
		"[2001:db8::1]:5353": "[2001:db8::1]:5353", "ns1.example.com": "ns1.example.com:53", "ns1.example.com:5353": "ns1.example.com:5353", "localhost": "localhost:53",
		"": "", ":53": "", "a b": "", "ns1:0": "", "ns1:x:y": "", "192.0.2.1:0": "", "ns1:99999": "", "https://ns1.example.com": "", "ns1/": "",
	} {
		p, err := NewRFC2136(Config2136{Server: in, TSIGFile: key})
		if want == "" {
			if err == nil || problem.Hint(err) == "" {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		if err != nil || p.(*updater).server != want {
			t.Errorf("%q: %v, %v", in, p, err)
		}
	}
	if _, err := NewRFC2136(Config2136{Server: "::1", TSIGFile: key, Timeout: -1}); err == nil {
		t.Error("a negative timeout")
	}
	if _, err := NewRFC2136(Config2136{Server: "::1", TSIGFile: key + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// The signature is verified with our secret, name and algorithm, all of it.
func TestVerify(t *testing.T) {
	k, err := parseKey("hmac-sha256:k:" + secret64)
	if err != nil {
		t.Fatal(err)
	}
	key := k.make()
	mac := hex.EncodeToString(key.mac([]byte("text")))
	for title, tc := range map[string]struct {
		name, algorithm, mac string
		ok                   bool
	}{
		"good":       {"K.", "HMAC-SHA256.", mac, true},
		"no mac":     {"k.", "hmac-sha256.", "", false},
		"cut mac":    {"k.", "hmac-sha256.", mac[:32], false},
		"no hex":     {"k.", "hmac-sha256.", "x" + mac[1:], false},
		"other name": {"l.", "hmac-sha256.", mac, false},
		"other":      {"k.", "hmac-sha512.", mac, false},
	} {
		err := key.Verify([]byte("text"), &dns.TSIG{Hdr: dns.RR_Header{Name: tc.name}, Algorithm: tc.algorithm, MAC: tc.mac})
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", title, err)
		}
	}
	if key.Verify([]byte("tex"), &dns.TSIG{Hdr: dns.RR_Header{Name: "k."}, Algorithm: "hmac-sha256.", MAC: mac}) == nil {
		t.Error("another text")
	}
}
