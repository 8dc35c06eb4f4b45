package hostile

import (
	"encoding/base64"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/sealmilter/sealmilter/auth/header"
)

// Displayed returns every domain that some mail client may show as the author's
// of a header section, without regard to what is right: fields called nearly
// From, the first and the last of them, lines cut where Python cuts them, what
// stands in angle brackets and in none, white space and comments round dots or
// not, encoded words decoded before or after parsing, wherever they stand, routes.
// Text in quotes is a name, not an author, but where quotes are is not clear before
// encoded words are decoded, or not. The display name in an encoded word is one,
// too, where the angle brackets beside it are beyond doubt.
func Displayed(h header.Fields) []string {
	found := map[string]bool{}
	for _, line := range displayedLines(raw(h)) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(visible(name), "from") {
			continue
		}
		views := []string{value}
		if i := strings.IndexByte(value, 0); i >= 0 { // a reader in C
			views = append(views, value[:i])
		}
		for _, v := range views {
			for _, d := range authorViews(v) {
				found[d] = true
			}
		}
	}
	var all []string
	for d := range found {
		all = append(all, d)
	}
	slices.Sort(all)
	return all
}

// quoted returns the domains in quoted strings of From fields.
func quoted(h header.Fields) []string {
	var all []string
	for _, f := range h {
		if strings.EqualFold(visible(f.Name), "from") {
			all = append(all, domainsIn(inQuotes.FindAllString(f.Value, -1), f.Value)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// displayedLines cuts a header section at every CR and LF, as Python's email
// package does, and joins folded lines.
func displayedLines(s string) []string {
	var lines []string
	for l := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n") {
		if n := len(lines); n > 0 && l != "" && (l[0] == ' ' || l[0] == '\t') {
			lines[n-1] += l
		} else {
			lines = append(lines, l)
		}
	}
	return lines
}

// visible keeps printable ASCII without spaces.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

var (
	inQuotes   = regexp.MustCompile(`"[^"]*"`)
	inAngles   = regexp.MustCompile(`<([^<>]*)>?`)
	afterAt    = regexp.MustCompile(`@[\s\[]*([^\s<>()\[\],;:"\\@=?]+(?:\s*[.。．｡]\s*[^\s<>()\[\],;:"\\@=?]+)*)`)
	encoded    = regexp.MustCompile(`=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=(?:\s+=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)*`)
	separators = regexp.MustCompile(`[,;:\r\n\x00]`)
	gaps       = regexp.MustCompile(`\s+`)
)

func authorViews(value string) []string {
	var views []string
	for _, open := range []bool{false, true} {
		// Outside of quotes, comments and encoded words: every @.
		views = append(views, encoded.ReplaceAllString(outside(value, open, true), " "))
	}
	// A reader that knows no comments takes what stands in brackets.
	for _, m := range inAngles.FindAllStringSubmatch(outside(value, false, false), -1) {
		views = append(views, m[1])
	}
	// A reader that decodes first. It cuts at a line end, or does not.
	if encoded.MatchString(value) {
		decoded := encoded.ReplaceAllStringFunc(value, decodeWords)
		for _, text := range append(strings.FieldsFunc(decoded, lineEnd), strings.Map(spaced, decoded)) {
			for _, open := range []bool{false, true} {
				views = append(views, decodedViews(outside(text, open, true))...)
			}
		}
	}
	return domainsIn(views, value)
}

// domainsIn lists what stands behind an @ in views of a field's value.
func domainsIn(views []string, value string) []string {
	var domains []string
	for _, v := range views {
		for _, m := range afterAt.FindAllStringSubmatch(v, -1) {
			name := strings.TrimFunc(controls.ReplaceAllString(gaps.ReplaceAllString(m[1], ""), ""), punctuation)
			if !utf8.ValidString(name) || strings.ContainsRune(name, utf8.RuneError) {
				continue // it is shown as such, and no name has that
			}
			if !utf8.ValidString(value) && strings.ContainsFunc(name, noName) {
				continue // for who takes the halves of letters for letters it is none
			}
			if d := displayedDomain(name); strings.Contains(d, ".") {
				domains = append(domains, d)
			}
		}
	}
	return domains
}

// decodedViews is what stands in angle brackets, and elements without any.
func decodedViews(text string) (views []string) {
	for _, m := range inAngles.FindAllStringSubmatch(text, -1) {
		views = append(views, m[1])
	}
	for _, element := range separators.Split(inAngles.ReplaceAllString(text, "<>"), -1) {
		if !strings.Contains(element, "<") { // else it is a display name
			views = append(views, element)
		}
	}
	return views
}

// punctuation is no part of a name for who sees it round one.
func punctuation(r rune) bool {
	return r != '-' && r != '_' && r != utf8.RuneError && (unicode.IsPunct(r) || unicode.IsSymbol(r))
}

func noName(r rune) bool {
	return r < utf8.RuneSelf && r != '.' && r != '-' && r != '_' && !unicode.IsDigit(r) && !unicode.IsLetter(r)
}

func lineEnd(r rune) bool { return r == '\r' || r == '\n' || r == 0 }

func spaced(r rune) rune {
	if lineEnd(r) {
		return ' '
	}
	return r
}

// outside is s with a quote for quoted strings, and with comments, for
// comments. What is not closed is text, or with open goes on to the end.
func outside(s string, open, comments bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '(' && comments:
			n := closes(s[i:])
			switch {
			case n > 0 && c == '"':
				b.WriteByte('"')
				i += n - 1
			case n > 0:
				b.WriteByte(' ')
				i += n - 1
			case open:
				return b.String()
			default:
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// closes is the length of the quoted string or comment that s begins with, 0 where
// it does not end.
func closes(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case s[0] == '"' && i > 0 && c == '"':
			return i + 1
		case s[0] == '(' && c == '(':
			depth++
		case s[0] == '(' && c == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// asReaders maps case and width, and does not mind what a registrar would.
var asReaders = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

func displayedDomain(s string) string {
	if a, err := asReaders.ToASCII(strings.TrimRight(s, ".")); err == nil {
		s = a
	}
	return strings.ToLower(strings.Trim(controls.ReplaceAllString(s, ""), "."))
}

func withoutComments(s string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
			b.WriteByte(' ')
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	if depth > 0 { // never closed: some readers take it for text
		return s
	}
	return b.String()
}

// decodeWords decodes adjacent encoded words (RFC 2047), in any charset.
func decodeWords(s string) string {
	d := mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(r)
		if strings.HasPrefix(strings.ToLower(charset), "utf-7") {
			b = []byte(utf7(string(b)))
		}
		return strings.NewReader(string(b)), err
	}}
	if out, err := d.DecodeHeader(s); err == nil {
		s = out
	}
	return " " + s + " "
}

var utf7Run = regexp.MustCompile(`\+[A-Za-z0-9+/]*-?`)

// utf7 decodes the ASCII that RFC 2152 hides in base64.
func utf7(s string) string {
	return utf7Run.ReplaceAllStringFunc(s, func(run string) string {
		b, _ := base64.RawStdEncoding.DecodeString(strings.Trim(run, "+-"))
		return strings.ReplaceAll(string(b), "\x00", "")
	})
}
