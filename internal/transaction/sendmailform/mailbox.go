package sendmailform

import (
	"strings"
)

// mustQuote are the characters for whose sake Sendmail quotes a display name:
// its built-in ones and MustQuoteChars, whose default is ".'".
const mustQuote = `@,;:\()[].'`

// maxElement bounds one mailbox; Sendmail truncates longer ones.
const maxElement = 240

// mailbox writes one mailbox in the form that stays.
func (p *addressList) mailbox(e []piece) (string, bool) {
	n := 0
	at := -1
	for i, x := range e {
		n += len(x.text)
		if x.kind == angle {
			if at >= 0 {
				return "", false
			}
			at = i
		}
	}
	if n > maxElement {
		return "", false
	}
	if at < 0 {
		return p.bare(e)
	}
	var b strings.Builder
	if !phrase(&b, e[:at]) {
		return "", false
	}
	text := e[at].text
	inner := strings.Trim(text[1:len(text)-1], " \t")
	if inner != "" {
		if strings.HasPrefix(inner, "@") {
			// An obs-route, which must be ignored (RFC 5322 §4.4).
			_, rest, ok := strings.Cut(inner, ":")
			if !ok {
				return "", false
			}
			inner = strings.Trim(rest, " \t")
		}
		spec, ok := p.addrSpec(inner)
		if !ok {
			return "", false
		}
		inner = spec
	}
	b.WriteString("<" + inner + ">")
	for _, x := range e[at+1:] {
		if x.kind != space && x.kind != comment {
			return "", false
		}
		b.WriteString(x.text)
	}
	return b.String(), true
}

// phrase writes a display name. Words with special characters are quoted
// together with the words around them, as Sendmail does, but never an encoded
// word, which must not stand in quotes (RFC 2047 §5).
func phrase(b *strings.Builder, e []piece) bool {
	run := 0 // start of the run of words and spaces
	flush := func(to int) bool {
		ok := writeRun(b, e[run:to])
		run = to + 1
		return ok
	}
	for i, x := range e {
		switch {
		case x.kind == quoted || x.kind == comment:
			if !flush(i) {
				return false
			}
			b.WriteString(x.text)
		case x.kind == word && isEncoded(x.text):
			if !flush(i) {
				return false
			}
			text, ok := escapeEncoded(x.text)
			if !ok {
				return false
			}
			b.WriteString(text)
		}
	}
	if run > len(e) {
		return true
	}
	if !flush(len(e)) {
		return false
	}
	// A quoted run may touch what follows.
	if s := b.String(); len(e) > 0 && e[len(e)-1].kind == word && s[len(s)-1] == '"' {
		b.WriteByte(' ')
	}
	return true
}

// writeRun writes words and spaces, quoted where a word needs it.
func writeRun(b *strings.Builder, run []piece) bool {
	var text strings.Builder
	special := false
	for _, x := range run {
		text.WriteString(x.text)
		special = special || x.kind == word && strings.ContainsAny(x.text, mustQuote)
	}
	s := text.String()
	if !special {
		b.WriteString(s)
		return true
	}
	left := run[0].kind == space
	right := run[len(run)-1].kind == space
	// Next to a quoted string or comment without a space: nobody knows what was
	// meant.
	if before := b.String(); before != "" && !left {
		return false
	}
	if left {
		b.WriteByte(' ')
	}
	b.WriteString(`"` + strings.ReplaceAll(strings.Trim(s, " \t"), `\`, `\\`) + `"`)
	if right {
		b.WriteByte(' ')
	}
	return true
}

func isEncoded(w string) bool {
	return strings.HasPrefix(w, "=?") && strings.HasSuffix(w, "?=") && strings.Count(w, "?") == 4
}

// escapeEncoded writes the characters of an encoded word that Sendmail would
// quote as =XX, which RFC 2047 §5 (3) demands of encoded words in a phrase.
func escapeEncoded(w string) (string, bool) {
	if !strings.ContainsAny(w, mustQuote) {
		return w, true
	}
	parts := strings.SplitN(w, "?", 4)
	if !strings.EqualFold(parts[2], "Q") || strings.ContainsAny(parts[1], mustQuote) {
		return "", false
	}
	var b strings.Builder
	for i := range len(parts[3]) {
		if c := parts[3][i]; strings.IndexByte(mustQuote, c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.WriteString("=" + string(hex[c>>4]) + string(hex[c&15]))
		} else {
			b.WriteByte(c)
		}
	}
	return strings.Join(parts[:3], "?") + "?" + b.String(), true
}

// bare writes an address without angle brackets. One comment may stand before
// it; Sendmail moves others behind it.
func (p *addressList) bare(e []piece) (string, bool) {
	var spec strings.Builder
	var before, after []string
	gap := false
	for _, x := range e {
		switch x.kind {
		case comment:
			if spec.Len() == 0 && len(before) == 0 {
				before = append(before, x.text)
			} else {
				after = append(after, x.text)
			}
			gap = gap || spec.Len() > 0
		case space:
			gap = gap || spec.Len() > 0
		default:
			// White space inside an address is harmless next to the @ only.
			if gap {
				s := spec.String()
				if !strings.HasPrefix(x.text, "@") && !strings.HasSuffix(s, "@") {
					return "", false
				}
			}
			gap = false
			spec.WriteString(x.text)
		}
	}
	s, ok := p.addrSpec(spec.String())
	if !ok {
		return "", false
	}
	return strings.Join(append(append(before, s), after...), " "), true
}

// addrSpec writes an addr-spec, completed where it has no domain.
func (p *addressList) addrSpec(s string) (string, bool) {
	local, rest := "", s
	if strings.HasPrefix(s, `"`) {
		n := closing(s, 0)
		if n < 0 {
			return "", false
		}
		local, rest = s[:n], s[n:]
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != '@' {
			return "", false
		}
	} else {
		n := strings.IndexByte(s, '@')
		if n < 0 {
			n = len(s)
		}
		local, rest = strings.TrimRight(s[:n], " \t"), s[n:]
		if local == "" || !all(local, atomDot) {
			return "", false
		}
	}
	if rest == "" {
		// Sendmail has ideas of its own about user%host and host!user.
		if strings.ContainsAny(local, "%!") || !hostName(p.host) {
			return "", false
		}
		return local + "@" + p.host, true
	}
	domain := strings.Trim(rest[1:], " \t")
	switch {
	case strings.HasPrefix(domain, "["):
		inner := strings.TrimSuffix(domain[1:], "]")
		if len(inner)+2 != len(domain) || !all(inner, literal) {
			return "", false
		}
	default:
		domain = strings.TrimSuffix(domain, ".")
		if !hostName(domain) {
			return "", false
		}
		_, parent, _ := strings.Cut(p.host, ".")
		if strings.EqualFold(domain, "localhost") || strings.EqualFold(domain, "localhost."+parent) {
			if !hostName(p.host) {
				return "", false
			}
			domain = p.host // ruleset Canonify does so
		}
	}
	return local + "@" + domain, true
}

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// atomDot: atext and dots (RFC 5322 §3.2.3).
func atomDot(c byte) bool {
	return alnum(c) || strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func literal(c byte) bool { return alnum(c) || c == '.' || c == ':' }

func hostName(s string) bool {
	return s != "" && len(s) <= 255 && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..") &&
		all(s, func(c byte) bool { return alnum(c) || c == '-' || c == '.' || c == '_' })
}
