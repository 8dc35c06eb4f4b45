// Package source is what becomes of a list of domains that a database gave: which
// rows are names, whether the list may take the place of the last one, and the
// file that keeps it over a restart.
//
// It asks no database and signs nothing. Who asks, and how often, is the
// service's; what a name must be, the configuration's.
package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// maxShown is how many rows that are no names are told of; the others are counted.
const maxShown = 10

// Row is one that is no name, from 1 on.
type Row struct {
	Number int
	Text   string // its beginning
	Why    string
}

func (r Row) String() string { return fmt.Sprintf("row %d, %q: %s", r.Number, r.Text, r.Why) }

// Read is a list as it was read.
type Read struct {
	Names   []string // in canonical form, sorted, each once
	Skipped int      // rows that are no names
	Rows    []Row    // the first of them
}

// Rows reads what a database gave. canonical puts a name into its one form, or
// says why no mail is signed for it.
func Rows(rows []string, canonical func(string) (string, error)) Read {
	r := Read{Names: make([]string, 0, len(rows))}
	for i, text := range rows {
		// A column of fixed width is filled up with blanks.
		name, err := canonical(strings.TrimRight(text, " "))
		if text == "" {
			err = fmt.Errorf("empty")
		}
		if err == nil {
			r.Names = append(r.Names, name)
			continue
		}
		if r.Skipped++; r.Skipped <= maxShown {
			r.Rows = append(r.Rows, Row{Number: i + 1, Text: clip(text), Why: err.Error()})
		}
	}
	slices.Sort(r.Names)
	r.Names = slices.Compact(r.Names)
	return r
}

// maxClip is enough of a text to find it by.
const maxClip = 60

func clip(s string) string {
	if len(s) <= maxClip {
		return s
	}
	return strings.ToValidUTF8(s[:maxClip], "") + "..."
}

// Shrunk is the error of an answer that must not take the place of the set in use:
// it is empty, or has less than half of its names. A table that is being filled
// again, or a database that was restored empty, looks like that. How to say that
// it is meant is the hint; file is where the set is kept.
func Shrunk(kept, fresh int, file string) error {
	switch {
	case fresh == 0 && kept == 0:
		return problem.Fail("without domains_from nobody is asked", "the query gives no names")
	case fresh == 0:
		return problem.Fail("without domains_from in sign nobody is asked, and none of them signs", "the query gives no names, after %d: they stay in use", kept)
	case 2*fresh < kept:
		return problem.Fail("if that is meant: rm "+file, "the query gives %d names, after %d: those stay in use", fresh, kept)
	}
	return nil
}
