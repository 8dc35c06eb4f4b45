// Package canon brings header fields and bodies into the canonical forms that
// DKIM (RFC 6376 §3.4) and ARC (RFC 8617 §4.1.2) hash, and hashes bodies as
// they stream by.
//
// It takes a message as it stands on the wire: CRLF line ends, dots unstuffed.
// A lone CR or LF is a byte like any other, neither a line end nor white
// space: the RFCs do not know them, and MTAs convert or refuse them before a
// milter sees them. SHA-256 is the only hash (RFC 8301 §3.1).
package canon

import "github.com/sealmilter/sealmilter/auth/header"

// Canonicalization is a canonicalization algorithm (RFC 6376 §3.4).
type Canonicalization string

const (
	Simple  Canonicalization = "simple"  // RFC 6376 §3.4.1, §3.4.3
	Relaxed Canonicalization = "relaxed" // RFC 6376 §3.4.2, §3.4.4
)

// AppendField appends the canonical form of f to dst, with its final CRLF, and
// returns the extended slice. Anything but Relaxed is Simple.
func AppendField(dst []byte, c Canonicalization, f header.Field) []byte {
	if c != Relaxed {
		dst = append(dst, f.Name...)
		dst = append(dst, ':')
		dst = append(dst, f.Value...)
		return append(dst, '\r', '\n')
	}
	dst = appendRelaxedName(dst, f.Name)
	dst = append(dst, ':')
	dst = appendRelaxedValue(dst, f.Value)
	return append(dst, '\r', '\n')
}

// appendRelaxedName converts to lower case and deletes the white space before
// the colon. Names are ASCII (RFC 8616 §5), so no other letters change.
func appendRelaxedName(dst []byte, name string) []byte {
	for len(name) > 0 && (isWSP(name[len(name)-1]) || name[len(name)-1] == '\r' || name[len(name)-1] == '\n') {
		name = name[:len(name)-1] // obsolete syntax may even fold here (RFC 5322 §4.5.8)
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendRelaxedValue unfolds, reduces runs of white space to one space, and
// deletes white space at both ends.
func appendRelaxedValue(dst []byte, v string) []byte {
	start, space := len(dst), false
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case isWSP(c):
			space = true
			i++
		case c == '\r' && i+1 < len(v) && v[i+1] == '\n':
			i += 2
		default:
			if space && len(dst) > start {
				dst = append(dst, ' ')
			}
			space = false
			j := i + 1
			for j < len(v) && !isWSP(v[j]) && v[j] != '\r' {
				j++
			}
			dst = append(dst, v[i:j]...)
			i = j
		}
	}
	return dst
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }
