// Package header holds the header section of a message as the MTA showed it:
// raw fields in order, nothing decoded, nothing normalised.
//
// It deliberately knows no field's grammar but that of Received, whose readers
// are many; canonicalisation is auth/internal/canon, addresses are
// auth.ParseAuthor.
package header

import "strings"

// Field is one header field (RFC 5322 §2.2).
type Field struct {
	// Name as spelled in the message, without the colon. White space before
	// the colon (RFC 5322 §4.5.8, obsolete syntax) stays: DKIM's simple
	// canonicalisation needs it.
	Name string
	// Value is everything after the colon, including a leading space, with
	// folds as CRLF + white space and without the final CRLF.
	Value string
}

// Is reports whether the field is called name, ignoring case and white space
// before the colon.
func (f Field) Is(name string) bool {
	return strings.EqualFold(strings.TrimRight(f.Name, " \t\r\n"), name)
}

// Len is the field's size on the wire in bytes, colon and CRLF included.
func (f Field) Len() int { return len(f.Name) + 1 + len(f.Value) + 2 }

// Raw is the field as it stands on the wire, with its final CRLF.
func (f Field) Raw() string { return f.Name + ":" + f.Value + "\r\n" }

// Fields is a header section, top field first.
type Fields []Field

// Count returns how many fields are called name.
func (h Fields) Count(name string) int {
	n := 0
	for _, f := range h {
		if f.Is(name) {
			n++
		}
	}
	return n
}

// All returns the values of the fields called name, top first.
func (h Fields) All(name string) []string {
	var v []string
	for _, f := range h {
		if f.Is(name) {
			v = append(v, f.Value)
		}
	}
	return v
}

// First returns the value of the topmost field called name.
func (h Fields) First(name string) (string, bool) {
	for _, f := range h {
		if f.Is(name) {
			return f.Value, true
		}
	}
	return "", false
}

// Len is the size of the whole section on the wire in bytes, without the
// empty line that ends it.
func (h Fields) Len() int {
	n := 0
	for _, f := range h {
		n += f.Len()
	}
	return n
}

// Unfold removes the CRLF (or bare LF) of every fold and the white space at
// both ends (RFC 5322 §2.2.3).
func Unfold(v string) string {
	if strings.ContainsAny(v, "\r\n") {
		v = strings.NewReplacer("\r\n", "", "\n", "", "\r", "").Replace(v)
	}
	return strings.Trim(v, " \t")
}
