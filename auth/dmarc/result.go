package dmarc

// Status is a DMARC result (RFC 9989 §9.2).
type Status string

const (
	None      Status = "none"      // no policy record, or no author domain
	Pass      Status = "pass"      // an aligned identifier authenticated
	Fail      Status = "fail"      // none did
	TempError Status = "temperror" // the DNS did not answer, and that mattered
	PermError Status = "permerror" // the record cannot be used
)

// Policy is a domain owner's wish (RFC 9989 §4.7).
type Policy string

const (
	PolicyNone       Policy = "none"
	PolicyQuarantine Policy = "quarantine"
	PolicyReject     Policy = "reject"
)

// Identifier is one authenticated identifier, or one that may be
// (RFC 9989 §4.4).
type Identifier struct {
	Method string // "dkim" or "spf"
	Domain string // A-labels, lower case
	Temp   bool   // the check ended in temperror: it might have passed
}

// Result is the outcome for one author domain.
type Result struct {
	Status       Status
	AuthorDomain string // A-labels, lower case; "" without one
	// Policy that applies after sp, np and t; "" without a policy record. With
	// TempError it is what applies as far as is known: what failed were other
	// look-ups, whose names the sender chose. It is "" where no policy is known,
	// and where the message would pass by what is known.
	Policy Policy
	// Record is the applicable policy record, nil without one.
	Record *Record
	// RecordDomain is where Record was found, without "_dmarc.".
	RecordDomain string
	// OrgDomain is the author's Organizational Domain; "" when it was not needed
	// or could not be found.
	OrgDomain string
	// Aligned lists the identifiers that pass rests on.
	Aligned []Identifier
	// Err says why the status is not Pass; short.
	Err error
}
