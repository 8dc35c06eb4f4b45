// Package plain makes text from elsewhere fit for a terminal: names of files,
// answers of a daemon or an MTA, fields of a message, records of the DNS. Whoever
// chose it could otherwise move the cursor, set the title, type into the
// terminal, turn the direction of writing, or fake a line of ours.
//
// Writer is what everything goes through that a command prints; Text is for a
// value that has to stay in its line.
package plain

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most is how many characters of one value are shown.
const most = 1000

// Text returns s on one line, at most 1,000 characters of it. What cannot be
// seen, or changes how the rest is seen, is written as \u001b, a byte that is
// no UTF-8 as \xff.
func Text(s string) string { return Clip(s, most) }

// Clip is Text with another limit.
func Clip(s string, n int) string {
	if len(s) <= n && !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for i := 0; len(s) > 0; i++ {
		if i == n {
			return b.String() + "..."
		}
		r, size := utf8.DecodeRuneInString(s)
		if hidden(r) {
			escape(&b, r, s[:size])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// Args makes the arguments of a format Text; numbers and truths stay what they
// are.
func Args(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a.(type) {
		case int, int64, uint16, uint32, uint64, float64, bool:
			out[i] = a
		default: // strings of any type, lists of them, errors
			out[i] = Text(fmt.Sprint(a))
		}
	}
	return out
}

// hidden characters: controls (C0, DEL, C1), format characters (bidirectional
// marks, zero width), the separators that some take for a line's end, and bytes that
// are no UTF-8. RuneError in a valid text is hidden with them.
func hidden(r rune) bool {
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// escape writes a character as JSON does, so that JSON stays what it is.
func escape(w io.Writer, r rune, raw string) {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		fmt.Fprintf(w, `\x%02x`, raw[0])
	case r > 0xffff:
		r -= 0x10000
		fmt.Fprintf(w, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	default:
		fmt.Fprintf(w, `\u%04x`, r)
	}
}

// Writer returns a writer that passes text on with line ends (CRLF too, which
// CSV has) and tabs, and escapes everything else that Text does. It is for one
// goroutine.
func Writer(w io.Writer) io.Writer { return &writer{to: w} }

type writer struct {
	to   io.Writer
	rest []byte // the beginning of a character whose end is still to come
}

func (w *writer) Write(p []byte) (int, error) {
	text := p
	if len(w.rest) > 0 {
		text = append(w.rest, p...)
		w.rest = nil
	}
	var b strings.Builder
	b.Grow(len(text))
	for len(text) > 0 {
		if !utf8.FullRune(text) || len(text) == 1 && text[0] == '\r' {
			w.rest = append(w.rest, text...)
			break
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t' || !hidden(r) || r == '\r' && text[1] == '\n':
			b.Write(text[:size])
		default:
			escape(&b, r, string(text[:size]))
		}
		text = text[size:]
	}
	if _, err := io.WriteString(w.to, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Line writes a label and a text, as reports have them.
func Line(w io.Writer, label, text string) { fmt.Fprintf(w, "  %-10s %s\n", Text(label), Text(text)) }
