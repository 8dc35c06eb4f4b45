package dmarc

// Record is a DMARC policy record (RFC 9989 §4.7).
type Record struct {
	P, SP, NP Policy // "" where absent or invalid
	// ADKIM and ASPF: strict alignment when true (§4.7 adkim, aspf).
	ADKIM, ASPF bool
	PSD         string // "y", "n", "u"
	Testing     bool   // t=y
	FO          string
	RUA, RUF    []string // URIs, size suffixes removed
	Raw         string
}
