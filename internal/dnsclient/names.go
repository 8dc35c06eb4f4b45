package dnsclient

import (
	"fmt"
	"strings"
)

// The DNS library shows character-strings and names in the master file's form
// (RFC 1035 §5.1): \X for a character X, \DDD for a byte. The checks want the
// bytes.

// unescape appends the bytes that s stands for. A backslash that begins no
// escape stands for itself; the library never writes one.
func unescape(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if v, ok := decimal(s[i+1:]); ok {
			b.WriteByte(v)
			i += 3
			continue
		}
		i++
		b.WriteByte(s[i])
	}
}

// decimal reads the DDD of an escape.
func decimal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return byte(n), n <= 255
}

// rawName turns a name in the master file's form into raw bytes without a
// trailing dot. It is not ok for a name with a dot inside a label: without its
// escape that would read as another name.
func rawName(s string) (string, bool) {
	if s == "." {
		return "", true
	}
	s = strings.TrimSuffix(s, ".")
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	unescape(&b, s)
	return b.String(), strings.Count(b.String(), ".") == dots(s)
}

// dots counts the dots of s that are not escaped.
func dots(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++ // the rest of \DDD are digits
		case '.':
			n++
		}
	}
	return n
}

// lower maps ASCII letters only, as the DNS compares names (RFC 4343 §3), and
// leaves all other bytes alone, which strings.ToLower does not.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// askName turns a raw name without a trailing dot, checked by
// resolve.CheckName, into the master file's form. Every byte but the ones of
// host names is escaped: SPF's macros put local-parts here (RFC 7208 §7.3).
func askName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	b.WriteByte('.')
	return b.String()
}
