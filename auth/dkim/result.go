package dkim

// Status is a DKIM result of one signature (RFC 8601 §2.7.1).
type Status string

const (
	None      Status = "none"      // the message has no signature
	Pass      Status = "pass"      // verified
	Fail      Status = "fail"      // body hash or signature do not verify
	Policy    Status = "policy"    // verifies or might, but is not acceptable here
	Neutral   Status = "neutral"   // the signature has syntax errors
	TempError Status = "temperror" // the key could not be fetched now
	PermError Status = "permerror" // no key, unusable key, missing tag, expired
)

// Result is the outcome of one signature, in the order of the message, top
// first. A message without signatures has no Result at all.
type Result struct {
	Status   Status
	Domain   string // d=, A-labels, lower case
	AUID     string // i= as signed, "" when absent
	Selector string // s=
	// Algorithm is a= in lower case ("rsa-sha256", "ed25519-sha256").
	Algorithm string
	// Signature is b= without white space: RFC 6008's header.b is its start.
	Signature string
	KeyBits   int  // size of an RSA key, 256 for Ed25519, 0 when unknown
	Testing   bool // the key record says t=y
	// Index of the signature's field in the header section, 0-based.
	Index int
	// Err says why the status is not Pass; its text is short and ends up in
	// reason= and in the log.
	Err error
}
