package dkimsig

import "errors"

// Why a key does not serve (RFC 6376 §6.1.2).
var (
	ErrKeyUnavailable = errors.New("key unavailable")
	ErrNoKey          = errors.New("no key for signature")
	ErrKeySyntax      = errors.New("key syntax error")
	ErrKeyService     = errors.New("key is not for email") // s= of the record (§3.6.1)
	ErrKeyHash        = errors.New("inappropriate hash algorithm")
	ErrKeyRevoked     = errors.New("key revoked")
	ErrKeyAlgorithm   = errors.New("inappropriate key algorithm")
	ErrKeyTooShort    = errors.New("rsa key too short") // RFC 8301 §3.2
	ErrKeyTooLong     = errors.New("rsa key too long")
)
