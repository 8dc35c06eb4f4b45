package iprev

import "net/netip"

// Status is an iprev result (RFC 8601 §2.7.3, §3). There is no "none".
type Status string

const (
	Pass      Status = "pass"      // a PTR name leads back to the address
	Fail      Status = "fail"      // PTR names exist and none leads back
	TempError Status = "temperror" // the DNS did not answer
	PermError Status = "permerror" // the address has no PTR record
)

// Result is the answer of one check.
type Result struct {
	Status Status
	IP     netip.Addr
	Name   string   // the name that leads back, lower case; "" unless Pass
	Names  []string // PTR names seen, at most the limit
	Err    error    // why not Pass
}
