package faultdns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const zone = `
a.example TXT "v=spf1 -all"
a.example TXT "second \\ \" \x00\xff"
a.example A 192.0.2.1
a.example AAAA 2001:db8::1
a.example MX 10 mx.a.example
192.0.2.1 PTR a.example
2001:db8::1 PTR six.example
www.a.example CNAME a.example
slow.a.example TXT !timeout
broken.a.example * !servfail
`

// client asks a server with the fault. Nothing of it waits for an answer that
// will come: a short time-out costs no verdict.
func client(t *testing.T, fault faultdns.Fault, timeout time.Duration) (*dnsclient.Client, *faultdns.Server) {
	t.Helper()
	s, err := faultdns.Start(resolve.MustZone(zone), func(string, string) faultdns.Fault { return fault })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c, err := dnsclient.New(dnsclient.Config{Servers: []string{s.Addr()}, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, s
}

// lookups asks for every type, and names what came.
func lookups(t *testing.T, c *dnsclient.Client) map[string]string {
	out := map[string]string{}
	word := func(typ string, n any, err error) {
		switch {
		case err == nil:
			out[typ] = fmt.Sprint(n)
		case errors.Is(err, resolve.ErrNXDomain):
			out[typ] = "nxdomain"
		case errors.Is(err, resolve.ErrNoData):
			out[typ] = "nodata"
		case errors.Is(err, resolve.ErrTemporary):
			out[typ] = "temporary"
		default:
			out[typ] = err.Error()
		}
	}
	ctx := t.Context()
	txt, err := c.LookupTXT(ctx, "a.example")
	word("TXT", strings.Join(txt.Records, "|"), err)
	a, err := c.LookupA(ctx, "a.example")
	word("A", a.Records, err)
	aaaa, err := c.LookupAAAA(ctx, "a.example")
	word("AAAA", aaaa.Records, err)
	mx, err := c.LookupMX(ctx, "a.example")
	word("MX", mx.Records, err)
	ptr, err := c.LookupPTR(ctx, netip.MustParseAddr("192.0.2.1"))
	word("PTR", ptr.Records, err)
	return out
}

var right = map[string]string{
	"TXT": "v=spf1 -all|second \\ \" \x00\xff", "A": "[192.0.2.1]", "AAAA": "[2001:db8::1]",
	"MX": "[{10 mx.a.example}]", "PTR": "[a.example]",
}

func TestZoneIsServed(t *testing.T) {
	for fault, packets := range map[faultdns.Fault]int64{faultdns.None: 5, faultdns.AD: 5, faultdns.OnlyTCP: 10} {
		c, s := client(t, fault, 20*time.Second)
		for typ, got := range lookups(t, c) {
			if got != right[typ] {
				t.Errorf("%q %s: %q, want %q", fault, typ, got, right[typ])
			}
		}
		if s.Questions() != 5 || s.Packets() != packets {
			t.Errorf("%q: %d questions, %d packets, want %d", fault, s.Questions(), s.Packets(), packets)
		}
	}
}

func TestZoneFailuresAreServed(t *testing.T) {
	c, _ := client(t, faultdns.None, 500*time.Millisecond)
	for name, want := range map[string]error{
		"www.a.example": nil, "gone.a.example": resolve.ErrNXDomain, "mx.a.example": resolve.ErrNXDomain, "example": resolve.ErrNoData,
		"slow.a.example": resolve.ErrTemporary, "broken.a.example": resolve.ErrTemporary,
	} {
		if _, err := c.LookupTXT(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	six, err := c.LookupPTR(t.Context(), netip.MustParseAddr("2001:db8::1"))
	if err != nil || six.Records[0] != "six.example" {
		t.Error(six, err)
	}
}

// says is what the resolver must have seen of a fault: that it happened as named.
var says = map[faultdns.Fault]string{
	faultdns.Silence:   "no answer in time",
	faultdns.Late:      "no answer in time",
	faultdns.Drip:      "truncated answer, and over tcp: no answer in time",
	faultdns.ServFail:  "SERVFAIL",
	faultdns.Refused:   "REFUSED",
	faultdns.WrongID:   "no answer in time",
	faultdns.WrongName: "no answer in time",
	faultdns.NoTCP:     "truncated answer, and over tcp: EOF",
	faultdns.CutTCP:    "truncated answer, and over tcp: unexpected EOF",
	faultdns.Chain:     "more than 10 cnames",
	faultdns.Loop:      "cname loop",
	faultdns.Huge:      "more than 256 records",
	faultdns.Lame:      "does not do recursion",
	faultdns.Garbage:   "no answer in time",
}

// Each fault leaves every type of question open: not one of them may read as
// "there is no such record", which would be held against a message.
func TestFaultsAreTemporary(t *testing.T) {
	for _, fault := range faultdns.Temporary {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			c, s := client(t, fault, 400*time.Millisecond)
			for typ, got := range lookups(t, c) {
				if got != "temporary" {
					t.Errorf("%s: %s", typ, got)
				}
			}
			if _, err := c.LookupTXT(t.Context(), "a.example"); err == nil || !strings.Contains(err.Error(), says[fault]) || says[fault] == "" {
				t.Errorf("%v, want %q", err, says[fault])
			}
			if s.Packets() == 0 {
				t.Error("nobody asked")
			}
		})
	}
}

func TestFloodOfNXDomain(t *testing.T) {
	c, _ := client(t, faultdns.NXDomain, 20*time.Second)
	for typ, got := range lookups(t, c) {
		if got != "nxdomain" {
			t.Errorf("%s: %s", typ, got)
		}
	}
}
