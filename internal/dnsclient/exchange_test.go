package dnsclient

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestTruncation(t *testing.T) {
	long := strings.Repeat("0123456789", 6000)
	h := func(req *dns.Msg, a asked) []*dns.Msg {
		m := respond(t, req)
		if a.tcp {
			m.Answer = []dns.RR{txtRecord(req.Question[0].Name, long)}
		} else {
			m.Truncated = true
		}
		return []*dns.Msg{m}
	}
	tests := map[string]struct {
		tcp  bool
		h    handler
		want string
		text string
	}{
		"60 KB over tcp": {withTCP, h, "ok", ""},
		"no tcp":         {withoutTCP, h, "temporary", "truncated answer, and over tcp: connection refused"},
		"truncated over tcp too": {withTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
			m := respond(t, req)
			m.Truncated = true
			return []*dns.Msg{m}
		}, "temporary", "truncated again"},
		"other id over tcp": {withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
			m := respond(t, req)
			m.Truncated = !a.tcp
			if a.tcp {
				m.Id++
			}
			return []*dns.Msg{m}
		}, "temporary", "another question"},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			c := newClient(t, Config{}, newFake(t, tc.tcp, tc.h))
			a, err := c.LookupTXT(t.Context(), "long.example")
			if kind(err) != tc.want || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("got %v, want %s %q", err, tc.want, tc.text)
			}
			if err == nil && a.Records[0] != long {
				t.Errorf("%d bytes came", len(a.Records[0]))
			}
		})
	}
}

// An answer that is longer than was offered, cut by our buffer, is truncated
// without saying so.
func TestOversizedUDPAnswer(t *testing.T) {
	f := newFake(t, withTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		m := respond(t, req)
		m.Answer = []dns.RR{txtRecord(req.Question[0].Name, strings.Repeat("x", 8000))}
		return []*dns.Msg{m}
	})
	a, err := newClient(t, Config{}, f).LookupTXT(t.Context(), "big.example")
	if err != nil || len(a.Records[0]) != 8000 {
		t.Error(err)
	}
}

func TestStrayPacketsAreIgnored(t *testing.T) {
	f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		good := respond(t, req, "a.example. 60 IN TXT good")
		bad := func(change func(*dns.Msg)) *dns.Msg {
			m := respond(t, req, "a.example. 60 IN TXT bad")
			change(m)
			return m
		}
		return []*dns.Msg{
			bad(func(m *dns.Msg) { m.Id++ }),
			bad(func(m *dns.Msg) { m.Question[0].Name = "b.example." }),
			bad(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }),
			bad(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
			bad(func(m *dns.Msg) { m.Question = nil }),
			bad(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
			bad(func(m *dns.Msg) { m.Response = false }),
			good,
		}
	})
	a, err := newClient(t, Config{}, f).LookupTXT(t.Context(), "a.example")
	if err != nil || a.Records[0] != "good" {
		t.Error(a, err)
	}
}

func TestFloodOfStrayPacketsEnds(t *testing.T) {
	for stray, want := range map[int]string{99: "ok", 100: "temporary"} {
		f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
			out := make([]*dns.Msg, stray, stray+1)
			for i := range out {
				out[i] = respond(t, req)
				out[i].Id++
			}
			return append(out, respond(t, req, "a.example. 60 IN TXT x"))
		})
		if _, err := newClient(t, Config{}, f).LookupTXT(t.Context(), "a.example"); kind(err) != want {
			t.Errorf("%d stray packets: %v, want %s", stray, err, want)
		}
	}
}

func TestEDNSSize(t *testing.T) {
	f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		if opt := req.IsEdns0(); opt == nil || opt.UDPSize() != 1232 || opt.Do() {
			t.Errorf("%v", opt)
		}
		return []*dns.Msg{respond(t, req, "a.example. 60 IN TXT x")}
	})
	if _, err := newClient(t, Config{}, f).LookupTXT(t.Context(), "a.example"); err != nil {
		t.Error(err)
	}
}

func TestServerWithoutEDNS(t *testing.T) {
	for _, rcode := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented} {
		t.Run(dns.RcodeToString[rcode], func(t *testing.T) {
			f := newFake(t, withoutTCP, func(req *dns.Msg, a asked) []*dns.Msg {
				if a.edns {
					m := failing(req, rcode)
					m[0].Question = nil
					return m
				}
				return []*dns.Msg{respond(t, req, "a.example. 60 IN TXT x")}
			})
			if _, err := newClient(t, Config{}, f).LookupTXT(t.Context(), "a.example"); err != nil {
				t.Error(err)
			}
			if n := len(f.asked()); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// A firewall that swallows what it does not know: the second round is plain.
func TestSilenceToEDNS(t *testing.T) {
	f := newFake(t, withoutTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		if a.edns {
			return nil
		}
		return []*dns.Msg{respond(t, req, "a.example. 60 IN TXT x")}
	})
	if _, err := newClient(t, Config{Timeout: time.Second}, f).LookupTXT(t.Context(), "a.example"); err != nil {
		t.Error(err)
	}
}

func TestSilence(t *testing.T) {
	f, g := newFake(t, withTCP, silent), newFake(t, withTCP, silent)
	_, err := newClient(t, Config{Timeout: 400 * time.Millisecond}, f, g).LookupTXT(t.Context(), "a.example")
	if kind(err) != "temporary" || !strings.Contains(err.Error(), "no answer in time") {
		t.Error(err)
	}
	if len(f.asked()) == 0 || len(g.asked()) == 0 {
		t.Errorf("not every server was asked within the timeout: %v, %v", f.asked(), g.asked())
	}
}

func TestServersTakeTurns(t *testing.T) {
	good := answering(t, "a.example. 60 IN TXT x", "b.example. 60 IN TXT x")
	fail := func(rcode int) handler {
		return func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, rcode) }
	}
	tests := map[string]struct {
		first handler // nil: nobody listens
	}{
		"nobody listens":   {nil},
		"silent":           {silent},
		"servfail":         {fail(dns.RcodeServerFailure)},
		"refused":          {fail(dns.RcodeRefused)},
		"no tcp":           {func(req *dns.Msg, _ asked) []*dns.Msg { m := respond(t, req); m.Truncated = true; return []*dns.Msg{m} }},
		"lame, a referral": {func(req *dns.Msg, _ asked) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetReply(req)} }},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			var first *fake
			if tc.first == nil {
				first = &fake{addr: closedPort(t)}
			} else {
				first = newFake(t, withoutTCP, tc.first)
			}
			second := newFake(t, withoutTCP, good)
			c := newClient(t, Config{Timeout: 4 * time.Second}, first, second)
			if _, err := c.LookupTXT(t.Context(), "a.example"); err != nil {
				t.Fatal(err)
			}
			before := len(first.asked())
			if _, err := c.LookupTXT(t.Context(), "b.example"); err != nil {
				t.Fatal(err)
			}
			if after := len(first.asked()); after != before {
				t.Errorf("the server that failed was asked first again (%d questions, then %d)", before, after)
			}
		})
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	return pc.LocalAddr().String()
}

// TestReasonOfAServer: the first of RFC 8914's own that is known, and no other option.
func TestReasonOfAServer(t *testing.T) {
	bogus := &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus, ExtraText: "free text"}
	for _, tc := range []struct {
		rcode   int
		options []dns.EDNS0
		want    string
	}{
		{dns.RcodeServerFailure, nil, "SERVFAIL"},
		{4000, nil, "rcode 4000"},
		{dns.RcodeServerFailure, []dns.EDNS0{&dns.EDNS0_COOKIE{}, &dns.EDNS0_EDE{InfoCode: 4000}, bogus}, "SERVFAIL (DNSSEC Bogus)"},
		{dns.RcodeServerFailure, []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 4000, ExtraText: "free text"}}, "SERVFAIL"},
	} {
		m := new(dns.Msg)
		m.SetEdns0(1232, false)
		m.Rcode, m.IsEdns0().Option = tc.rcode, tc.options
		if got := rcodeError(m).Error(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestEachServerIsAskedOnceWhenAllRefuse(t *testing.T) {
	refuse := func(req *dns.Msg, _ asked) []*dns.Msg {
		m := failing(req, dns.RcodeServerFailure)
		m[0].SetEdns0(1232, false)
		opt := m[0].IsEdns0()
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus, ExtraText: "\x1b[31mfree text"})
		return m
	}
	f, g := newFake(t, withoutTCP, refuse), newFake(t, withoutTCP, refuse)
	_, err := newClient(t, Config{}, f, g).LookupTXT(t.Context(), "a.example")
	if kind(err) != "temporary" || !strings.HasSuffix(err.Error(), g.addr+": SERVFAIL (DNSSEC Bogus)") {
		t.Error(err)
	}
	if diff := cmp.Diff([]int{1, 1}, []int{len(f.asked()), len(g.asked())}); diff != "" {
		t.Error(diff)
	}
}
