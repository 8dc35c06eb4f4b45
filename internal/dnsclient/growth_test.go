package dnsclient

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/test/growth"
)

// TestGrowth is test/siege's for the reading of answers.
func TestGrowth(t *testing.T) {
	collected := func(rr func(i int) dns.RR, read func([]dns.RR)) growth.Work {
		return func(x int) func() {
			var rrs []dns.RR
			for i := range maxRecords / 4 * x {
				rrs = append(rrs, rr(i))
			}
			return func() { read(rrs) }
		}
	}
	text := func(s string) func(int) dns.RR {
		return func(i int) dns.RR { return &dns.TXT{Txt: []string{s + fmt.Sprintf("%04d", i)}} }
	}
	escaped := func(piece string) growth.Work {
		return func(x int) func() {
			s := strings.Repeat(piece, 16<<10*x/len(piece)) // a message has 64 KiB
			return func() {
				var b strings.Builder
				unescape(&b, s)
				rawName(s)
			}
		}
	}
	chained := func(rrs []dns.RR) {
		ch := chain{name: "c0.example", qtype: dns.TypeA, ttl: maxTTL}
		if _, _, err := ch.follow(&dns.Msg{Answer: rrs}); err == nil {
			t.Error("followed to the end")
		}
	}
	for name, w := range map[string]growth.Work{
		"TXT": collected(text(strings.Repeat("x", 200)), func(rrs []dns.RR) { collect(rrs, readTXT) }),
		"A": collected(func(i int) dns.RR { return &dns.A{A: net.IPv4(192, 0, byte(i>>8), byte(i))} },
			func(rrs []dns.RR) { collect(rrs, readA) }),
		"MX": collected(func(i int) dns.RR { return &dns.MX{Mx: strings.Repeat(`\000.`, 40) + fmt.Sprint(i) + "."} },
			func(rrs []dns.RR) { collect(rrs, readMX) }),
		"aliases": collected(func(i int) dns.RR {
			name := fmt.Sprintf("c%d.example.", i)
			return &dns.CNAME{Hdr: dns.RR_Header{Name: name, Class: dns.ClassINET, Rrtype: dns.TypeCNAME}, Target: fmt.Sprintf("c%d.example.", i+1)}
		}, chained),
		"escapes":      escaped(`\000`),
		"backslashes":  escaped(`\`),
		"dots":         escaped(`\.`),
		"plain labels": escaped(`a.`),
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, w) })
	}
}
