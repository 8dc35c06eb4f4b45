// Package dmarc evaluates DMARC as RFC 9989 defines it: policy records, the DNS
// tree walk, identifier alignment, and the policy that applies.
//
// It takes the author domain and the authenticated identifiers as values: SPF,
// DKIM and the From field are other packages' work. It deliberately knows no
// public suffix list and no pct=, rf= or ri= (RFC 9989 §9.3: historic), sends no
// reports, and does not decide what happens to a message.
package dmarc

import (
	"errors"
	"fmt"
	"strings"
)

// Record is a DMARC policy record (RFC 9989 §4.7).
type Record struct {
	P, SP, NP Policy // "" where absent or invalid
	// ADKIM and ASPF: strict alignment when true (§4.7 adkim, aspf).
	ADKIM, ASPF bool
	PSD         string   // "y", "n", "u"
	Testing     bool     // t=y
	FO          string   // "0" where absent, invalid, or without ruf (§4.7 fo)
	RUA, RUF    []string // URIs, size suffixes removed
	Raw         string
	// Err says why the record's policy cannot be taken as it stands: no valid p,
	// an invalid sp or np, a tag that occurs twice. With at least one URI in RUA
	// it still counts as p=none (§4.10.1); Usable tells.
	Err error
}

// ErrNoRecord is ParseRecord's answer to a TXT record that is no DMARC record:
// it does not even count as one (RFC 9989 §4.7 v, §4.10 step 2).
var ErrNoRecord = errors.New("record does not start with v=DMARC1")

// maxURIs bounds the reporting addresses that we keep of one tag. Real records
// have one to three.
const maxURIs = 20

// ParseRecord parses one TXT record. Its only error is ErrNoRecord; every
// other flaw is dealt with as RFC 9989 §4.8 wants it: the tag's default, or no
// tag. What makes a policy unusable is in Record.Err.
//
// The list is split here and not by the shared tag=value parser, because a
// syntax error in one tag must leave the others alone.
func ParseRecord(txt string) (*Record, error) {
	first, rest, _ := strings.Cut(txt, ";")
	// §4.8: the name is case-insensitive as every quoted ABNF string
	// (RFC 5234 §2.3), the value is %s"DMARC1" and is not.
	name, value, _ := cutTag(first)
	if name != "v" || value != "DMARC1" {
		return nil, ErrNoRecord
	}
	r := &Record{PSD: "u", FO: "0", Raw: txt}
	tags := map[string]string{}
	for spec := range strings.SplitSeq(rest, ";") {
		name, value, ok := cutTag(spec)
		if !ok || !known(name) {
			continue
		}
		if _, twice := tags[name]; twice || name == "v" {
			// RFC 6376 §3.2, which §4.7 builds on: a tag that occurs twice makes
			// the list invalid. Others take the first or the last one; which of
			// p=none and p=reject was meant is not ours to guess. psd= of such a
			// record is not believed either, but the record counts in a walk; rua= is
			// not, and so does not make it usable.
			r.Err = fmt.Errorf("policy record has %s= twice", name)
			return r, nil
		}
		tags[name] = value
	}
	r.ADKIM = strings.EqualFold(tags["adkim"], "s")
	r.ASPF = strings.EqualFold(tags["aspf"], "s")
	r.Testing = strings.EqualFold(tags["t"], "y")
	if v := strings.ToLower(tags["psd"]); v == "y" || v == "n" {
		r.PSD = v
	}
	r.RUA, r.RUF = parseURIs(tags["rua"]), parseURIs(tags["ruf"])
	if v := strings.ToLower(tags["fo"]); len(r.RUF) > 0 && validFO(v) {
		r.FO = v
	}
	r.policies(tags)
	return r, nil
}

// policies fills P, SP and NP, and Err by the rule of §4.10.1.
func (r *Record) policies(tags map[string]string) {
	for _, t := range []struct {
		name string
		to   *Policy
	}{{"p", &r.P}, {"sp", &r.SP}, {"np", &r.NP}} {
		v, ok := tags[t.name]
		switch p := Policy(strings.ToLower(v)); {
		case p == PolicyNone, p == PolicyQuarantine, p == PolicyReject:
			*t.to = p
		case r.Err != nil:
		case ok:
			r.Err = fmt.Errorf("policy record has an invalid %s=", t.name)
		case t.name == "p":
			r.Err = errors.New("policy record has no p=")
		}
	}
}

// Usable reports whether the record can serve as a policy: it is sound, or it
// has a reporting URI and then counts as p=none (RFC 9989 §4.10.1).
func (r *Record) Usable() bool {
	return r.Err == nil || len(r.RUA) > 0
}

// policyFor is the owner's policy before t= for a domain: the record's own
// (below is false), an existing one below it, or a missing one below it
// (RFC 9989 §4.7 p, sp, np).
func (r *Record) policyFor(below, exists bool) Policy {
	switch {
	case r.Err != nil:
		return PolicyNone // §4.10.1: "act as if a record containing p=none"
	case below && !exists && r.NP != "":
		return r.NP
	case below && r.SP != "":
		return r.SP
	}
	return r.P
}

// stepDown is t=y: one level below (RFC 9989 §4.7 t).
func stepDown(p Policy) Policy {
	switch p {
	case PolicyReject:
		return PolicyQuarantine
	case PolicyQuarantine:
		return PolicyNone
	}
	return p
}

// cutTag splits a tag-spec at its "=". The name is in lower case; ok is false
// where the grammar of dmarc-tag (§4.8) is not met.
func cutTag(spec string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(spec, "=")
	name = strings.ToLower(strings.Trim(name, wsp))
	return name, strings.Trim(value, wsp), ok
}

// wsp is white space between the parts of a record. RFC 6376 §3.2 has folding
// there, and people paste line ends into zone files.
const wsp = " \t\r\n"

// known: only registered tags are processed (§4.7, §9.3).
func known(name string) bool {
	switch name {
	case "v", "p", "sp", "np", "adkim", "aspf", "fo", "psd", "rua", "ruf", "t":
		return true
	}
	return false
}

// validFO checks dmarc-fo (§4.8): each option once, not both 0 and 1.
func validFO(v string) bool {
	seen := ""
	for o := range strings.SplitSeq(v, ":") {
		if len(o) != 1 || !strings.Contains("01ds", o) || strings.Contains(seen, o) {
			return false
		}
		seen += o
	}
	return !strings.Contains(seen, "0") || !strings.Contains(seen, "1")
}

// parseURIs returns the syntactically valid URIs of a dmarc-urilist (§4.8),
// without obsolete size suffixes, at most maxURIs.
func parseURIs(list string) []string {
	var out []string
	for u := range strings.SplitSeq(list, ",") {
		if u = cutSize(strings.Trim(u, wsp)); validURI(u) {
			if out = append(out, u); len(out) == maxURIs {
				break
			}
		}
	}
	return out
}

// cutSize removes obs-dmarc-report-size: "!" 1*DIGIT [ "k" / "m" / "g" / "t" ].
func cutSize(u string) string {
	i := strings.LastIndexByte(u, '!')
	if i < 0 || i == len(u)-1 {
		return u
	}
	size := u[i+1:]
	if strings.IndexByte("kmgtKMGT", size[len(size)-1]) >= 0 {
		size = size[:len(size)-1]
	}
	if size == "" || strings.Trim(size, "0123456789") != "" {
		return u
	}
	return u[:i]
}

// validURI checks the characters of a URI with a scheme (RFC 3986 §3), with
// "!" and "," excluded (§4.8). A mailto: needs an address to be of any use
// (RFC 6068 §2).
func validURI(u string) bool {
	scheme, rest, ok := strings.Cut(u, ":")
	if !ok || rest == "" || scheme == "" || !alpha(scheme[0]) {
		return false
	}
	for i := 0; i < len(scheme); i++ {
		if c := scheme[i]; !alpha(c) && !digit(c) && !strings.ContainsRune("+-.", rune(c)) {
			return false
		}
	}
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case alpha(c), digit(c), strings.IndexByte("-._~:/?#[]@$&'()*+;=", c) >= 0:
		case c == '%' && i+2 < len(rest) && hex(rest[i+1]) && hex(rest[i+2]):
		default:
			return false
		}
	}
	if strings.EqualFold(scheme, "mailto") {
		to, _, _ := strings.Cut(rest, "?")
		at := strings.LastIndexByte(to, '@')
		return at > 0 && at < len(to)-1
	}
	return true
}

func alpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }
func hex(c byte) bool   { return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
