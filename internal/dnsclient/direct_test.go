package dnsclient

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// authority makes an answer that of a server of the zone.
func authority(m *dns.Msg) *dns.Msg {
	m.Authoritative, m.RecursionAvailable = true, false
	return m
}

func TestAskTXT(t *testing.T) {
	long := strings.Repeat("0123456789", 300)
	for title, tc := range map[string]struct {
		h    handler
		want Said
		text string // of the error
	}{
		"records": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{authority(respond(t, req, `K.Example. 60 IN TXT "a" "b"`, `k.example. 60 IN TXT "c"`, `other.example. 60 IN TXT "d"`))}
		}, Said{Records: []string{"ab", "c"}, Authoritative: true}, ""},
		"alias, with its target's records": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{authority(respond(t, req, `k.example. 60 IN CNAME T.example.net.`, `t.example.net. 60 IN TXT "c"`))}
		}, Said{Alias: "t.example.net", Authoritative: true}, ""},
		"no such name": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{authority(negative(t, req, dns.RcodeNameError))}
		}, Said{Authoritative: true}, ""},
		"no such record": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{authority(negative(t, req, dns.RcodeSuccess))}
		}, Said{Authoritative: true}, ""},
		"a resolver": {answering(t, `k.example. 60 IN TXT "c"`), Said{Records: []string{"c"}}, ""},
		"a referral": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := respond(t, req)
			m.RecursionAvailable = false
			m.Ns = []dns.RR{mustRR(t, "example. 60 IN NS ns.example.")}
			return []*dns.Msg{m}
		}, Said{}, "no server of this zone"},
		"refused": {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, dns.RcodeRefused) }, Said{}, "REFUSED"},
		"failing": {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, dns.RcodeServerFailure) }, Said{}, "SERVFAIL"},
		"no EDNS": {func(req *dns.Msg, a asked) []*dns.Msg {
			if a.edns {
				return failing(req, dns.RcodeFormatError)
			}
			return []*dns.Msg{authority(respond(t, req, `k.example. 60 IN TXT "c"`))}
		}, Said{Records: []string{"c"}, Authoritative: true}, ""},
		"long": {func(req *dns.Msg, a asked) []*dns.Msg {
			m := authority(respond(t, req))
			if m.Truncated = !a.tcp; a.tcp {
				m.Answer = []dns.RR{txtRecord("k.example.", long)}
			}
			return []*dns.Msg{m}
		}, Said{Records: []string{long}, Authoritative: true}, ""},
	} {
		t.Run(title, func(t *testing.T) {
			f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
				if req.RecursionDesired {
					t.Error("asked for recursion")
				}
				return tc.h(req, a)
			})
			got, err := AskTXT(t.Context(), netip.MustParseAddrPort(f.addr), "K.example", false)
			if tc.text == "" && err != nil || tc.text != "" && (!errors.Is(err, resolve.ErrTemporary) || !strings.Contains(err.Error(), tc.text)) {
				t.Fatalf("%v, want %q", err, tc.text)
			}
			if d := cmp.Diff(tc.want, got); err == nil && d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAskTXTRecursion(t *testing.T) {
	f := newFake(t, withTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		if !req.RecursionDesired {
			return failing(req, dns.RcodeRefused)
		}
		return []*dns.Msg{respond(t, req, `k.example. 60 IN TXT "c"`)}
	})
	if got, err := AskTXT(t.Context(), netip.MustParseAddrPort(f.addr), "k.example", true); err != nil || len(got.Records) != 1 {
		t.Error(got, err)
	}
}

// A zone with thousands of records at a name does not fill our memory.
func TestAskTXTBoundsRecords(t *testing.T) {
	f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		m := authority(respond(t, req))
		for range 500 {
			m.Answer = append(m.Answer, txtRecord("k.example.", "x"))
		}
		return []*dns.Msg{m}
	})
	if got, err := AskTXT(t.Context(), netip.MustParseAddrPort(f.addr), "k.example", false); err != nil || len(got.Records) != maxDirect {
		t.Error(len(got.Records), err)
	}
}

// Who does not wait any more is not kept, and nobody is asked a name that is none.
func TestAskTXTEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, withoutTCP, func(*dns.Msg, asked) []*dns.Msg { cancel(); return nil })
	if _, err := AskTXT(ctx, netip.MustParseAddrPort(f.addr), "k.example", false); !errors.Is(err, resolve.ErrTemporary) {
		t.Error(err)
	}
	n := len(f.asked())
	if _, err := AskTXT(t.Context(), netip.MustParseAddrPort(f.addr), strings.Repeat("a", 64)+".example", false); err == nil || len(f.asked()) != n {
		t.Error(err)
	}
}

func TestLookupNS(t *testing.T) {
	f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		switch a.key {
		case "NS example.com.":
			return []*dns.Msg{respond(t, req, "Example.com. 60 IN NS NS1.Example.net.", "example.com. 60 IN NS ns2.example.net.")}
		case "NS alias.example.com.":
			return []*dns.Msg{respond(t, req, "alias.example.com. 60 IN CNAME example.org.", "example.org. 60 IN NS ns.example.org.")}
		case "NS none.example.com.":
			return []*dns.Msg{negative(t, req, dns.RcodeSuccess)}
		}
		return failing(req, dns.RcodeServerFailure)
	})
	c := newClient(t, Config{}, f)
	for name, want := range map[string]string{
		"example.COM":         "ns1.example.net ns2.example.net",
		"alias.example.com":   "nodata",
		"none.example.com":    "nodata",
		"failing.example.com": "temporary",
	} {
		a, err := c.LookupNS(t.Context(), name)
		got := strings.Join(a.Records, " ")
		if err != nil {
			got = kind(err)
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, want)
		}
	}
}

// Something on the way drops what has EDNS: the second try is without it.
func TestAskTXTSilentToEDNS(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		if a.edns {
			return nil
		}
		return []*dns.Msg{authority(respond(t, req, `k.example. 60 IN TXT "c"`))}
	})
	if got, err := AskTXT(ctx, netip.MustParseAddrPort(f.addr), "k.example", false); err != nil || len(got.Records) != 1 || !f.asked()[0].edns {
		t.Error(got, err, f.asked())
	}
}
