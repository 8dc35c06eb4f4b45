package auth

import (
	"errors"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// maxName bounds the text that may be a domain name: 253 bytes of A-labels
// (RFC 1035 §2.3.4) have fewer in UTF-8 than this. Punycode takes quadratic
// time (RFC 3492 §6.3), and fields of a message can be long.
const maxName = 1000

// canonicalName is resolve.CanonicalName for a name that a message gave.
func canonicalName(s string) (string, error) {
	if len(s) > maxName {
		return "", errors.New("domain name too long")
	}
	return resolve.CanonicalName(s)
}
