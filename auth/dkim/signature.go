package dkim

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/canon"
	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
)

const (
	fieldName = "DKIM-Signature"

	// A signature with the longest RSA key and z= stays far below these.
	maxFieldLen = 64 << 10
	maxNames    = 1000 // in h=; by default a header section may have as many fields
	maxAUIDLen  = 1000
)

// signature is one parsed DKIM-Signature field (RFC 6376 §3.5).
type signature struct {
	index int // in the header section
	field header.Field

	domain      string // d=, A-labels, lower case
	selector    string // s=, likewise
	algorithm   string // a=, lower case
	keyType     string // its k part, "rsa" or "ed25519"
	sig         []byte // b=
	sigText     string // b= without white space
	bodyHash    []byte // bh=
	auid        string // i= without white space; "" when absent
	auidHost    string // its domain, A-labels, lower case
	names       []string
	headerCanon canon.Canonicalization
	bodyCanon   canon.Canonicalization
	limit       int64 // l=, negative when absent
	signed      int64 // t= in Unix seconds, negative when absent
	expires     int64 // x=, likewise
}

// parseSignature reads a field in the order of RFC 6376 §6.1.1. The signature
// is never nil: with an error it has what identifies it in a report.
func parseSignature(f header.Field, index int) (*signature, error) {
	s := &signature{index: index, field: f, limit: -1, signed: -1, expires: -1}
	if len(f.Value) > maxFieldLen {
		return s, fmt.Errorf("%w: field longer than %d bytes", ErrSyntax, maxFieldLen)
	}
	tags, err := tagvalue.Parse(f.Value)
	domainErr := s.identify(tags)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if v, ok := tags.Get("v"); ok && v != "1" {
		return s, fmt.Errorf("%w: v=%q", ErrVersion, dkimsig.Short(v))
	}
	for _, name := range []string{"v", "a", "b", "bh", "d", "h", "s"} {
		if _, ok := tags.Get(name); !ok {
			return s, fmt.Errorf("%w: %s=", ErrMissingTag, name)
		}
	}
	if domainErr != nil {
		return s, fmt.Errorf("%w: %w", ErrSyntax, domainErr)
	}
	for _, step := range []func(tagvalue.List) error{
		s.parseAlgorithm, s.parseCanon, s.parseQuery, s.parseBase64, s.parseNames, s.parseNumbers, s.parseAUID,
	} {
		if err := step(tags); err != nil {
			return s, err
		}
	}
	return s, nil
}

// identify reads what a report names. RFC 8616 §5: names may be U-labels.
func (s *signature) identify(tags tagvalue.List) error {
	a, _ := tags.Get("a")
	if a = strings.ToLower(a); len(a) <= 40 && isWord(a) {
		s.algorithm = a
	}
	b, _ := tags.Get("b")
	s.sigText = tagvalue.StripFWS(b)
	d, _ := tags.Get("d")
	domain, err := signingDomain(d)
	if err != nil {
		return fmt.Errorf("d=: %w", err)
	}
	s.domain = domain
	sel, _ := tags.Get("s")
	if s.selector, err = domainName(sel); err != nil {
		return fmt.Errorf("s=: %w", err)
	}
	return nil
}

func (s *signature) parseAlgorithm(tags tagvalue.List) error {
	a, _ := tags.Get("a")
	switch s.algorithm {
	case "rsa-sha256", "ed25519-sha256": // RFC 8301 §3.1, RFC 8463 §4.1
		s.keyType = strings.TrimSuffix(s.algorithm, "-sha256")
		return nil
	case "rsa-sha1": // RFC 8301 §3.1: has permanently failed
		return ErrSHA1
	}
	return fmt.Errorf("%w: a=%q", ErrUnsupported, dkimsig.Short(a))
}

// parseCanon reads c=. RFC 6376 §3.5: without a slash the body is simple.
func (s *signature) parseCanon(tags tagvalue.List) error {
	s.headerCanon, s.bodyCanon = canon.Simple, canon.Simple
	c, ok := tags.Get("c")
	if !ok {
		return nil
	}
	h, b, slash := strings.Cut(strings.ToLower(c), "/")
	if !slash {
		b = string(canon.Simple)
	}
	s.headerCanon, s.bodyCanon = canon.Canonicalization(h), canon.Canonicalization(b)
	for _, c := range []canon.Canonicalization{s.headerCanon, s.bodyCanon} {
		if c != canon.Simple && c != canon.Relaxed { // §3.4: must be ignored
			return fmt.Errorf("%w: c=%q", ErrUnsupported, dkimsig.Short(h+"/"+b))
		}
	}
	return nil
}

// parseQuery reads q=: unknown methods are ignored, dns/txt must be among them.
func (s *signature) parseQuery(tags tagvalue.List) error {
	q, ok := tags.Get("q")
	if !ok {
		return nil
	}
	for m := range strings.SplitSeq(q, ":") {
		if strings.EqualFold(tagvalue.StripFWS(m), "dns/txt") {
			return nil
		}
	}
	return fmt.Errorf("%w: q=%q", ErrUnsupported, dkimsig.Short(q))
}

func (s *signature) parseBase64(tags tagvalue.List) (err error) {
	bh, _ := tags.Get("bh")
	if s.bodyHash, err = dkimsig.DecodeBase64(bh); err != nil {
		return fmt.Errorf("%w: bh= is not base64", ErrSyntax)
	}
	if len(s.bodyHash) != sha256.Size {
		return fmt.Errorf("%w: bh= has %d bytes, sha256 has %d", ErrSyntax, len(s.bodyHash), sha256.Size)
	}
	if s.sig, err = dkimsig.DecodeBase64(s.sigText); err != nil {
		return fmt.Errorf("%w: b= is not base64", ErrSyntax)
	}
	if len(s.sig) == 0 {
		return fmt.Errorf("%w: b= is empty", ErrSyntax)
	}
	return nil
}

// parseNames reads h=; names are compared without case (RFC 6376 §6.1.3).
func (s *signature) parseNames(tags tagvalue.List) error {
	h, _ := tags.Get("h")
	if strings.Count(h, ":") >= maxNames {
		return fmt.Errorf("%w: h= has more than %d names", ErrSyntax, maxNames)
	}
	from := false
	for n := range strings.SplitSeq(h, ":") {
		n = strings.ToLower(strings.Trim(n, " \t\r\n"))
		if !isFieldName(n) {
			return fmt.Errorf("%w: field name %q in h=", ErrSyntax, dkimsig.Short(n))
		}
		from = from || n == "from"
		s.names = append(s.names, n)
	}
	if !from {
		return ErrFromNotSigned
	}
	return nil
}

// parseNumbers reads l=, t= and x=.
func (s *signature) parseNumbers(tags tagvalue.List) error {
	for _, n := range []struct {
		name   string
		digits int // of §3.5's grammar for l=; more is infinite for t= and x=
		value  *int64
	}{{"l", 76, &s.limit}, {"t", math.MaxInt, &s.signed}, {"x", math.MaxInt, &s.expires}} {
		v, ok := tags.Get(n.name)
		if !ok {
			continue
		}
		if v == "" || len(v) > n.digits || strings.Trim(v, "0123456789") != "" {
			return fmt.Errorf("%w: %s=%q is not a number", ErrSyntax, n.name, dkimsig.Short(v))
		}
		// Beyond all numbers it is the largest: §3.5 allows to take t= and x= over 12
		// digits for infinite, and no body is so long.
		*n.value, _ = strconv.ParseInt(v, 10, 64)
	}
	if s.signed >= 0 && s.expires >= 0 && s.expires <= s.signed && s.signed != math.MaxInt64 {
		return fmt.Errorf("%w: x= is not after t=", ErrSyntax)
	}
	return nil
}

// parseAUID reads i=, whose domain must be d= or below it (§6.1.1).
func (s *signature) parseAUID(tags tagvalue.List) error {
	i, ok := tags.Get("i")
	if !ok {
		s.auidHost = s.domain // "@d"
		return nil
	}
	i = tagvalue.StripFWS(i)
	if len(i) > maxAUIDLen {
		return fmt.Errorf("%w: i= longer than %d bytes", ErrSyntax, maxAUIDLen)
	}
	text, ok := decodeQP(i)
	at := strings.LastIndexByte(text, '@')
	if !ok || at < 0 {
		return fmt.Errorf("%w: i=%q is no address", ErrSyntax, dkimsig.Short(i))
	}
	host, err := domainName(text[at+1:])
	if err != nil {
		return fmt.Errorf("%w: i=: %w", ErrSyntax, err)
	}
	s.auid, s.auidHost = i, host
	if !isOrBelow(host, s.domain) {
		return fmt.Errorf("%w: i=%q is not in d=%s", ErrDomainMismatch, dkimsig.Short(i), s.domain)
	}
	return nil
}

// result is what a report says about s before anything is known of its worth.
func (s *signature) result(err error) Result {
	return Result{Status: statusOf(err), Domain: s.domain, AUID: s.auid, Selector: s.selector,
		Algorithm: s.algorithm, Signature: s.sigText, Index: s.index, Err: err}
}
