package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/test/standards"
)

// root is the repository, seen from this folder.
const root = "../.."

// tree is a repository; the text of each folder's tests is read once.
type tree struct {
	dir   string
	tests map[string]string
}

func newTree(dir string) *tree { return &tree{dir, map[string]string{}} }

// wrong says what a row names that does not exist.
func wrong(r standards.Row, repo *tree) []string {
	out := slices.Clone(r.Wrong)
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, c := range r.Code {
		info, err := os.Stat(filepath.Join(repo.dir, c.Path))
		if err != nil {
			say("no file %s", c.Path)
			continue
		}
		if info.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(repo.dir, c.Path))
		for _, name := range c.Names {
			if found, _ := regexp.Match(`\b`+name+`\b`, text); err != nil || !found {
				say("nothing called %s in %s", name, c.Path)
			}
		}
	}
	for _, t := range r.Tests {
		in := r.Folders()
		if t.Folder != "" {
			in = []string{t.Folder}
		}
		if !repo.hasTest(in, t.Name, t.Case) {
			say("no test %s", t)
		}
	}
	return out
}

// hasTest looks for a test function, and for the text of a case beside it.
func (repo *tree) hasTest(folders []string, name, caseText string) bool {
	for _, folder := range folders {
		if _, ok := repo.tests[folder]; !ok {
			repo.tests[folder] = repo.read(folder)
		}
		text := repo.tests[folder]
		if strings.Contains(text, "\nfunc "+name+"(") && strings.Contains(text, caseText) {
			return true
		}
	}
	return false
}

// read joins the test files of a folder.
func (repo *tree) read(folder string) string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(repo.dir, folder, "*_test.go"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // a test in it is not found, and that is reported
		}
		all.Write(text)
	}
	return all.String()
}

// TestStandards: whatever docs/standards.md names exists.
func TestStandards(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/standards.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := standards.Rows(string(text))
	if len(rows) < 100 {
		t.Fatalf("only %d rows found", len(rows))
	}
	repo := newTree(root)
	for _, r := range rows {
		for _, w := range wrong(r, repo) {
			t.Errorf("docs/standards.md:%d: %s", r.Line, w)
		}
	}
}

// securityTest names a test on docs/security.md: `folder` TestName, or TestName
// alone for the folder that was named last.
var securityTest = regexp.MustCompile("(?:`([a-z0-9]+(?:/[a-z0-9]+)*)` )?\\b((?:Test|Fuzz)[A-Z]\\w+)")

// missingTests lists the tests that a page names and that do not exist.
func (repo *tree) missingTests(text string) (named int, missing []string) {
	folder := ""
	for _, m := range securityTest.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			folder = m[1]
		}
		named++
		if !repo.hasTest([]string{folder}, m[2], "") {
			missing = append(missing, folder+" "+m[2])
		}
	}
	return named, missing
}

// TestSecurityPage: every test that docs/security.md names exists.
func TestSecurityPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	named, missing := newTree(root).missingTests(string(text))
	if named < 15 || len(missing) > 0 {
		t.Errorf("docs/security.md names %d tests; there is no %q", named, missing)
	}
	// It must be able to fail.
	if _, missing := newTree(root).missingTests("`internal/archtest` TestSecurityPage, TestOfNothing"); len(missing) != 1 {
		t.Errorf("missing %q", missing)
	}
}

// The check itself must be able to fail.
func TestStandardsRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go":      "package a\n\nfunc obey() {}\n",
		"a/a_test.go": "package a\n\nfunc TestObey(t *testing.T) { run(\"case one\") }\n",
		"b/b_test.go": "package b\n\nfunc TestFromAfar(t *testing.T) {}\n",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const head = "| section | what | file | test |\n|---|---|---|---|\n"
	for row, want := range map[string]string{
		"| §1 | x | `a/a.go` | TestObey |":                                 "",
		"| §1 | x | `a/a.go` obey | TestObey \"case\", `b` TestFromAfar |": "",
		"| §1 | x | `a/a.go`, `b` | none |":                                "",
		"| x | `a/a.go` | TestObey |":                                      "",
		"| §1 | x | `a/gone.go` | TestObey |":                              "no file a/gone.go",
		"| §1 | x | `a/a.go` disobey | TestObey |":                         "nothing called disobey in a/a.go",
		"| §1 | x | `a/a.go` obe | TestObey |":                             "nothing called obe in a/a.go",
		"| §1 | x | a/a.go | TestObey |":                                   "\"a/a.go\" is not `file` and names in it; no test TestObey",
		"| §1 | x | `a/a.go` | TestObe |":                                  "no test TestObe",
		"| §1 | x | `a/a.go` | TestFromAfar |":                             "no test TestFromAfar",
		"| §1 | x | `a/a.go` | `b` TestObey |":                             "no test `b` TestObey",
		"| §1 | x | `a/a.go` | TestObey \"case two\" |":                    `no test TestObey "case two"`,
		"| §1 | x | `a/a.go` |  |":                                         `"" is not a test`,
		"| §1 | x | `a/a.go` | by hand |":                                  `"by hand" is not a test`,
	} {
		rows := standards.Rows(head + row + "\n")
		if len(rows) != 1 || rows[0].Line != 3 {
			t.Errorf("%s: rows %v", row, rows)
			continue
		}
		if got := strings.Join(wrong(rows[0], newTree(dir)), "; "); got != want {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
}
