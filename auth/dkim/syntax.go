package dkim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// signingDomain checks d= or a signer's domain: at least two labels, no
// address literal (RFC 6376 §3.5).
func signingDomain(d string) (string, error) {
	n, err := domainName(d)
	if err != nil {
		return "", err
	}
	i := strings.LastIndexByte(n, '.')
	if i < 0 {
		return "", fmt.Errorf("domain name %q has one label", n)
	}
	if strings.Trim(n[i+1:], "0123456789") == "" {
		return "", fmt.Errorf("%q is an address, not a domain name", dkimsig.Short(n))
	}
	return n, nil
}

// domainName is resolve.CanonicalName without the trailing dot that RFC 5321
// does not know.
func domainName(s string) (string, error) {
	if strings.HasSuffix(s, ".") {
		return "", fmt.Errorf("domain name %q ends in a dot", dkimsig.Short(s))
	}
	n, err := resolve.CanonicalName(s)
	if err != nil { // its text repeats all of s and may have lines
		return "", errors.New(dkimsig.Short(strings.ReplaceAll(err.Error(), "\n", ", ")))
	}
	return n, nil
}

// isOrBelow reports whether host is domain or one of its subdomains.
func isOrBelow(host, domain string) bool {
	return host == domain || len(host) > len(domain) && strings.HasSuffix(host, domain) &&
		host[len(host)-len(domain)-1] == '.'
}

// decodeQP reads dkim-quoted-printable without white space (RFC 6376 §2.11,
// RFC 8616 §5).
func decodeQP(s string) (string, bool) {
	if !strings.Contains(s, "=") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", false
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), true
}

// isFieldName checks RFC 5322 §3.6.8's ftext; a semicolon cannot stand in h=.
func isFieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' || s[i] == ';' {
			return false
		}
	}
	return s != ""
}

// isWord checks hyphenated-word, loosely.
func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}
