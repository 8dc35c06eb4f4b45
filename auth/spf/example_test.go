package spf_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
)

func ExampleChecker_Check() {
	zone := resolve.MustZone(`
example.com TXT "v=spf1 ip4:192.0.2.0/24 include:relay.example -all"
relay.example TXT "v=spf1 ip4:203.0.113.7 ~all"
`)
	c := spf.Checker{Resolver: zone}
	for _, ip := range []string{"192.0.2.1", "203.0.113.7", "198.51.100.1"} {
		r := c.Check(context.Background(), netip.MustParseAddr(ip), "mx.example.com", "kim@example.com")
		fmt.Println(ip, r.Status, r.Mechanism)
	}
	// Output:
	// 192.0.2.1 pass ip4:192.0.2.0/24
	// 203.0.113.7 pass include:relay.example
	// 198.51.100.1 fail -all
}
