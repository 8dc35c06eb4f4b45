package dmarc_test

import (
	"context"
	"fmt"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// A signature of the author's domain or of one below the same organization is
// aligned; that of anybody else is not.
func ExampleEvaluator_Evaluate() {
	zone := resolve.MustZone(`_dmarc.example.com TXT "v=DMARC1; p=reject"`)
	e := dmarc.Evaluator{Resolver: zone}
	for _, signer := range []string{"mail.example.com", "attacker.example"} {
		r := e.Evaluate(context.Background(), "example.com", []dmarc.Identifier{{Method: "dkim", Domain: signer}})
		fmt.Println(r.Status, r.Policy, r.Aligned)
	}
	// Output:
	// pass reject [{dkim mail.example.com false}]
	// fail reject []
}

func ExampleParseRecord() {
	r, err := dmarc.ParseRecord("v=DMARC1; p=quarantine; sp=reject; rua=mailto:reports@example.com")
	fmt.Println(r.P, r.SP, r.Usable(), err)
	// Output: quarantine reject true <nil>
}
