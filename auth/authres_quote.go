package auth

import (
	"slices"
	"strings"
)

// keyword makes sure of the result's grammar (RFC 5321 §4.1.2 Keyword). A
// Status is always one; anything else would be a bug and nothing to pass on.
func keyword(s string) string {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "temperror"
	}
	return s
}

// quoteValue writes a pvalue (RFC 8601 §2.2) of at most limit bytes before
// escaping: an [ [ local-part ] "@" ] domain-name or a value.
func quoteValue(s string, limit int) string {
	s = printable(s, limit)
	if local, domain, ok := strings.Cut(s, "@"); ok && (local == "" || isDotAtom(local)) && isDomainName(domain) {
		return s
	}
	return quoteToken(s)
}

// quoteToken writes printable ASCII as a value (RFC 2045 §5.1): a token or
// else a quoted-string.
func quoteToken(s string) string {
	if isToken(s) {
		return s
	}
	return quotedString(s)
}

// quotedString writes printable ASCII as a quoted-string (RFC 5322 §3.2.4).
func quotedString(s string) string {
	return `"` + quoteEscapes.Replace(s) + `"`
}

var quoteEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// printable cuts s to limit bytes and replaces every character that is no
// printable ASCII: line ends and tabs by a space, others by "?". The same goes
// for the "=" in what reads like a result.
func printable(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() == limit {
			break
		}
		switch {
		case r == '\t' || r == '\r' || r == '\n':
			b.WriteByte(' ')
		case r < ' ' || r > '~':
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return unlikeResult(b.String())
}

// methods are those of RFC 8601 §2.7 and of its registry.
var methods = []string{"arc", "auth", "dkim", "dkim-adsp", "dkim-atps", "dmarc", "dnswl", "domainkeys", "iprev", "rrvs", "sender-id", "smime", "spf", "vbr"}

// unlikeResult replaces the "=" of method "=" (RFC 8601 §2.2) by "?". In a
// quoted-string that is not a result, but many filters search the field for
// "dmarc=pass" without parsing it. s is printable ASCII.
func unlikeResult(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && endsInMethod(strings.TrimRight(s[:i], " ")) {
			if b == nil {
				b = []byte(s)
			}
			b[i] = '?'
		}
	}
	if b == nil {
		return s
	}
	return string(b)
}
func endsInMethod(s string) bool {
	return slices.ContainsFunc(methods, func(m string) bool {
		return len(s) >= len(m) && strings.EqualFold(s[len(s)-len(m):], m)
	})
}

// isToken: RFC 2045 §5.1 token. s is printable ASCII.
func isToken(s string) bool {
	return s != "" && !strings.ContainsAny(s, ` ()<>@,;:\"/[]?=`)
}

// isDotAtom: RFC 5322 §3.2.3 dot-atom-text.
func isDotAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !letterOrDigit(c) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) < 0 {
			return false
		}
	}
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// isDomainName: RFC 6376 §3.5 domain-name, two labels at least.
func isDomainName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			if !letterOrDigit(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return strings.Contains(s, ".")
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
