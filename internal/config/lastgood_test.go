package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLastGood(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "milter.yaml")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := named()

	// Nothing at all.
	if got, problems := l.LoadWithFallback(file, dir, false); got.Config != nil || !problems.Failed() {
		t.Fatalf("%+v %s", got, problems)
	}
	// Bad, and no last good one.
	write("mta: exim")
	if got, problems := l.LoadWithFallback(file, dir, false); got.Config != nil || len(problems) != 1 {
		t.Fatalf("%+v %s", got, problems)
	}
	// Good: kept only when told so.
	write("mta: postfix")
	got, problems := l.LoadWithFallback(file, dir, false)
	if got.Config == nil || got.Degraded || got.Path != file || problems != nil {
		t.Fatalf("%+v %s", got, problems)
	}
	if err := SaveLastGood(dir, file, got.Data); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, LastGoodName)
	if st, err := os.Stat(good); err != nil || st.Mode() != 0o600 {
		t.Fatalf("%v %v", st, err)
	}
	// Bad again: the last good one, and every problem of the file.
	write("mta: exim\nlog: {level: x}")
	got, problems = l.LoadWithFallback(file, dir, false)
	if got.Config == nil || !got.Degraded || got.Path != good || got.Config.MTA != "postfix" {
		t.Fatalf("%+v %s", got, problems)
	}
	if len(problems) != 3 || !strings.Contains(problems[2].String(), "running with the last configuration that worked") {
		t.Fatal(problems)
	}
	// A copy of another file is no stand-in.
	elsewhere := filepath.Join(dir, "other.yaml")
	if err := os.WriteFile(elsewhere, []byte("mta: exim"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, problems := l.LoadWithFallback(elsewhere, dir, false); got.Config != nil || len(problems) != 1 {
		t.Fatalf("%+v %s", got, problems)
	}
	// Strict: no fallback.
	if got, problems := l.LoadWithFallback(file, dir, true); got.Config != nil || len(problems) != 2 {
		t.Fatalf("%+v %s", got, problems)
	}
	// Of another file: no stand-in for this one.
	other := filepath.Join(dir, "other.yaml")
	if got, problems := l.LoadWithFallback(other, dir, false); got.Config != nil || len(problems) != 1 {
		t.Fatalf("%+v %s", got, problems)
	}
	// The text that comes back is the one that was kept.
	if got, _ := l.LoadWithFallback(file, dir, false); string(got.Data) != "mta: postfix" {
		t.Fatalf("%q", got.Data)
	}
	// The file is gone.
	os.Remove(file)
	if got, _ := l.LoadWithFallback(file, dir, false); got.Config == nil || !got.Degraded {
		t.Fatalf("%+v", got)
	}
	// The last good one is bad as well.
	if err := os.WriteFile(good, append(origin(file), "x: ["...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, problems := l.LoadWithFallback(file, dir, false); got.Config != nil || len(problems) < 2 || !strings.Contains(problems.String(), good) {
		t.Fatalf("%+v %s", got, problems)
	}
}

func TestSaveLastGoodIsAtomic(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, LastGoodName)
	for _, s := range []string{"mta: auto", "mta: postfix", "mta: postfix"} {
		before, _ := os.Stat(good)
		old, _ := os.ReadFile(good)
		if err := SaveLastGood(dir, "/etc/m.yaml", []byte(s)); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(good)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(string(old), "\n"+s) != os.SameFile(before, after) {
			t.Errorf("%s: the file is rewritten only for another text, and then replaced", s)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("left over: %v", names)
	}
	if err := SaveLastGood(filepath.Join(dir, "missing"), "/etc/m.yaml", nil); err == nil {
		t.Error("no error")
	}
	// A folder in the place of the file: an error, and no temporary file stays.
	other := t.TempDir()
	if err := os.MkdirAll(filepath.Join(other, LastGoodName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := SaveLastGood(other, "/etc/m.yaml", []byte("mta: auto")); err == nil {
		t.Error("no error")
	}
	if names, _ := filepath.Glob(filepath.Join(other, "*.tmp")); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
}
