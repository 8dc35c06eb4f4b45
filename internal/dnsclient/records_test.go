package dnsclient

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/miekg/dns"
)

// TestCollect: what is of another type is passed over, what is there twice counts
// once, and the size that the cache goes by is that of what is kept.
func TestCollect(t *testing.T) {
	var rrs []dns.RR
	for _, line := range []string{
		`x. 60 TXT "a"`, `x. 60 TXT "a"`, `x. 60 TXT "b" "c"`, "x. 60 CNAME y.", "x. 60 A 192.0.2.1", "x. 60 AAAA 2001:db8::1",
		"x. 60 MX 10 mx.", "x. 60 MX 20 mx.", "x. 60 PTR host.", "x. 60 PTR .",
	} {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		rr.Header().Rdlength = 100
		rrs = append(rrs, rr)
	}
	for want, collect := range map[string]collector{
		"[a bc] 232":            func(l []dns.RR) (any, int, int) { return collect(l, readTXT) },
		"[192.0.2.1] 124":       func(l []dns.RR) (any, int, int) { return collect(l, readA) },
		"[2001:db8::1] 124":     func(l []dns.RR) (any, int, int) { return collect(l, readAAAA) },
		"[{10 mx} {20 mx}] 248": func(l []dns.RR) (any, int, int) { return collect(l, readMX) },
		"[host] 116":            func(l []dns.RR) (any, int, int) { return collect(l, readPTR) },
	} {
		got, n, size := collect(rrs)
		if s := fmt.Sprint(got, size); s != want || n != reflect.ValueOf(got).Len() {
			t.Errorf("%s and a count of %d, want %s", s, n, want)
		}
	}
}
