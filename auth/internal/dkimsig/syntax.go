package dkimsig

import (
	"encoding/base64"
	"strings"

	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
)

// DecodeBase64 reads base64string: white space anywhere, padding optional
// (RFC 6376 §2.10).
func DecodeBase64(s string) ([]byte, error) {
	s = tagvalue.StripFWS(s)
	for range 2 {
		s = strings.TrimSuffix(s, "=")
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// Short bounds what an error repeats of a message or a record.
func Short(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "?") + "..."
	}
	return s
}
