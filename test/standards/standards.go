// Package standards reads the rows of docs/standards.md: which code obeys a
// section, and which tests would notice if it did not. The page's own check and
// test/mutate share it. No program imports it.
package standards

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Row is one row of a table: its last two cells.
type Row struct {
	Line  int    // of the page, from 1
	Code  []Code // in the order of the cell
	Tests []Test // empty for "none"
	// Wrong says which items are of no form that we know.
	Wrong []string
}

// Code is a file, or a folder, with the names in it that matter: none means all of it.
type Code struct {
	Path  string // from the root of the repository
	Names []string
}

// Test is a test function and, where one is named, the text of its case.
type Test struct {
	Folder string // "": one of the folders of the row's code
	Name   string
	Case   string
}

func (t Test) String() string {
	s := t.Name
	if t.Folder != "" {
		s = "`" + t.Folder + "` " + s
	}
	if t.Case != "" {
		s += ` "` + t.Case + `"`
	}
	return s
}

// Folders are those in which a test without a folder of its own is looked for.
func (r Row) Folders() []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range r.Code {
		if d := path.Dir(c.Path); !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	return out
}

var (
	// `path` name name
	codeItem = regexp.MustCompile("^`([^`]+)`((?: \\w+)*)$")
	// `folder` TestName "text of a case"
	testItem = regexp.MustCompile("^(?:`([^`]+)` )?((?:Test|Fuzz|Benchmark)\\w+)(?: \"([^\"]+)\")?$")
)

// Rows reads a page.
func Rows(page string) []Row {
	var rows []Row
	n := 0
	for line := range strings.Lines(page) {
		n++
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) < 3 || strings.Contains(line, "|---") || strings.TrimSpace(cells[len(cells)-1]) == "test" {
			continue
		}
		rows = append(rows, row(n, strings.TrimSpace(cells[len(cells)-2]), strings.TrimSpace(cells[len(cells)-1])))
	}
	return rows
}

func row(line int, code, tests string) Row {
	r := Row{Line: line}
	for item := range strings.SplitSeq(code, ", ") {
		m := codeItem.FindStringSubmatch(item)
		if m == nil {
			r.Wrong = append(r.Wrong, fmt.Sprintf("%q is not `file` and names in it", item))
			continue
		}
		r.Code = append(r.Code, Code{Path: m[1], Names: strings.Fields(m[2])})
	}
	if tests == "none" {
		return r
	}
	for item := range strings.SplitSeq(tests, ", ") {
		m := testItem.FindStringSubmatch(item)
		if m == nil {
			r.Wrong = append(r.Wrong, fmt.Sprintf("%q is not a test", item))
			continue
		}
		r.Tests = append(r.Tests, Test{Folder: m[1], Name: m[2], Case: m[3]})
	}
	return r
}
