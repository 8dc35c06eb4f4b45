package publish

import (
	"bufio"
	"encoding/csv"
	"strings"
)

// csvForm has a line a record, below one with the names of the columns (RFC 4180).
// csv.Writer puts its lines into our own buffer, as bufio.NewWriter of a Writer is that
// Writer.
type csvForm struct{ w *csv.Writer }

func newCSV(b *bufio.Writer) *csvForm {
	f := &csvForm{csv.NewWriter(b)}
	f.w.UseCRLF = true
	_ = f.w.Write([]string{"domain", "type", "name", "relative_name", "value", "need", "state", "zone"}) // errors stay: see add
	return f
}

func (f *csvForm) add(_ *bufio.Writer, _ string, records []Entry) error {
	for _, e := range records {
		state := string(e.State)
		if state == "" {
			state = "unknown"
		}
		relative := e.Relative
		if relative == "@" {
			relative = "" // spreadsheets take a word with @ for a formula
		}
		line := []string{e.Domain, e.typ(), e.Name, relative, e.Value, string(e.Need), state, e.Zone}
		for i, cell := range line {
			line[i] = noFormula(cell)
		}
		if err := f.w.Write(line); err != nil {
			return err
		}
	}
	return f.w.Error()
}

func (f *csvForm) note(*bufio.Writer, string) {}

func (f *csvForm) close(*bufio.Writer) error { return f.w.Error() }

// noFormula keeps a cell from being taken for a formula: none of ours begins like one,
// and a name that does is set behind an apostrophe, which spreadsheets do not show.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
