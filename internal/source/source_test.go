package source

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// plain stands in for the configuration's rule.
func plain(s string) (string, error) {
	n := strings.ToLower(strings.TrimSuffix(s, "."))
	if !strings.Contains(n, ".") || strings.ContainsAny(n, " \x00*\t\n") || len(n) > 253 {
		return "", errors.New("not a name")
	}
	return n, nil
}

func TestRows(t *testing.T) {
	r := Rows([]string{"b.example", "A.example.", "a.example", "c.example   ", " d.example", "", "x\x00.example", "*", strings.Repeat("a", 300) + ".example"}, plain)
	if want := []string{"a.example", "b.example", "c.example"}; !slices.Equal(r.Names, want) {
		t.Errorf("%q", r.Names)
	}
	var said []string
	for _, x := range r.Rows {
		said = append(said, x.String())
	}
	want := []string{`row 5, " d.example": not a name`, `row 6, "": empty`, `row 7, "x\x00.example": not a name`, `row 8, "*": not a name`,
		`row 9, "` + strings.Repeat("a", 60) + `...": not a name`}
	if r.Skipped != 5 || !slices.Equal(said, want) {
		t.Errorf("%d\n%s", r.Skipped, strings.Join(said, "\n"))
	}
	r = Rows(make([]string, 500), plain)
	if r.Skipped != 500 || len(r.Rows) != maxShown || len(r.Names) != 0 {
		t.Errorf("%d skipped, %d shown", r.Skipped, len(r.Rows))
	}
}

func TestShrunk(t *testing.T) {
	for _, c := range []struct {
		kept, fresh int
		want        string
		hint        string
	}{
		{0, 0, "the query gives no names", "without domains_from nobody is asked"},
		{0, 1, "", ""},
		{1, 1, "", ""},
		{2, 1, "", ""},
		{3, 1, "the query gives 1 names, after 3: those stay in use", "if that is meant: rm /s/domains-from"},
		{100, 50, "", ""},
		{100, 49, "the query gives 49 names, after 100: those stay in use", "if that is meant: rm /s/domains-from"},
		{1, 0, "the query gives no names, after 1: they stay in use", "without domains_from in sign nobody is asked, and none of them signs"},
		{5, 100_000, "", ""},
	} {
		got := ""
		err := Shrunk(c.kept, c.fresh, "/s/domains-from")
		if err != nil {
			got = err.Error()
		}
		if got != c.want || problem.Hint(err) != c.hint {
			t.Errorf("%d after %d: %q (%q)", c.fresh, c.kept, got, problem.Hint(err))
		}
	}
}

func TestKept(t *testing.T) {
	dir := t.TempDir()
	k, err := Load(dir, plain)
	if err != nil || len(k.Names) != 0 || !Gone(dir) {
		t.Fatalf("%+v, %v", k, err)
	}
	want := Kept{Origin: Origin("mysql", "/etc/a b", "SELECT \"x\nFROM"), Names: []string{"a.example", "b.example"}}
	if err := Save(dir, want); err != nil {
		t.Fatal(err)
	}
	k, err = Load(dir, plain)
	if err != nil || k.Origin != want.Origin || !slices.Equal(k.Names, want.Names) || k.At.IsZero() || Gone(dir) {
		t.Fatalf("%+v, %v", k, err)
	}
	if info, err := os.Stat(Path(dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	whole, err := os.ReadFile(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut in a name": strings.TrimSuffix(string(whole), "ample\n"),
		"cut at a name": strings.TrimSuffix(string(whole), "b.example\n"),
		"empty":         "",
		"head only":     keptTitle + "\n",
		"one too many":  string(whole) + "c.example\n",
		"twice":         strings.Replace(string(whole), "b.example", "a.example", 1),
		"not canonical": strings.Replace(string(whole), "b.example", "B.example", 1),
		"no name":       strings.Replace(string(whole), "b.example", "b", 1),
		"no number":     strings.Replace(string(whole), keptCount+"2", keptCount+"-2", 1),
		"foreign":       "example.com\n",
	} {
		if text == string(whole) {
			t.Fatal(name)
		}
		if err := os.WriteFile(Path(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Load(dir, plain)
		if err == nil || len(k.Names) != 0 || problem.Hint(err) != "rm "+filepath.Join(dir, "domains-from") {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	if err := os.Remove(Path(dir)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(Path(dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, plain); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	if _, err := parse(make([]byte, maxKept+1), plain); err == nil {
		t.Error("no bound")
	}
	if err := Save(filepath.Join(dir, "none"), want); err == nil || problem.Hint(err) == "" {
		t.Error(err)
	}
}
