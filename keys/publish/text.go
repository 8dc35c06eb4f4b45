package publish

import (
	"bufio"
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
	CSV     Form = "csv"     // a line a record, for spreadsheets and scripts
	JSON    Form = "json"    // a list of all
)

// Forms are all of them.
func Forms() []Form { return []Form{Plain, BIND, Route53, CSV, JSON} }

const (
	// maxChunk: RFC 1035 §3.3: a character-string holds at most 255 bytes.
	maxChunk = 255
	ttl      = 3600 // an hour: short enough to mend a mistake, long enough to cache
	wrapAt   = 96   // columns of the explanations
)

// Chunks cuts a value into the character-strings of one TXT record; receivers
// join them without a separator (RFC 6376 §3.6.2.2, RFC 7208 §3.3).
func (e Entry) Chunks() []string {
	var chunks []string
	v := e.Value
	for len(v) > maxChunk {
		chunks, v = append(chunks, v[:maxChunk]), v[maxChunk:]
	}
	return append(chunks, v)
}

// Write writes records in the given form.
func Write(w io.Writer, form Form, records []Entry) error {
	out, err := NewWriter(w, form)
	if err != nil {
		return err
	}
	if err := out.Add("", records); err != nil {
		return err
	}
	return out.Close()
}

// Writer writes the records of one domain after the other, each as soon as it has them.
type Writer struct {
	to   *bufio.Writer
	form form
}

// form is how a Form is written.
type form interface {
	add(b *bufio.Writer, title string, records []Entry) error
	// note is a remark for people; forms for programs have none.
	note(b *bufio.Writer, text string)
	close(b *bufio.Writer) error
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer, f Form) (*Writer, error) {
	out := &Writer{to: bufio.NewWriter(w)}
	switch f {
	case Plain:
		out.form = &plainForm{said: reasons{}}
	case BIND:
		out.form = &bindForm{said: reasons{}}
	case Route53:
		out.form = &route53Form{}
	case CSV:
		out.form = newCSV(out.to)
	case JSON:
		out.form = &jsonForm{}
	default:
		return nil, fmt.Errorf("unknown form %q: plain, bind, route53, csv or json", f)
	}
	return out, nil
}

// Add writes records below a title, "" for none.
func (w *Writer) Add(title string, records []Entry) error {
	if err := w.form.add(w.to, title, records); err != nil {
		return err
	}
	return w.to.Flush()
}

// Note writes a remark below what was added, where the form has room for one.
func (w *Writer) Note(text string) { w.form.note(w.to, text) }

// Close writes the end; it does not close what is written to.
func (w *Writer) Close() error {
	if err := w.form.close(w.to); err != nil {
		return err
	}
	return w.to.Flush()
}

// reasons are those that were given. Below titles each is given once, whichever
// domain it is about: a list of a thousand would be hard to read otherwise.
type reasons map[string]bool

func (r reasons) of(title string, e Entry) string {
	about := strings.ReplaceAll(e.Why, e.Domain, "")
	if title != "" && r[about] {
		return ""
	}
	r[about] = true
	return e.Why
}

// plainForm gives each value in one piece: web panels cut it themselves.
type plainForm struct {
	gap  bool
	said reasons
}

func (f *plainForm) add(b *bufio.Writer, title string, records []Entry) error {
	if len(records) == 0 {
		return nil
	}
	f.blank(b)
	if title != "" {
		fmt.Fprintf(b, "# %s\n\n", title)
	}
	for i, e := range records {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "%s\n  type   %s\n  name   %s\n", strings.ToUpper(string(e.Need)), e.typ(), e.Name)
		if e.Relative != "" {
			fmt.Fprintf(b, "  short  %s   in the zone %s\n", e.Relative, e.Zone)
		}
		fmt.Fprintf(b, "  value  %s\n", e.Value)
		for i, v := range e.Then {
			fmt.Fprintf(b, "  step %d %s\n", i+2, v)
		}
		for _, line := range wrap(f.said.of(title, e), wrapAt-4) {
			fmt.Fprintf(b, "  # %s\n", line)
		}
	}
	return nil
}

// blank sets a domain apart from the one before.
func (f *plainForm) blank(b *bufio.Writer) {
	if f.gap {
		b.WriteByte('\n')
	}
	f.gap = true
}

func (f *plainForm) note(b *bufio.Writer, text string) {
	fmt.Fprintf(b, "# %s\n", text)
	f.gap = true
}

func (f *plainForm) close(*bufio.Writer) error { return nil }

func (e Entry) typ() string {
	if e.Type == "" {
		return TypeTXT
	}
	return e.Type
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
