package spf

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	maxName        = 253  // RFC 7208 §7.3: a target-name is cut to this
	maxExplanation = 400  // bytes of an explanation that we keep (§6.2)
	maxInput       = 1024 // bytes of a local-part or HELO name that macros see
)

// targetName expands a domain-spec into the name to ask for (§4.8, §7.3);
// a nil spec is <domain>. The error is errLocalPart, ErrTarget or ctx's.
func (e *evaluation) targetName(ctx context.Context, m macroString, domain string) (string, error) {
	if m == nil {
		return domain, nil
	}
	if !isASCII(e.local) && (m.uses('s') || m.uses('l')) {
		return "", errLocalPart
	}
	// From the right, because only the last 253 bytes can count.
	var parts []string
	size := 0
	for i := len(m) - 1; i >= 0 && size <= maxName+1; i-- {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		s := e.expandToken(ctx, &m[i], domain)
		parts = append(parts, s)
		size += len(s)
	}
	slices.Reverse(parts)
	name := truncate(strings.TrimSuffix(strings.Join(parts, ""), "."))
	if !nameable(name) {
		return "", ErrTarget
	}
	return strings.ToLower(name), nil
}

// errLocalPart: RFC 8616 §4: with a non-ASCII local-part, terms that include
// %{s} or %{l} do not match anything.
var errLocalPart = errors.New("the local-part is not ASCII, RFC 8616 §4")

// truncate removes labels from the left until at most 253 bytes are left (§7.3).
func truncate(name string) string {
	if len(name) <= maxName {
		return name
	}
	_, rest, _ := strings.Cut(name[len(name)-maxName-1:], ".")
	return rest
}

// nameable reports whether a question for name can be asked. Macros let the
// sender put any byte into it (§11.5.3); control characters and what is not
// ASCII stay out of our questions.
func nameable(name string) bool {
	for i := 0; i < len(name); i++ {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return resolve.CheckName(name) == nil
}

// expandText expands an explain-string (§6.2). ok is false unless the result
// is printable US-ASCII, and there was time for it; it is cut to 400 bytes.
func (e *evaluation) expandText(ctx context.Context, m macroString, domain string) (text string, ok bool) {
	var s strings.Builder
	for i := 0; i < len(m) && s.Len() < maxExplanation; i++ {
		if ctx.Err() != nil {
			return "", false
		}
		s.WriteString(e.expandToken(ctx, &m[i], domain))
	}
	text = s.String()
	text = text[:min(len(text), maxExplanation)]
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' {
			return "", false
		}
	}
	return text, true
}

func (e *evaluation) expandToken(ctx context.Context, t *token, domain string) string {
	if t.letter == 0 {
		return t.literal
	}
	v := transform(e.macroValue(ctx, t.letter, domain), t)
	if t.escape {
		v = urlEscape(v)
	}
	return v
}

// macroValue is §7.2's table.
func (e *evaluation) macroValue(ctx context.Context, letter byte, domain string) string {
	switch letter {
	case 's':
		return e.local + "@" + e.domain
	case 'l':
		return e.local
	case 'o':
		return e.domain
	case 'd':
		return domain
	case 'i':
		return dotted(e.ip)
	case 'p':
		return e.validatedName(ctx, domain)
	case 'v':
		if e.ip.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'h':
		return e.helo
	case 'c':
		return e.ip.String()
	case 'r':
		if e.receiver == "" {
			return "unknown"
		}
		return e.receiver
	case 't':
		return strconv.FormatInt(e.now().Unix(), 10)
	}
	return ""
}

// dotted is the address as %{i} shows it: dotted quad, or 32 dotted nibbles
// (§7.3, §7.4).
func dotted(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	const hex = "0123456789abcdef"
	var s []byte
	for i, b := range ip.As16() {
		if i > 0 {
			s = append(s, '.')
		}
		s = append(s, hex[b>>4], '.', hex[b&0xf])
	}
	return string(s)
}

// transform applies delimiters, reversal and the number of right-hand parts,
// in §7.3's order. Empty parts count. Only the parts that are kept are looked
// at: a macro costs as much as it expands to.
func transform(v string, t *token) string {
	if t.parts == 0 && !t.reverse && t.delims == "" {
		return v
	}
	delims := t.delims
	if delims == "" {
		delims = "."
	}
	n := t.parts
	if n == 0 {
		n = len(v) + 1 // no value has more
	}
	var parts []string
	switch {
	case t.reverse: // the right-hand parts of the reversed are the left-hand ones
		for ; n > 0; n-- {
			i := strings.IndexAny(v, delims)
			if i < 0 {
				parts = append(parts, v)
				break
			}
			parts = append(parts, v[:i])
			v = v[i+1:]
		}
	default:
		for ; n > 0; n-- {
			i := strings.LastIndexAny(v, delims)
			parts = append(parts, v[i+1:])
			if i < 0 {
				break
			}
			v = v[:i]
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}

// urlEscape escapes every byte outside RFC 3986 §2.3's unreserved set.
func urlEscape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			out.WriteString("%" + string([]byte{hex[c>>4], hex[c&0xf]}))
		}
	}
	return out.String()
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
