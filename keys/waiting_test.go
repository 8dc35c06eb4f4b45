package keys

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func names(list []*Key) string {
	var out []string
	for _, k := range list {
		out = append(out, k.Selector)
	}
	return strings.Join(out, " ")
}

// TestNewKeysWait: what is made beside others does not sign before the DNS has shown
// it, over reloads and restarts; a domain's first keys sign at once.
func TestNewKeysWait(t *testing.T) {
	dir := t.TempDir()
	generate := func(selector string, day int) []*Key {
		t.Helper()
		made, err := Generate(dir, "example.com", GenerateOptions{Selector: selector, Now: func() time.Time { return time.Now().AddDate(0, 0, day) }})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	load := func(change func(*DomainSpec)) (s *Store, signing string) {
		t.Helper()
		sp := spec("example.com")
		if change != nil {
			change(&sp)
		}
		s, problems := Load(dir, []DomainSpec{sp}, nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		picked, _, err := s.Pick("example.com")
		if err != nil {
			t.Fatal(err)
		}
		return s, names(picked)
	}
	if made := generate("s1", 0); made[0].Waits() {
		t.Error("the first key waits")
	}
	if _, got := load(nil); got != "s1 s1e" {
		t.Errorf("first: %s signs", got)
	}
	made := generate("s2", 1)
	if !made[0].Waits() || !made[1].Waits() {
		t.Error("the second pair does not wait")
	}
	s, got := load(nil)
	if got != "s1 s1e" || names(s.Waiting()) != "s2e s2" && names(s.Waiting()) != "s2 s2e" {
		t.Errorf("beside others: %s signs, %s waits", got, names(s.Waiting()))
	}
	if s, got := load(func(sp *DomainSpec) { sp.Unpublished = true }); got != "s2 s2e" || len(s.Waiting()) != 0 {
		t.Errorf("require_published: false: %s signs, %s waits", got, names(s.Waiting()))
	}
	if _, got := load(func(sp *DomainSpec) { sp.Selectors = []string{"s2"} }); got != "s2" {
		t.Errorf("listed: %s signs", got)
	}
	for range 2 { // idempotent
		if err := Shown(dir, made[0]); err != nil {
			t.Fatal(err)
		}
	}
	if s, got := load(nil); got != "s2 s1e" || names(s.Waiting()) != "s2e" {
		t.Errorf("RSA was shown: %s signs, %s waits", got, names(s.Waiting()))
	}
	if err := Shown(dir, made[1]); err != nil {
		t.Fatal(err)
	}
	if s, got := load(nil); got != "s2 s2e" || len(s.Waiting()) != 0 {
		t.Errorf("both were shown: %s signs", got)
	}
	files, err := filepath.Glob(filepath.Join(dir, "example.com", "*"))
	if err != nil || len(files) != 4 {
		t.Errorf("left: %v %v", files, err)
	}
}

// TestWaitingIsNeverSilence: where the others are gone, what waits signs: unsigned
// mail would be worse.
func TestWaitingIsNeverSilence(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []string{"s1", "s2"} {
		if _, err := Generate(dir, "example.com", GenerateOptions{Selector: s}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"s1", "s1e"} {
		if err := os.Remove(filepath.Join(dir, "example.com", s+".pem")); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := Load(dir, []DomainSpec{spec("example.com")}, nil)
	if picked, _, err := s.Pick("example.com"); err != nil || names(picked) != "s2 s2e" || len(s.Waiting()) != 0 {
		t.Errorf("%s signs, %v", names(picked), err)
	}
}

// TestAFailureLeavesNothing: a name that is taken leaves no mark that would have the
// key of that name wait.
func TestAFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		if _, err := Generate(dir, "example.com", GenerateOptions{Selector: "s1"}); (err != nil) != (i == 1) {
			t.Fatal(err)
		}
	}
	// The second of a pair that fails takes the first with it.
	if err := os.Mkdir(filepath.Join(dir, "example.com", "s2e.waiting"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(dir, "example.com", GenerateOptions{Selector: "s2"}); err == nil {
		t.Error("a folder is where the second one waits")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "example.com", "*"))
	if !slices.Equal(files, []string{filepath.Join(dir, "example.com/s1.pem"), filepath.Join(dir, "example.com/s1e.pem")}) {
		t.Error(files)
	}
}
