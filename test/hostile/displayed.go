package hostile

import (
	"encoding/base64"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/sealmilter/sealmilter/auth/header"
)

// Displayed returns every domain that some mail client may show as the author's
// of a header section, without regard to what is right: fields called nearly
// From, the first and the last of them, lines cut where Python cuts them, what
// stands in angle brackets and in none, encoded words decoded before or after
// parsing, routes. Text in quotes and the display name in an encoded word are
// names, not authors, unless there are angle brackets in the latter.
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
	quotedString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	inAngles     = regexp.MustCompile(`<([^<>]*)>`)
	afterAt      = regexp.MustCompile(`@\s*([^\s<>()\[\],;:"\\@=?]+)`)
	encoded      = regexp.MustCompile(`=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=(?:\s+=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)*`)
	separators   = regexp.MustCompile(`[,;:]`)
)

func authorViews(value string) []string {
	noQuotes := quotedString.ReplaceAllString(value, " ")
	var views []string
	// Outside of quotes, comments and encoded words: every @.
	views = append(views, encoded.ReplaceAllString(withoutComments(noQuotes), " "))
	// A reader that knows no comments takes what stands in brackets.
	for _, m := range inAngles.FindAllStringSubmatch(noQuotes, -1) {
		views = append(views, m[1])
	}
	// A reader that decodes first.
	if encoded.MatchString(noQuotes) {
		text := encoded.ReplaceAllStringFunc(withoutComments(noQuotes), decodeWords)
		for _, m := range inAngles.FindAllStringSubmatch(text, -1) {
			views = append(views, m[1])
		}
		for _, element := range separators.Split(inAngles.ReplaceAllString(text, "<>"), -1) {
			if !strings.Contains(element, "<") { // else it is a display name
				views = append(views, element)
			}
		}
	}
	var domains []string
	for _, v := range views {
		for _, m := range afterAt.FindAllStringSubmatch(v, -1) {
			if d := displayedDomain(m[1]); strings.Contains(d, ".") {
				domains = append(domains, d)
			}
		}
	}
	return domains
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
