package dkim

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/canon"
	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
)

// Canonicalization is a canonicalization algorithm (RFC 6376 §3.4).
type Canonicalization string

const (
	Simple  = Canonicalization(canon.Simple)
	Relaxed = Canonicalization(canon.Relaxed)
)

// ErrNoFrom: a message without From cannot be signed (RFC 6376 §5.4).
var ErrNoFrom = errors.New("dkim: no From field to sign")

// Signer is one signature to make. It is a plain value; NewSigning checks it.
type Signer struct {
	Domain   string // d=; U-labels become A-labels
	Selector string // s=
	// Key is an RSA key of MinRSABits to MaxRSABits, or an Ed25519 key.
	Key crypto.Signer
	// HeaderCanon and BodyCanon; "" is Relaxed.
	HeaderCanon, BodyCanon Canonicalization
	// Headers are the names of the fields to sign: every one that is present, as
	// often as it is. From is always signed.
	Headers []string
	// Oversign are the names that h= lists once more than present, so that
	// another field of the name breaks the signature (RFC 6376 §5.4).
	Oversign []string
	// Expire is how long the signature shall be valid (x=); 0 is for ever.
	Expire time.Duration
	// AUID is i=, an address in Domain or below it, with or without local-part;
	// "" leaves i= out.
	AUID string
	// Now is the clock for t= and x=; nil is time.Now.
	Now func() time.Time
}

// Signing makes the signatures of one message. It belongs to one goroutine and
// may be dropped at any time.
type Signing struct {
	header header.Fields
	index  dkimsig.Index
	bodies canon.Bodies
	items  []signing
}

type signing struct {
	Signer
	algorithm string
	names     []string // h=, as configured
	body      *canon.Body
}

// NewSigning prepares to sign a message with the header section h, which must
// stand exactly as it will be sent and must not change before Finish. Errors
// name the signer, never its key.
func NewSigning(h header.Fields, signers []Signer) (*Signing, error) {
	g := &Signing{header: h, index: dkimsig.NewIndex(h)}
	if len(g.index["from"]) == 0 {
		return nil, ErrNoFrom
	}
	for _, s := range signers {
		it, err := prepare(s)
		if err != nil {
			return nil, fmt.Errorf("dkim: signer %s._domainkey.%s: %w", dkimsig.Short(s.Selector), dkimsig.Short(s.Domain), err)
		}
		it.names = g.chooseNames(s.Headers, s.Oversign)
		it.body = g.bodies.Add(canon.Canonicalization(it.BodyCanon), -1)
		g.items = append(g.items, it)
	}
	return g, nil
}

func prepare(s Signer) (signing, error) {
	it := signing{Signer: s}
	var err error
	if it.Domain, err = signingDomain(s.Domain); err != nil {
		return it, err
	}
	if it.Selector, err = domainName(s.Selector); err != nil {
		return it, err
	}
	if it.algorithm, err = keyAlgorithm(s.Key); err != nil {
		return it, err
	}
	it.HeaderCanon, it.BodyCanon = cmp.Or(s.HeaderCanon, Relaxed), cmp.Or(s.BodyCanon, Relaxed)
	for _, c := range []Canonicalization{it.HeaderCanon, it.BodyCanon} {
		if c != Simple && c != Relaxed {
			return it, fmt.Errorf("unknown canonicalization %q", dkimsig.Short(string(c)))
		}
	}
	for _, n := range slices.Concat(s.Headers, s.Oversign) {
		if !isFieldName(n) {
			return it, fmt.Errorf("%q is no field name", dkimsig.Short(n))
		}
	}
	if s.Expire < 0 || s.Expire > 0 && s.Expire < time.Second {
		return it, errors.New("expires before it is made")
	}
	if s.AUID == "" {
		return it, nil
	}
	local, host, ok := cutLast(s.AUID, "@")
	if !ok {
		return it, fmt.Errorf("i=%q is no address", dkimsig.Short(s.AUID))
	}
	if host, err = domainName(host); err != nil {
		return it, err
	}
	if !isOrBelow(host, it.Domain) {
		return it, fmt.Errorf("i=%q is not in %s", dkimsig.Short(s.AUID), it.Domain)
	}
	if it.AUID = encodeQP(local) + "@" + host; len(it.AUID) > maxAUIDLen-100 { // a line has 998 bytes
		return it, errors.New("i= is too long")
	}
	return it, nil
}

func keyAlgorithm(key crypto.Signer) (string, error) {
	if key == nil {
		return "", errors.New("no key")
	}
	switch pub := key.Public().(type) {
	case *rsa.PublicKey: // RFC 8301 §3.2
		if n := pub.N.BitLen(); n < MinRSABits || n > MaxRSABits {
			return "", fmt.Errorf("rsa key of %d bits, want %d to %d", n, MinRSABits, MaxRSABits)
		}
		return "rsa-sha256", nil
	case ed25519.PublicKey:
		return "ed25519-sha256", nil
	default:
		return "", fmt.Errorf("key of type %T", pub)
	}
}

// chooseNames returns h=: each configured name as often as it is present, and
// once more when it is oversigned. How often counts; that instances are taken
// from the bottom up follows (RFC 6376 §5.4.2).
func (g *Signing) chooseNames(names, oversign []string) []string {
	lower := func(list []string) map[string]bool {
		m := map[string]bool{}
		for _, n := range list {
			m[strings.ToLower(n)] = true
		}
		return m
	}
	over, done := lower(oversign), map[string]bool{}
	all := slices.Concat(names, oversign)
	if !lower(all)["from"] {
		all = append([]string{"From"}, all...)
	}
	var out []string
	for _, n := range all {
		l := strings.ToLower(n)
		if done[l] {
			continue
		}
		done[l] = true
		count := len(g.index[l])
		if over[l] {
			count++
		}
		for range count {
			out = append(out, n)
		}
	}
	return out
}

// Write takes the next chunk of the body as it will stand on the wire (CRLF
// line ends, dots unstuffed), cut anywhere. It never fails.
func (g *Signing) Write(chunk []byte) (int, error) { return g.bodies.Write(chunk) }

// Finish ends the body and returns the values of the DKIM-Signature fields in
// the order of the signers: all after the colon, beginning with a space, folded
// with CRLF and a space, without the final CRLF. They verify only if they are
// sent like this; that the first stands on top is the caller's to see to.
func (g *Signing) Finish() ([]string, error) {
	var out []string
	for i := range g.items {
		v, err := g.sign(&g.items[i])
		if err != nil {
			return nil, fmt.Errorf("dkim: signer %s._domainkey.%s: %w", g.items[i].Selector, g.items[i].Domain, err)
		}
		out = append(out, v)
	}
	return out, nil
}

func (g *Signing) sign(it *signing) (string, error) {
	now := time.Now
	if it.Now != nil {
		now = it.Now
	}
	value := it.unsigned(now())
	lower := make([]string, len(it.names))
	for i, n := range it.names {
		lower[i] = strings.ToLower(n)
	}
	hash := dkimsig.HeaderHash(g.header, g.index, lower, canon.Canonicalization(it.HeaderCanon), header.Field{Name: fieldName, Value: value}, -1)
	opts := crypto.SignerOpts(crypto.SHA256)
	if it.algorithm == "ed25519-sha256" {
		opts = crypto.Hash(0) // PureEdDSA over the hash (RFC 8463 §3)
	}
	sig, err := it.Key.Sign(rand.Reader, hash[:], opts)
	if err != nil {
		return "", err
	}
	return foldSignature(value, base64.StdEncoding.EncodeToString(sig)), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
