package publish

import (
	"bufio"
	"fmt"
	"strings"
)

// bindForm writes DKIM records ready for a zone file. SPF and DMARC stay
// comments: a second SPF record beside an older one breaks both (RFC 7208
// §3.2), a second DMARC record too, and a placeholder is no address. All names
// are absolute, so that they mean the same in every zone and below every $ORIGIN.
type bindForm struct {
	gap  bool
	said reasons
}

func (f *bindForm) add(b *bufio.Writer, title string, records []Entry) error {
	if len(records) > 0 && title != "" {
		f.blank(b)
		fmt.Fprintf(b, "; == %s ==\n", title)
	}
	for _, e := range records {
		f.blank(b)
		writeBIND(b, e, f.said.of(title, e))
	}
	return nil
}

func (f *bindForm) blank(b *bufio.Writer) {
	if f.gap {
		b.WriteByte('\n')
	}
	f.gap = true
}

func (f *bindForm) note(b *bufio.Writer, text string) {
	for _, line := range wrap(text, wrapAt-2) {
		fmt.Fprintf(b, "; %s\n", line)
	}
}

func (f *bindForm) close(*bufio.Writer) error { return nil }

func writeBIND(b *bufio.Writer, e Entry, why string) {
	mark := ""
	if e.Need == Advice {
		mark = "; "
	}
	switch {
	case why == "":
		why = string(e.Need)
	case e.Need == Advice:
		why += " To use it, remove the \"; \" in front of the record."
		fallthrough
	default:
		why = string(e.Need) + ": " + why
	}
	for _, line := range wrap(why, wrapAt-2) {
		fmt.Fprintf(b, "; %s\n", line)
	}
	for i, v := range e.Then {
		fmt.Fprintf(b, "; step %d: %s\n", i+2, quoteTXT(v))
	}
	fmt.Fprintf(b, "%s%s. %d IN %s", mark, e.Name, ttl, e.typ())
	if e.Type == TypeCNAME {
		fmt.Fprintf(b, " %s.\n", e.Value)
		return
	}
	chunks := e.Chunks()
	if len(chunks) == 1 {
		fmt.Fprintf(b, " %s\n", quoteTXT(chunks[0]))
		return
	}
	b.WriteString(" (\n")
	for _, c := range chunks {
		fmt.Fprintf(b, "%s    %s\n", mark, quoteTXT(c))
	}
	fmt.Fprintf(b, "%s)\n", mark)
}

// quoteTXT writes a character-string as zone files have it (RFC 1035 §5.1).
func quoteTXT(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
