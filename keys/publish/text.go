package publish

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Form is a way to write DNS records down.
type Form string

const (
	Plain   Form = "plain"   // name and value, to be typed into a web panel
	BIND    Form = "bind"    // a piece of a zone file
	Route53 Form = "route53" // a change batch of Amazon Route 53
)

// Forms are all of them.
func Forms() []Form { return []Form{Plain, BIND, Route53} }

const (
	// maxChunk: RFC 1035 §3.3: a character-string holds at most 255 bytes.
	maxChunk = 255
	ttl      = 3600 // an hour: short enough to mend a mistake, long enough to cache
	wrapAt   = 96   // columns of the explanations
)

// Chunks cuts a value into the character-strings of one TXT record; receivers
// join them without a separator (RFC 6376 §3.6.2.2, RFC 7208 §3.3).
func (t TXT) Chunks() []string {
	var chunks []string
	v := t.Value
	for len(v) > maxChunk {
		chunks, v = append(chunks, v[:maxChunk]), v[maxChunk:]
	}
	return append(chunks, v)
}

// Write writes records in the given form.
func Write(w io.Writer, form Form, records []TXT) error {
	b := bufio.NewWriter(w)
	switch form {
	case Plain:
		writePlain(b, records)
	case BIND:
		writeBIND(b, records)
	case Route53:
		if err := writeRoute53(b, records); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown form %q: plain, bind or route53", form)
	}
	return b.Flush()
}

// writePlain gives each value in one piece: web panels cut it themselves.
func writePlain(b *bufio.Writer, records []TXT) {
	for i, t := range records {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "%s\n  type   TXT\n  name   %s\n  value  %s\n", strings.ToUpper(string(t.Need)), t.Name, t.Value)
		for _, line := range wrap(t.Why, wrapAt-4) {
			fmt.Fprintf(b, "  # %s\n", line)
		}
	}
}

// writeBIND writes DKIM records ready for a zone file. SPF and DMARC stay
// comments: a second SPF record beside an older one breaks both (RFC 7208
// §3.2), a second DMARC record too, and a placeholder is no address.
func writeBIND(b *bufio.Writer, records []TXT) {
	for i, t := range records {
		if i > 0 {
			b.WriteByte('\n')
		}
		why, mark := string(t.Need)+": "+t.Why, ""
		if t.Need == Advice {
			why += " To use it, remove the \"; \" in front of the record."
			mark = "; "
		}
		for _, line := range wrap(why, wrapAt-2) {
			fmt.Fprintf(b, "; %s\n", line)
		}
		chunks := t.Chunks()
		fmt.Fprintf(b, "%s%s. %d IN TXT", mark, t.Name, ttl)
		if len(chunks) == 1 {
			fmt.Fprintf(b, " %s\n", quoteTXT(chunks[0]))
			continue
		}
		b.WriteString(" (\n")
		for _, c := range chunks {
			fmt.Fprintf(b, "%s    %s\n", mark, quoteTXT(c))
		}
		fmt.Fprintf(b, "%s)\n", mark)
	}
}

// errNoRecords: Amazon refuses a change batch without a change.
var errNoRecords = errors.New("no DKIM record to put into a change batch")

// writeRoute53 holds the DKIM records only. UPSERT replaces all TXT records of
// a name: right for a selector of ours, wrong for the domain's own name, where
// SPF lives beside other people's records, and for a DMARC policy.
func writeRoute53(b *bufio.Writer, records []TXT) error {
	type value struct{ Value string }
	type set struct {
		Name            string
		Type            string
		TTL             int
		ResourceRecords []value
	}
	type change struct {
		Action            string
		ResourceRecordSet set
	}
	batch := struct {
		Comment string
		Changes []change
	}{Comment: "DKIM keys made by sealmilter. SPF and DMARC are left out: they may exist already; see the plain form."}
	for _, t := range records {
		if t.Need == Advice {
			continue
		}
		var quoted []string
		for _, c := range t.Chunks() {
			quoted = append(quoted, quoteTXT(c))
		}
		batch.Changes = append(batch.Changes, change{"UPSERT", set{t.Name + ".", "TXT", ttl, []value{{strings.Join(quoted, " ")}}}})
	}
	if len(batch.Changes) == 0 {
		return errNoRecords
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(batch)
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

// wrap breaks text at spaces into lines of at most width bytes, longer words
// apart.
func wrap(text string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
