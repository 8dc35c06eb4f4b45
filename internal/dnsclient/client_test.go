package dnsclient

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// kind names what a look-up's error is to the checks.
func kind(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, resolve.ErrNXDomain):
		return "nxdomain"
	case errors.Is(err, resolve.ErrNoData):
		return "nodata"
	case errors.Is(err, resolve.ErrTemporary):
		return "temporary"
	}
	return "not one of the port's errors: " + err.Error()
}

func TestLookupTypes(t *testing.T) {
	f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		switch a.key {
		case "TXT two.example.":
			return []*dns.Msg{respond(t, req, `two.example. 60 IN TXT "v=spf1 " "-all"`, `two.example. 50 IN TXT "other"`, `two.example. 60 IN TXT "other"`)}
		case "A a.example.":
			return []*dns.Msg{respond(t, req, "a.example. 60 IN A 192.0.2.1", "a.example. 60 IN A 192.0.2.2")}
		case "AAAA a.example.":
			return []*dns.Msg{respond(t, req, "a.example. 60 IN AAAA 2001:db8::1")}
		case "MX m.example.":
			return []*dns.Msg{respond(t, req, "m.example. 60 IN MX 20 b.example.", "m.example. 60 IN MX 10 a.example.")}
		case "MX null.example.":
			return []*dns.Msg{respond(t, req, "null.example. 60 IN MX 0 .")}
		case "CNAME alias.example.":
			return []*dns.Msg{respond(t, req, "alias.example. 60 IN CNAME Target.example.")}
		case "PTR 1.2.0.192.in-addr.arpa.":
			return []*dns.Msg{respond(t, req, "1.2.0.192.in-addr.arpa. 60 IN PTR b.example.", "1.2.0.192.in-addr.arpa. 60 IN PTR A.example.")}
		case "PTR 9.2.0.192.in-addr.arpa.":
			return []*dns.Msg{respond(t, req, `9.2.0.192.in-addr.arpa. 60 IN PTR mail\.good.example.`, "9.2.0.192.in-addr.arpa. 60 IN PTR .")}
		}
		if strings.HasPrefix(a.key, "PTR 1.0.0.0.") {
			return []*dns.Msg{respond(t, req, req.Question[0].Name+" 60 IN PTR six.example.")}
		}
		return []*dns.Msg{negative(t, req, dns.RcodeNameError)}
	})
	c := newClient(t, Config{Now: newClock().Now}, f)
	ctx := t.Context()

	txt, err := c.LookupTXT(ctx, "Two.Example.")
	want := resolve.Answer[string]{Records: []string{"v=spf1 -all", "other"}, TTL: 50 * time.Second}
	if diff := cmp.Diff(want, txt); err != nil || diff != "" {
		t.Errorf("TXT: %v, %s", err, diff)
	}
	addrs := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	a, err := c.LookupA(ctx, "a.example")
	if diff := cmp.Diff([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, a.Records, addrs); err != nil || diff != "" {
		t.Errorf("A: %v, %s", err, diff)
	}
	aaaa, err := c.LookupAAAA(ctx, "a.example")
	if diff := cmp.Diff([]netip.Addr{netip.MustParseAddr("2001:db8::1")}, aaaa.Records, addrs); err != nil || diff != "" {
		t.Errorf("AAAA: %v, %s", err, diff)
	}
	cname, err := c.LookupCNAME(ctx, "Alias.example")
	if diff := cmp.Diff([]string{"Target.example"}, cname.Records); err != nil || diff != "" {
		t.Errorf("CNAME: %v, %s", err, diff)
	}
	mx, err := c.LookupMX(ctx, "m.example")
	if diff := cmp.Diff([]resolve.MX{{Preference: 10, Host: "a.example"}, {Preference: 20, Host: "b.example"}}, mx.Records); err != nil || diff != "" {
		t.Errorf("MX: %v, %s", err, diff)
	}
	mx, err = c.LookupMX(ctx, "null.example")
	if diff := cmp.Diff([]resolve.MX{{}}, mx.Records); err != nil || diff != "" {
		t.Errorf("null MX: %v, %s", err, diff)
	}
	ptr, err := c.LookupPTR(ctx, netip.MustParseAddr("::ffff:192.0.2.1"))
	if diff := cmp.Diff([]string{"b.example", "A.example"}, ptr.Records); err != nil || diff != "" {
		t.Errorf("PTR: %v, %s", err, diff)
	}
	ptr, err = c.LookupPTR(ctx, netip.MustParseAddr("2001:db8::1"))
	if diff := cmp.Diff([]string{"six.example"}, ptr.Records); err != nil || diff != "" {
		t.Errorf("PTR of IPv6: %v, %s", err, diff)
	}
	if _, err := c.LookupPTR(ctx, netip.MustParseAddr("192.0.2.9")); kind(err) != "nodata" {
		t.Errorf("PTR to names that cannot be written down: %v", err)
	}
	if _, err := c.LookupPTR(ctx, netip.Addr{}); kind(err) != "nxdomain" {
		t.Errorf("PTR of no address: %v", err)
	}

	txt.Records[0] = "changed by its caller"
	if again, _ := c.LookupTXT(ctx, "two.example"); again.Records[0] != "v=spf1 -all" {
		t.Errorf("the cache gave its own slice away: %q", again.Records)
	}
}

func TestNegativeAnswersStayApart(t *testing.T) {
	const name = "n.example."
	records := func(n int) handler {
		return func(req *dns.Msg, a asked) []*dns.Msg {
			m := respond(t, req)
			m.Truncated = !a.tcp
			for i := 0; a.tcp && i < n; i++ {
				m.Answer = append(m.Answer, mustRR(t, name+" 60 IN TXT x"))
			}
			m.Compress = true
			return []*dns.Msg{m}
		}
	}
	tests := map[string]struct {
		answer handler
		want   string
	}{
		"nxdomain": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{negative(t, req, dns.RcodeNameError)}
		}, "nxdomain"},
		"nxdomain without soa": {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, dns.RcodeNameError) }, "nxdomain"},
		"empty non-terminal": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{negative(t, req, dns.RcodeSuccess)}
		}, "nodata"},
		"nodata without soa":      {answering(t), "nodata"},
		"nodata, other type only": {answering(t, name+" 60 IN A 192.0.2.1"), "nodata"},
		"alias of nothing": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{negative(t, req, dns.RcodeNameError, name+" 60 IN CNAME gone.example.")}
		}, "nxdomain"},
		"alias of a name without the type": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{negative(t, req, dns.RcodeSuccess, name+" 60 IN CNAME other.example.")}
		}, "nodata"},
		"alias of the root":     {answering(t, name+" 60 IN CNAME ."), "nodata"},
		"record of other name":  {answering(t, "other.example. 60 IN TXT x"), "temporary"},
		"record of other class": {answering(t, name+" 60 CH TXT x"), "temporary"},
		"nxdomain with the record": {func(req *dns.Msg, _ asked) []*dns.Msg {
			return []*dns.Msg{negative(t, req, dns.RcodeNameError, name+" 60 IN TXT x")}
		}, "nxdomain"},
		"servfail": {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, dns.RcodeServerFailure) }, "temporary"},
		"refused":  {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, dns.RcodeRefused) }, "temporary"},
		"refused without the question": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := failing(req, dns.RcodeRefused)
			m[0].Question = nil
			return m
		}, "temporary"},
		"notauth":       {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, dns.RcodeNotAuth) }, "temporary"},
		"unknown rcode": {func(req *dns.Msg, _ asked) []*dns.Msg { return failing(req, 14) }, "temporary"},
		"referral": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := respond(t, req)
			m.RecursionAvailable = false
			m.Ns = []dns.RR{mustRR(t, "example. 60 IN NS ns.example.")}
			return []*dns.Msg{m}
		}, "temporary"},
		"no referral: from a server of the zone": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := respond(t, req)
			m.RecursionAvailable, m.Authoritative = false, true
			return []*dns.Msg{m}
		}, "nodata"},
		"no referral: soa": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := negative(t, req, dns.RcodeSuccess)
			m.RecursionAvailable = false
			return []*dns.Msg{m}
		}, "nodata"},
		"no referral: an answer without recursion": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := respond(t, req, name+" 60 IN TXT x")
			m.RecursionAvailable = false
			return []*dns.Msg{m}
		}, "ok"},
		"no referral: nxdomain without recursion": {func(req *dns.Msg, _ asked) []*dns.Msg {
			m := failing(req, dns.RcodeNameError)
			m[0].RecursionAvailable = false
			return m
		}, "nxdomain"},
		"as many records as may be": {records(256), "ok"},
		"too many records":          {records(257), "temporary"},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			c := newClient(t, Config{}, newFake(t, withTCP, tc.answer))
			_, err := c.LookupTXT(t.Context(), "n.example")
			if got := kind(err); got != tc.want {
				t.Errorf("got %s (%v), want %s", got, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "can be made") {
				t.Errorf("%v: no record was read", err)
			}
			var e *resolve.Error
			if err != nil && (!errors.As(err, &e) || e.Type != "TXT" || e.Name != "n.example") {
				t.Errorf("error %#v does not name its question", err)
			}
		})
	}
}

func TestImpossibleNamesAreNotAsked(t *testing.T) {
	f := newFake(t, withoutTCP, answering(t))
	c := newClient(t, Config{}, f)
	for _, name := range []string{"", ".", "a..example", ".example", strings.Repeat("x", 64) + ".example", strings.Repeat("abcdefg.", 32) + "example"} {
		if _, err := c.LookupTXT(t.Context(), name); kind(err) != "nxdomain" {
			t.Errorf("%.20q: %v, want nxdomain", name, err)
		}
	}
	if n := f.asked(); len(n) != 0 {
		t.Errorf("asked %v", n)
	}
}

func TestQuestionOnTheWire(t *testing.T) {
	name := "a b\"\\\x00\xff(;@$.Example"
	f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		return []*dns.Msg{respond(t, req, req.Question[0].Name+` 60 IN TXT "ok"`)}
	})
	c := newClient(t, Config{}, f)
	if a, err := c.LookupTXT(t.Context(), name); err != nil || a.Records[0] != "ok" {
		t.Fatal(a, err)
	}
	got := f.asked()
	want := []asked{{key: `TXT a\ b\"\\\000\255\(\;\@$.example.`, edns: true, ad: true}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(asked{})); diff != "" {
		t.Error(diff)
	}
}

func TestRecordBytesSurvive(t *testing.T) {
	var all strings.Builder
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	tests := map[string]struct{ text, want string }{
		"every byte":              {all.String(), all.String()},
		"quotes and backslashes":  {`say "\1234\" \`, `say "\1234\" \`},
		"digits after backslash":  {`\065`, `\065`},
		"empty character-strings": {"", ""},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			c := newClient(t, Config{}, newFake(t, withTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
				m := respond(t, req)
				m.Answer = []dns.RR{txtRecord(req.Question[0].Name, tc.text)}
				return []*dns.Msg{m}
			}))
			a, err := c.LookupTXT(t.Context(), "bytes.example")
			if err != nil || len(a.Records) != 1 || a.Records[0] != tc.want {
				t.Errorf("got %q, %v, want %q", a.Records, err, tc.want)
			}
		})
	}
}

// txtRecord splits text into character-strings of up to 100 bytes, escaped as
// the library wants them.
func txtRecord(owner, text string) dns.RR {
	rr := &dns.TXT{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}}
	for first := true; first || text != ""; first = false {
		n := min(len(text), 100)
		var b strings.Builder
		for _, c := range []byte(text[:n]) {
			b.WriteString(`\` + string([]byte{'0' + c/100, '0' + c/10%10, '0' + c%10}))
		}
		rr.Txt, text = append(rr.Txt, b.String()), text[n:]
	}
	return rr
}

func TestADBit(t *testing.T) {
	tests := map[string]struct {
		server server
		trust  bool
		want   bool
	}{
		"loopback":         {server{trustAD: true}, false, true},
		"another host":     {server{}, false, false},
		"another, trusted": {server{}, true, true},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
				m := respond(t, req, "s.example. 60 IN TXT x")
				m.AuthenticatedData = true
				return []*dns.Msg{m}
			})
			c := newClient(t, Config{TrustAD: tc.trust}, f)
			c.servers.list[0].trustAD = tc.server.trustAD // as for an address that is not loopback's
			a, err := c.LookupTXT(t.Context(), "s.example")
			if err != nil || a.Secure != tc.want {
				t.Errorf("secure %v, %v, want %v", a.Secure, err, tc.want)
			}
			if got := f.asked()[0].ad; got != tc.want {
				t.Errorf("AD in the question is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestCloseEndsFlights(t *testing.T) {
	reached := make(chan struct{}, 1)
	var landed atomic.Bool
	observe := func(string, string, time.Duration) {
		for range 1000 { // let a Close that does not wait get ahead
			runtime.Gosched()
		}
		landed.Store(true)
	}
	c := newClient(t, Config{Observe: observe}, newFake(t, withoutTCP, func(*dns.Msg, asked) []*dns.Msg {
		reached <- struct{}{}
		return nil
	}))
	failed := make(chan error, 1)
	go func() {
		_, err := c.LookupTXT(t.Context(), "slow.example")
		failed <- err
	}()
	<-reached
	c.Close()
	if !landed.Load() {
		t.Error("Close did not wait for the flight")
	}
	if err := <-failed; kind(err) != "temporary" {
		t.Errorf("in flight: %v", err)
	}
	if _, err := c.LookupTXT(t.Context(), "later.example"); kind(err) != "temporary" {
		t.Errorf("after Close: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]Config{
		`want an ip address`: {Servers: []string{"dns.example"}},
		`want at most 8`:     {Servers: make([]string, 9)},
		`timeout -1s`:        {Timeout: -time.Second},
		`cache_size must be`: {CacheSize: -1},
	}
	for want, cfg := range tests {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestObserve(t *testing.T) {
	var got []string
	cfg := Config{Observe: func(qtype, outcome string, _ time.Duration) { got = append(got, qtype+" "+outcome) }}
	f := newFake(t, withoutTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		switch a.key {
		case "TXT yes.example.":
			return []*dns.Msg{respond(t, req, "yes.example. 60 IN TXT x")}
		case "TXT nodata.example.":
			return []*dns.Msg{negative(t, req, dns.RcodeSuccess)}
		case "MX fails.example.":
			return failing(req, dns.RcodeServerFailure)
		}
		return []*dns.Msg{negative(t, req, dns.RcodeNameError)}
	})
	c := newClient(t, cfg, f)
	for _, name := range []string{"yes.example", "yes.example", "nodata.example", "no.example"} {
		_, _ = c.LookupTXT(t.Context(), name)
	}
	_, _ = c.LookupA(t.Context(), "no.example")
	_, _ = c.LookupMX(t.Context(), "fails.example")
	_, _ = c.LookupMX(t.Context(), "fails.example")
	want := []string{"TXT answer", "TXT cached", "TXT nodata", "TXT nxdomain", "A cached", "MX temporary", "MX temporary"}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
