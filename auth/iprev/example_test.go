package iprev_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

func ExampleChecker_Check() {
	zone := resolve.MustZone(`
1.2.0.192.in-addr.arpa PTR mx.example.com
mx.example.com A 192.0.2.1
2.2.0.192.in-addr.arpa PTR mx.example.com
`)
	c := iprev.Checker{Resolver: zone}
	for _, ip := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		r := c.Check(context.Background(), netip.MustParseAddr(ip))
		fmt.Println(r.Status, r.Name, r.Err)
	}
	// Output:
	// pass mx.example.com <nil>
	// fail  iprev: no PTR name leads back to the address: mx.example.com
	// permerror  iprev: the address has no PTR record
}
