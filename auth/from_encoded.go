package auth

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
)

// decodedAuthors returns the domains of the addresses that a reader takes for
// authors in the display name round an angle-addr who decodes encoded words
// (RFC 2047 §4) before it parses, which RFC 2047 §6.2 forbids and some do: those
// in angle brackets, and those that a comma or its like cuts off the angle-addr.
func decodedAuthors(before, behind []token) []string {
	first, last := decodeWords(before), decodeWords(behind)
	var domains []string
	for _, m := range bracketedAddress.FindAllStringSubmatch(first+" "+last, -1) {
		domains = append(domains, strings.TrimSpace(m[1]))
	}
	first = first[:max(strings.LastIndexAny(first, separators), 0)]
	if !strings.ContainsAny(last, separators) {
		last = ""
	}
	for _, m := range bareAddress.FindAllStringSubmatch(first+" "+last, -1) {
		domains = append(domains, m[1])
	}
	return domains
}

const separators = ",;:"

// decodeWords decodes the encoded words among ts; adjacent ones join without
// the space.
func decodeWords(ts []token) string {
	var b strings.Builder
	for _, t := range ts {
		if t.kind == tokWord && strings.Contains(t.text, "=?") {
			b.WriteString(t.text)
		}
	}
	return encodedWords.ReplaceAllStringFunc(b.String(), decodeWord)
}

var (
	encodedWords     = regexp.MustCompile(`=\?[^?]*\?[bBqQ]\?[^?]*(?:\?=)?`)
	bracketedAddress = regexp.MustCompile(`<[^<>]*@([^<>]*)>`)
	bareAddress      = regexp.MustCompile(`@\s*([^\s@,;:<>()"]+\.[^\s@,;:<>()"]+)`)
)

// decodeWord decodes what is ASCII in an encoded word, however malformed.
func decodeWord(w string) string {
	parts := strings.SplitN(strings.TrimPrefix(w, "=?"), "?", 3)
	if len(parts) < 3 {
		return ""
	}
	charset, text := strings.ToLower(parts[0]), strings.TrimSuffix(parts[2], "?=")
	switch parts[1] {
	case "b", "B":
		text = partialBase64(text)
	case "q", "Q":
		text = escapedByte.ReplaceAllStringFunc(text, func(s string) string {
			b, _ := hex.DecodeString(s[1:])
			return string(b)
		})
	}
	if strings.HasPrefix(charset, "utf-7") { // RFC 2152
		text = utf7Run.ReplaceAllStringFunc(text, func(s string) string { return partialBase64(strings.Trim(s, "+-")) })
	}
	// In these a letter may consist of the bytes of "<" and "@".
	if strings.HasPrefix(charset, "iso-2022") || strings.HasPrefix(charset, "hz") {
		text = shifted.ReplaceAllString(text, " ")
	}
	return strings.ReplaceAll(text, "\x00", "") // UTF-16
}

// partialBase64 decodes as far as it goes.
func partialBase64(s string) string {
	s = strings.TrimRight(s, "=")
	b := make([]byte, base64.RawStdEncoding.DecodedLen(len(s)))
	n, _ := base64.RawStdEncoding.Decode(b, []byte(s))
	return string(b[:n])
}

var (
	escapedByte = regexp.MustCompile(`=[0-9A-Fa-f]{2}`)
	utf7Run     = regexp.MustCompile(`\+[A-Za-z0-9+/]*-?`)
	// ISO-2022-JP between its escapes, ISO-2022-KR between SO and SI, HZ
	// between tildes.
	shifted = regexp.MustCompile(`\x1b\$[^\x1b]*|\x0e[^\x0f]*|~\{.*?~\}`)
)
