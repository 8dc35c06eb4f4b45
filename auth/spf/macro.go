package spf

import (
	"fmt"
	"strings"
)

// macroString is a parsed macro-string, domain-spec or explain-string
// (RFC 7208 §7.1). A nil macroString is an absent one.
type macroString []token

// token is a run of literal text or one macro-expand.
type token struct {
	// literal text; "%%", "%_" and "%-" are literals already expanded.
	literal string
	// letter is the macro letter in lower case; 0 for a literal.
	letter  byte
	escape  bool   // upper-case letter: URL-escape (§7.3)
	parts   int    // right-hand parts to keep; 0 = all
	reverse bool   // "r"
	delims  string // what splits the value; "" = no delimiters given
	// expand tells "%%", "%_", "%-" and macros from plain literals: only the
	// former may end a domain-spec.
	expand bool
}

const (
	letters    = "slodipvh"    // §7.2: everywhere
	expLetters = "slodipvhcrt" // §7.2: c, r and t in exp text only
	delimiters = ".-+,/_="     // §7.1
	macroHint  = "write %% for a percent sign"

	// maxTokens bounds the pieces of one macro-string. A name has 253 bytes and
	// an explanation that we keep 400, so only macros that expand to nothing
	// could need more; real records have at most a dozen.
	maxTokens = 500
)

// uses reports whether m has the macro letter c, in either case.
func (m macroString) uses(c byte) bool {
	for i := range m {
		if m[i].letter == c {
			return true
		}
	}
	return false
}

// parseMacroString reads *( macro-expand / macro-literal ), and SP between
// them where space is true (an explain-string).
func parseMacroString(s, allowed string, space bool) (macroString, error) {
	m := macroString{}
	for i := 0; i < len(s); {
		if len(m) == maxTokens {
			return nil, fmt.Errorf("%w: more than %d macros and literals in one term, RFC 7208 §11.1", ErrTooMuch, maxTokens)
		}
		c := s[i]
		switch {
		case c != '%':
			j := i
			for j < len(s) && s[j] != '%' {
				// macro-literal = %x21-24 / %x26-7E
				if (s[j] < '!' || s[j] > '~') && (s[j] != ' ' || !space) {
					return nil, syntaxError("7.1", "byte %#02x", s[j])
				}
				j++
			}
			m = append(m, token{literal: s[i:j]})
			i = j
		case i+1 == len(s):
			return nil, syntaxError("7.3", "%q at the end; %s", "%", macroHint)
		case s[i+1] == '{':
			j := strings.IndexByte(s[i:], '}')
			if j < 0 {
				return nil, syntaxError("7.1", "macro %q is not closed", clip(s[i:]))
			}
			t, err := parseMacro(s[i+2:i+j], allowed)
			if err != nil {
				return nil, err
			}
			m = append(m, t)
			i += j + 1
		default:
			t := token{expand: true}
			switch s[i+1] { // §7.1's special cases
			case '%':
				t.literal = "%"
			case '_':
				t.literal = " "
			case '-':
				t.literal = "%20"
			default:
				return nil, syntaxError("7.3", "%q; %s", s[i:i+2], macroHint)
			}
			m = append(m, t)
			i += 2
		}
	}
	return m, nil
}

// parseMacro reads what stands between "%{" and "}":
// macro-letter transformers *delimiter.
func parseMacro(s, allowed string) (token, error) {
	bad := func(why string) (token, error) {
		return token{}, syntaxError("7.1", "macro %q: %s", "%{"+clip(s)+"}", why)
	}
	if s == "" {
		return bad("no letter")
	}
	t := token{letter: s[0] | 0x20, escape: s[0] >= 'A' && s[0] <= 'Z', expand: true}
	if !isAlpha(s[0]) || strings.IndexByte(expLetters, t.letter) < 0 {
		return bad("unknown letter")
	}
	if strings.IndexByte(allowed, t.letter) < 0 {
		return bad("this letter is for explanations only (§7.2)")
	}
	i := 1
	for ; i < len(s) && isDigit(s[i]); i++ {
		// §7.3: at least 127 must work; no name or address has 1,000 parts
		// that matter, so larger numbers are all the same.
		t.parts = min(t.parts*10+int(s[i]-'0'), 1000)
	}
	if i > 1 && t.parts == 0 {
		return bad("the number of parts must not be zero (§7.3)")
	}
	if i < len(s) && s[i]|0x20 == 'r' {
		t.reverse = true
		i++
	}
	if strings.Trim(s[i:], delimiters) != "" {
		return bad("not a delimiter")
	}
	for _, c := range delimiters {
		if strings.ContainsRune(s[i:], c) {
			t.delims += string(c)
		}
	}
	return t, nil
}

// parseDomainSpec reads domain-spec = macro-string domain-end (§7.1). The
// grammar is checked before expansion; what the macros make of it is not.
func parseDomainSpec(s string) (macroString, error) {
	if s == "" {
		return nil, syntaxError("7.1", "the domain is missing")
	}
	m, err := parseMacroString(s, letters, false)
	if err != nil {
		return nil, err
	}
	last := m[len(m)-1]
	if last.expand {
		return m, nil
	}
	// domain-end = ( "." toplabel [ "." ] ) / macro-expand
	end := strings.TrimSuffix(last.literal, ".")
	dot := strings.LastIndexByte(end, '.')
	if dot < 0 {
		if len(m) > 1 {
			return nil, syntaxError("7.1", "a macro is followed by %q instead of a dot and a top-level label", clip(last.literal))
		}
		return nil, syntaxError("7.1", "%q is not a fully qualified domain name", clip(s))
	}
	if top := end[dot+1:]; !isTopLabel(top) {
		return nil, syntaxError("7.1", "%q cannot be a top-level label", clip(top))
	}
	return m, nil
}

// isTopLabel reports whether s is a toplabel: letters, digits and inner
// hyphens, not all digits (§7.1).
func isTopLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	digits := true
	for i := 0; i < len(s); i++ {
		if !isAlpha(s[i]) && !isDigit(s[i]) && s[i] != '-' {
			return false
		}
		digits = digits && isDigit(s[i])
	}
	return !digits
}

func isAlpha(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
