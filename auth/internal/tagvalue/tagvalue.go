// Package tagvalue reads the tag=value lists of RFC 6376 §3.2, which DKIM
// signatures, DKIM key records, DMARC records (RFC 9989 §4.7) and ARC fields
// (RFC 8617 §4.1) share.
//
// It knows the list's grammar only: which tags exist, which are required and
// what their values mean is the caller's business. Values keep the white space
// inside them.
package tagvalue

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxTags is how many tags a list may have. Real ones have at most fifteen;
// the bound keeps the search for duplicates cheap.
const MaxTags = 64

var (
	// ErrSyntax: a tag-spec does not follow the grammar of RFC 6376 §3.2.
	ErrSyntax = errors.New("bad tag=value syntax")
	// ErrDuplicate: a name occurs twice; the whole list is invalid (§3.2).
	ErrDuplicate = errors.New("tag occurs twice")
	// ErrTooMany: the list has more than MaxTags tags.
	ErrTooMany = errors.New("too many tags")
)

// Tag is one tag-spec: name as written, value without the folding white space
// around it.
type Tag struct{ Name, Value string }

// List is a tag-list in the order of the text.
type List []Tag

// Parse reads a tag-list. Bare LF counts as folding white space like CRLF.
// Values may hold UTF-8 (RFC 6376 §3.2, RFC 8616 §3), never control characters.
//
// The error is that of the first problem and wraps ErrSyntax, ErrDuplicate or
// ErrTooMany. The list then still holds the well-formed tags (at most MaxTags, up to as many broken ones)
// for those who may use the rest (RFC 9989 §4.8); DKIM and ARC must not.
//
// Where the grammar is stricter: an empty tag-spec (";;", or a list of white
// space) is skipped. Others (OpenDKIM, go-msgauth) skip it too, and published
// key records have it.
func Parse(s string) (List, error) {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	l := make(List, 0, min(strings.Count(s, ";")+1, MaxTags))
	bad := 0
	for spec := range strings.SplitSeq(s, ";") {
		if trim(spec) == "" {
			continue
		}
		t, err := parseTag(spec)
		if err != nil {
			note(err)
			if bad++; bad == MaxTags {
				break
			}
			continue
		}
		if _, dup := l.Get(t.Name); dup {
			note(fmt.Errorf("%w: %s=", ErrDuplicate, short(t.Name)))
		}
		if len(l) == MaxTags {
			note(ErrTooMany)
			break
		}
		l = append(l, t)
	}
	return l, first
}

// Get returns the value of the first tag called name. Names are case-sensitive
// (RFC 6376 §3.2).
func (l List) Get(name string) (string, bool) {
	for _, t := range l {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

// GetFold is Get for lists whose names may differ in case, as DMARC's ABNF
// allows (RFC 9989 §4.8).
func (l List) GetFold(name string) (string, bool) {
	for _, t := range l {
		if strings.EqualFold(t.Name, name) {
			return t.Value, true
		}
	}
	return "", false
}

// Peek returns the value of the first tag called name without looking at the
// rest of the list or at the value's bytes: for choosing among many lists
// which ones to parse.
func Peek(s, name string) (string, bool) {
	for spec := range strings.SplitSeq(s, ";") {
		if n, v, ok := strings.Cut(spec, "="); ok && trim(n) == name {
			return trim(v), true
		}
	}
	return "", false
}

// WithoutValue returns s with the value of each tag called name removed,
// together with the white space around that value, and every other byte as it
// was: what is hashed in place of a signature's own field (RFC 6376 §3.7).
func WithoutValue(s, name string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		end := len(s)
		if j := strings.IndexByte(s[i:], ';'); j >= 0 {
			end = i + j
		}
		spec := s[i:end]
		if eq := strings.IndexByte(spec, '='); eq >= 0 && trim(spec[:eq]) == name {
			spec = spec[:eq+1]
		}
		b.WriteString(spec)
		if end < len(s) {
			b.WriteByte(';')
		}
		i = end + 1
	}
	return b.String()
}

// StripFWS removes all folding white space from a value, for the tags whose
// grammar lets it stand anywhere (base64 and colon-separated lists).
func StripFWS(v string) string {
	if !strings.ContainsAny(v, " \t\r\n") {
		return v
	}
	var b strings.Builder
	b.Grow(len(v))
	for i := 0; i < len(v); i++ {
		if !isFWS(v[i]) {
			b.WriteByte(v[i])
		}
	}
	return b.String()
}

func parseTag(spec string) (Tag, error) {
	name, value, ok := strings.Cut(spec, "=")
	name, value = trim(name), trim(value)
	if !ok {
		return Tag{}, fmt.Errorf("%w: no %q after %q", ErrSyntax, "=", short(name))
	}
	if !validName(name) {
		return Tag{}, fmt.Errorf("%w: tag name %q", ErrSyntax, short(name))
	}
	if !validValue(value) {
		return Tag{}, fmt.Errorf("%w: value of %s=", ErrSyntax, short(name))
	}
	return Tag{Name: name, Value: value}, nil
}

// validName checks tag-name = ALPHA *ALNUMPUNC.
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '_'):
		default:
			return false
		}
	}
	return s != ""
}

// validValue checks tag-value, with UTF-8 added.
func validValue(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x80:
			ascii = false
		case c < 0x20 && !isFWS(c), c == 0x7f:
			return false
		}
	}
	return ascii || utf8.ValidString(s)
}

func isFWS(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// short bounds what an error repeats of other people's text.
func short(s string) string {
	if len(s) > 20 {
		return s[:20] + "..."
	}
	return s
}
