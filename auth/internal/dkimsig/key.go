// Package dkimsig is what signatures of DKIM and its relatives share: key records
// and the look-ups that fetch them, and the hash of a header section (RFC 6376
// §3.6, §3.7). What a signature means, and what its fields say, is not here.
package dkimsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
)

const (
	// MinRSABits: shorter keys are never valid (RFC 8301 §3.2).
	MinRSABits = 1024
	// MaxRSABits: verifiers must handle keys up to this (RFC 8301 §3.2), and a
	// message should not buy more of our time.
	MaxRSABits = 4096

	maxRecordLen = 64 << 10 // a TXT record cannot be longer
)

// KeyRecord is a DKIM key record (RFC 6376 §3.6.1, RFC 8463 §4.2).
type KeyRecord struct {
	Type     string   // k=, lower case: "rsa", "ed25519", or one unknown to us
	Hashes   []string // h=, lower case; nil allows all
	Services []string // s=, lower case; nil means "*"
	Testing  bool     // t=y
	Strict   bool     // t=s: i= must have exactly the domain of d=
	Notes    string   // n=, as written
	Revoked  bool     // p= is empty
	// Public is an *rsa.PublicKey or ed25519.PublicKey; nil when revoked or of
	// an unknown type.
	Public crypto.PublicKey
	Bits   int // RSA: of the modulus; Ed25519: 256; 0 without Public
}

// ParseKeyRecord reads the text of one TXT record, its strings joined without a
// separator (RFC 6376 §3.6.2.2). Errors wrap ErrKeySyntax. That a key is
// revoked, of an unknown type or too short is no error here.
func ParseKeyRecord(txt string) (*KeyRecord, error) {
	if len(txt) > maxRecordLen {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeySyntax, maxRecordLen)
	}
	tags, err := tagvalue.Parse(txt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySyntax, err)
	}
	// v= may be absent; otherwise it is the first tag and its value is exact.
	if v, ok := tags.Get("v"); ok && (tags[0].Name != "v" || v != "DKIM1") {
		if v != "DKIM1" {
			return nil, fmt.Errorf("%w: v=%q is not DKIM1", ErrKeySyntax, Short(v))
		}
		return nil, fmt.Errorf("%w: v= is not the first tag", ErrKeySyntax)
	}
	p, ok := tags.Get("p")
	if !ok {
		return nil, fmt.Errorf("%w: no p=", ErrKeySyntax)
	}
	k := &KeyRecord{Type: "rsa", Hashes: list(tags, "h"), Services: list(tags, "s")}
	if t, ok := tags.Get("k"); ok {
		k.Type = strings.ToLower(t)
	}
	flags := list(tags, "t")
	k.Testing, k.Strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	k.Notes, _ = tags.Get("n")
	if k.Revoked = p == ""; k.Revoked {
		return k, nil
	}
	der, err := DecodeBase64(p)
	if err != nil {
		return nil, fmt.Errorf("%w: p= is not base64", ErrKeySyntax)
	}
	if err := k.parsePublic(der); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySyntax, err)
	}
	return k, nil
}

func (k *KeyRecord) parsePublic(der []byte) error {
	switch k.Type {
	case "ed25519": // RFC 8463 §4.2: the bare key
		if len(der) != ed25519.PublicKeySize {
			return fmt.Errorf("p= has %d bytes, an ed25519 key has %d (no ASN.1)", len(der), ed25519.PublicKeySize)
		}
		k.Public, k.Bits = ed25519.PublicKey(der), 256
	case "rsa":
		// The text says RSAPublicKey, its examples and all the world write
		// SubjectPublicKeyInfo (RFC 6376 §3.6.1, appendix C). Take both.
		pub, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			if pub, err = x509.ParsePKCS1PublicKey(der); err != nil {
				return errors.New("p= is no rsa public key")
			}
		}
		r, ok := pub.(*rsa.PublicKey)
		if !ok {
			return errors.New("p= is no rsa public key")
		}
		k.Public, k.Bits = r, r.N.BitLen()
	}
	return nil // other types must be ignored, which Suits does
}

// Suits reports why a signature by algorithm (its a=) with a key of keyType
// cannot be verified with k, in the order of RFC 6376 §6.1.2.
func Suits(k *KeyRecord, keyType, algorithm string) error {
	switch {
	case k.Services != nil && !slices.Contains(k.Services, "*") && !slices.Contains(k.Services, "email"):
		return ErrKeyService
	case k.Hashes != nil && !slices.Contains(k.Hashes, "sha256"):
		return ErrKeyHash
	case k.Revoked:
		return ErrKeyRevoked
	case k.Type != keyType:
		return fmt.Errorf("%w: k=%s for a=%s", ErrKeyAlgorithm, Short(k.Type), algorithm)
	case k.Type == "rsa" && k.Bits < MinRSABits:
		return fmt.Errorf("%w: %d bits", ErrKeyTooShort, k.Bits)
	case k.Type == "rsa" && k.Bits > MaxRSABits:
		return fmt.Errorf("%w: %d bits", ErrKeyTooLong, k.Bits)
	}
	return nil
}

// Verify checks the signature over hash, the SHA-256 of the header input.
// Ed25519 signs the hash, not the input (RFC 8463 §3).
func Verify(k *KeyRecord, hash, sig []byte) bool {
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, hash, sig) == nil
	case ed25519.PublicKey:
		return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, hash, sig)
	}
	return false
}

// list reads a colon-separated tag in lower case; nil when it is absent.
func list(tags tagvalue.List, name string) []string {
	v, ok := tags.Get(name)
	if !ok {
		return nil
	}
	words := strings.SplitN(strings.ToLower(tagvalue.StripFWS(v)), ":", 32)
	return words
}
