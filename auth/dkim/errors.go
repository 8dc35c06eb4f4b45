package dkim

import (
	"errors"

	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
)

// Why a signature did not pass, by the step of RFC 6376 §6.1 that found it.
// A Result's Err wraps exactly one of them, and statusOf says what it means.
var (
	// §6.1.1: the DKIM-Signature field.
	ErrSyntax         = errors.New("signature syntax error")
	ErrVersion        = errors.New("incompatible version")
	ErrMissingTag     = errors.New("signature missing required tag")
	ErrUnsupported    = errors.New("unsupported") // an algorithm or query method we must ignore (§3.3.4, §3.4, §3.5 q=)
	ErrSHA1           = errors.New("rsa-sha1 is not valid any more")
	ErrDomainMismatch = errors.New("domain mismatch")
	ErrFromNotSigned  = errors.New("from field not signed")
	ErrExpired        = errors.New("signature expired")

	// §6.1.2: the key.
	ErrKeyUnavailable = dkimsig.ErrKeyUnavailable
	ErrNoKey          = dkimsig.ErrNoKey
	ErrKeySyntax      = dkimsig.ErrKeySyntax
	ErrKeyService     = dkimsig.ErrKeyService
	ErrKeyHash        = dkimsig.ErrKeyHash
	ErrKeyRevoked     = dkimsig.ErrKeyRevoked
	ErrKeyAlgorithm   = dkimsig.ErrKeyAlgorithm
	ErrKeyTooShort    = dkimsig.ErrKeyTooShort
	ErrKeyTooLong     = dkimsig.ErrKeyTooLong

	// §6.1.3: the computation.
	ErrBodyHash  = errors.New("body hash did not verify")
	ErrSignature = errors.New("signature did not verify")

	// Ours: verified, and still not acceptable (§6.1.1, last paragraph).
	ErrBodyLength = errors.New("only part of the body is signed")
	ErrFuture     = errors.New("signed in the future")
	ErrDuplicates = errors.New("field occurs more often than signed")
	ErrTooMany    = errors.New("too many signatures")
)

// statusOf gives RFC 8601 §2.7.1's word for an error. Neutral is for what
// cannot be processed; RFC 8601 leaves room, and OpenDKIM and go-msgauth draw
// the line between it and permerror each elsewhere. We call permerror what is
// well-formed and can never verify, so that its owner finds it.
func statusOf(err error) Status {
	for _, c := range []struct {
		status Status
		errs   []error
	}{
		{Neutral, []error{ErrSyntax, ErrVersion, ErrUnsupported}},
		{PermError, []error{ErrMissingTag, ErrSHA1, ErrDomainMismatch, ErrFromNotSigned, ErrExpired,
			ErrNoKey, ErrKeySyntax, ErrKeyService, ErrKeyHash, ErrKeyRevoked, ErrKeyAlgorithm, ErrKeyTooShort}},
		{Fail, []error{ErrBodyHash, ErrSignature}},
		{Policy, []error{ErrBodyLength, ErrFuture, ErrDuplicates, ErrTooMany, ErrKeyTooLong}},
	} {
		for _, e := range c.errs {
			if errors.Is(err, e) {
				return c.status
			}
		}
	}
	if err == nil {
		return Pass
	}
	return TempError // ErrKeyUnavailable, and any fault of ours
}
