package publish

import (
	"bufio"
	"encoding/json"
	"strings"
)

// jsonForm is one list, whose entries are written as they come.
type jsonForm struct{ some bool }

func (f *jsonForm) add(b *bufio.Writer, _ string, records []Entry) error {
	for _, e := range records {
		if f.some {
			b.WriteString(",\n  ")
		} else {
			b.WriteString("[\n  ")
		}
		f.some = true
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false) // no web page
		enc.SetIndent("  ", "  ")
		if err := enc.Encode(e); err != nil {
			return err
		}
		b.WriteString(strings.TrimSuffix(text.String(), "\n"))
	}
	return nil
}

func (f *jsonForm) note(*bufio.Writer, string) {}

func (f *jsonForm) close(b *bufio.Writer) error {
	end := "[]\n"
	if f.some {
		end = "\n]\n"
	}
	_, err := b.WriteString(end)
	return err
}
