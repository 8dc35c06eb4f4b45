package dkim

import (
	"fmt"

	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
)

const (
	// MinRSABits: shorter keys are never valid (RFC 8301 §3.2).
	MinRSABits = dkimsig.MinRSABits
	// MaxRSABits: longer keys are not tried; verifiers must handle keys up to this
	// (RFC 8301 §3.2).
	MaxRSABits = dkimsig.MaxRSABits
)

// KeyRecord is a DKIM key record (RFC 6376 §3.6.1, RFC 8463 §4.2).
type KeyRecord = dkimsig.KeyRecord

// ParseKeyRecord reads the text of one TXT record, its strings joined without a
// separator (RFC 6376 §3.6.2.2). Errors wrap ErrKeySyntax. That a key is
// revoked, of an unknown type or too short is no error here.
func ParseKeyRecord(txt string) (*KeyRecord, error) { return dkimsig.ParseKeyRecord(txt) }

// suits reports why s cannot be verified with k.
func suits(k *KeyRecord, s *signature) error {
	if err := dkimsig.Suits(k, s.keyType, s.algorithm); err != nil {
		return err
	}
	if k.Strict && s.auidHost != s.domain { // RFC 6376 §3.6.1 t=s
		return fmt.Errorf("%w: the key's t=s wants i= in exactly %s", ErrDomainMismatch, s.domain)
	}
	return nil
}
