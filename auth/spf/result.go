package spf

// Status is an SPF result (RFC 7208 §2.6, RFC 8601 §2.7.2).
type Status string

const (
	None      Status = "none"      // no record, or no domain to ask
	Neutral   Status = "neutral"   // the domain says nothing about this client
	Pass      Status = "pass"      // the client may send for the domain
	Fail      Status = "fail"      // the client may not
	SoftFail  Status = "softfail"  // the client probably may not
	TempError Status = "temperror" // the DNS did not answer
	PermError Status = "permerror" // the record cannot be understood
)

// Identity is what was checked (RFC 7208 §2.3, §2.4).
type Identity string

const (
	MailFrom Identity = "mailfrom"
	Helo     Identity = "helo" // the null reverse-path: postmaster@HELO
)

// Result is the answer of one check.
type Result struct {
	Status   Status
	Identity Identity
	// Domain that was checked: A-labels, lower case. "" when there was none.
	Domain string
	// Mechanism that decided, as the record spells it ("-all", "ip4:192.0.2.0/24"),
	// or "default" when none matched (RFC 7208 §9.1). "" when there is no verdict.
	Mechanism string
	// Explanation is exp='s text, for a fail (RFC 7208 §6.2): the sender's
	// words, printable ASCII only.
	Explanation string
	// Trace tells what the evaluation did, in order; at most 500 steps.
	Trace []Step
	// Lookups and VoidLookups count against the limits of RFC 7208 §4.6.4.
	Lookups, VoidLookups int
	// Err says why the status is none, temperror or permerror. Its text names
	// the term and the section.
	Err error
}

// Step is one line of a trace.
type Step struct {
	Depth  int    // 0 = the domain's own record; one more for each include or redirect
	Domain string // whose record
	Term   string // as the record spells it, clipped; "" for the record itself
	Target string // the name that was asked for (RFC 7208 §4.8); "" when none was
	Note   string // "match", "no match", "void", the error; for the record, its text
}
