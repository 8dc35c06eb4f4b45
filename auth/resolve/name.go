package resolve

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// idnaProfile maps case and width as a registrar would, and lets underscores
// pass: selectors and DMARC names have them.
var idnaProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// maxUName bounds a name before it is converted: 253 bytes of A-labels are at
// most about as many characters of U-labels, and the conversion takes time that
// grows with the square of the length.
const maxUName = 1024

// RFC 1035 §2.3.4: the bytes of a name without its trailing dot, and of a label.
const maxName, maxLabel = 253, 63

// CanonicalName returns a domain name in the one form in which names are
// compared and asked for: A-labels, lower case, no trailing dot
// (RFC 8616 §4, RFC 4343). The error says what is wrong with the name; the
// name in it is quoted and bounded.
func CanonicalName(s string) (string, error) {
	n := strings.TrimSuffix(s, ".")
	if n == "" {
		return "", errors.New("empty domain name")
	}
	if len(n) > maxUName {
		return "", fmt.Errorf("domain name %.60q...: longer than 253 bytes", n)
	}
	for i := 0; i < len(n); i++ {
		if n[i] >= 0x80 {
			// idna takes bytes that are no UTF-8 for U+FFFD, all for the same.
			if !utf8.ValidString(n) || strings.ContainsRune(n, utf8.RuneError) {
				return "", fmt.Errorf("domain name %.120q: not UTF-8", s)
			}
			if longLabel(n, 2*maxLabel) {
				return "", fmt.Errorf("domain name %.60q...: label longer than 63 bytes", n)
			}
			// Mapping makes up to 18 letters of one (U+FDFA): look at what it leaves.
			u, err := idnaProfile.ToUnicode(n)
			if err != nil {
				return "", fmt.Errorf("domain name %.120q: %w", s, err)
			}
			if longLabel(u, maxLabel) || utf8.RuneCountInString(u) > maxName {
				return "", fmt.Errorf("domain name %.60q...: longer than 253 bytes, or a label longer than 63", n)
			}
			a, err := idnaProfile.ToASCII(n)
			if err != nil {
				return "", fmt.Errorf("domain name %.120q: %w", s, err)
			}
			n = a
			break
		}
	}
	n = asciiLower(n)
	err := CheckName(n)
	if err == nil {
		err = checkBytes(n)
	}
	if err != nil {
		return "", fmt.Errorf("domain name %.120q: %w", s, err)
	}
	return n, nil
}

// longLabel reports a label of more characters than most. One of 63 bytes has
// fewer than 63 of them as a U-label, and up to twice as many decomposed (NFD).
// Punycode's time grows with their square (RFC 3492 §6.3), and a message may
// have a thousand such names.
func longLabel(name string, most int) bool {
	n := 0
	for _, r := range name {
		switch n++; r {
		case '.', '\u3002', '\uff0e', '\uff61': // RFC 3490 §3.1
			n = 0
		}
		if n > most {
			return true
		}
	}
	return false
}

// CheckName reports why name, without a trailing dot, cannot exist in the DNS:
// RFC 1035 §2.3.4's lengths and empty labels. Any byte may stand in a label;
// SPF's macros put local-parts there (RFC 7208 §7.3).
func CheckName(name string) error {
	if name == "" {
		return errors.New("empty")
	}
	if len(name) > 253 {
		return errors.New("longer than 253 bytes")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" {
			return errors.New("empty label")
		}
		if len(label) > 63 {
			return errors.New("label longer than 63 bytes")
		}
	}
	return nil
}

// checkBytes refuses bytes that the domain of a mail address never has:
// anything but letters, digits, hyphen, and the underscore of selectors.
func checkBytes(name string) error {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("byte %q in a label", c)
		}
	}
	return nil
}

// asciiLower maps A to Z only: DNS names are bytes, and strings.ToLower would
// replace those that are no UTF-8.
func asciiLower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'A' && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// FakeALabel reports a label of a canonical name that looks like an A-label and
// stands for ASCII text or for nothing (RFC 5890 §2.3.2.1: it is none): readers
// that decode it without a second look show "xn--bank-.example" as bank.example.
func FakeALabel(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if !strings.HasPrefix(label, "xn--") {
			continue
		}
		// Newer versions of the library call it an error, and decode it all the
		// same; what cannot be decoded stays as it is, for readers as well.
		u, err := idna.Punycode.ToUnicode(label)
		if (err == nil || u != label) && !strings.ContainsFunc(u, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return true
		}
	}
	return false
}
