package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// papers are ways to cite what only its writer has: plans, notes and numbered
// principles that are not in the repository. Say it in place, or in docs/.
var papers = regexp.MustCompile(`\bDESIGN( §|\.md)|\bmta-notes|(^|[^-\w])house\.md|\bnotes §|(//|#)[^"]*\bP[1-9]\b[:),]`)

var (
	// A page of ours, as docs/design.md or docs/decisions/0004.
	ourPage = regexp.MustCompile(`\bdocs/[A-Za-z0-9_./-]*[A-Za-z0-9]`)
	// [text](target): not an address of the web, not a place in the same page.
	ourLink = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]*)?\)`)
)

// absent says what a text of the repository at root cites and does not have.
func absent(root, path, text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if m := papers.FindString(line); m != "" {
			found = append(found, "cites a paper that is not here: "+strings.TrimSpace(line))
		}
		for _, page := range ourPage.FindAllString(line, -1) {
			if all, _ := filepath.Glob(filepath.Join(root, page) + "*"); len(all) == 0 {
				found = append(found, "there is no "+page)
			}
		}
		if filepath.Ext(path) != ".md" {
			continue
		}
		for _, m := range ourLink.FindAllStringSubmatch(line, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), m[1])); err != nil {
				found = append(found, "leads nowhere: "+m[0])
			}
		}
	}
	return found
}

// TestNoAbsentPapers: a comment or a page sends its reader to what the reader has.
func TestNoAbsentPapers(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+"/"))
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "dist"}, name) || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasPrefix(name, "internal/archtest/") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !utf8.Valid(text) {
			return err
		}
		files++
		for _, what := range absent(root, name, string(text)) {
			t.Errorf("%s: %s", name, what)
		}
		return nil
	})
	if err != nil || files < 300 {
		t.Errorf("%d files, %v", files, err)
	}
}

// The check itself must be able to fail.
func TestNoAbsentPapersRefuses(t *testing.T) {
	for _, c := range []struct {
		path, text, want string
	}{
		{"a.go", "// what a message may cost (DESIGN §10).", "cites a paper"},
		{"a.go", "// (mta-notes, negotiation).", "cites a paper"},
		{"a.go", "// The DNS fails (§4.10.1; notes §1.7).", "cites a paper"},
		{"a.go", "// TestX: P2: outbound mail", "cites a paper"},
		{"a.go", "// waits, it does not pass (P1, P6).", "cites a paper"},
		{"a.sh", "# see house.md", "cites a paper"},
		{"a.go", `x := "P1: text"`, ""},
		{"a.go", "// RFC 6376 §3.5, docs/design.md, docs/decisions/0004.", ""},
		{"a.go", "// docs/nothing.md", "there is no docs/nothing.md"},
		{"docs/a.md", "[x](design.md#y) [z](https://example.com/x.md) [w](#here)", ""},
		{"docs/a.md", "[x](decisions/0012-full-house.md)", ""},
		{"docs/a.md", "[x](nothing.md)", "leads nowhere"},
	} {
		got := strings.Join(absent(root, c.path, c.text), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestNoSectionSigns: what the packages' scripts show of our problems is ASCII.
func TestNoSectionSigns(t *testing.T) {
	for _, dir := range []string{"keys", "internal/config", "packaging/scripts"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil || strings.HasSuffix(f, "_test.go") {
				continue // folders
			}
			for i, line := range strings.Split(string(text), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if strings.Contains(code, "§") {
					t.Errorf("%s:%d: say \"section\"", f, i+1)
				}
			}
		}
	}
}
