package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMutants(t *testing.T) {
	const src = `package p

const limit = 10

var names = []string{"a", "b"}

func obey(n int, s string) bool {
	if n > limit && s != "" {
		return true
	}
	for n < 3 {
		n++
	}
	switch {
	case s == "x":
		forget(s)
	}
	return false
}

func other() { forget("y") }
`
	all, err := mutants("p.go", []byte(src), []string{"limit", "names", "obey"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, strings.TrimPrefix(m.key(), "p.go "))
	}
	want := []string{
		"limit `const limit = 10`: 10 -> 11",
		"names `var names = []string{\"a\", \"b\"}`: \"a\", -> (nothing)",
		"names `var names = []string{\"a\", \"b\"}`: , \"b\" -> (nothing)",
		"obey `if n > limit && s != \"\" {`: n > limit && s != \"\" -> !(n > limit && s != \"\")",
		"obey `if n > limit && s != \"\" {`: && -> ||",
		"obey `if n > limit && s != \"\" {`: > -> >=",
		"obey `return true`: true -> false",
		"obey `for n < 3 {`: < -> <=",
		"obey `for n < 3 {`: 3 -> 4",
		"obey `n++`: n++ -> (nothing)",
		"obey `case s == \"x\":`: s == \"x\" -> !(s == \"x\")",
		"obey `forget(s)`: forget(s) -> (nothing)",
		"obey `return false`: false -> true",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// house writes a module whose page names one function with a test that looks
// at one of its two lines.
func house(t *testing.T, accepted string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                   "module example.com/house\n\ngo 1.24\n",
		"a/a.go":                   "package a\n\nfunc Obey(n int) (int, bool) {\n\tif n > 7 {\n\t\treturn 7, true\n\t}\n\treturn n, false\n}\n",
		"a/a_test.go":              "package a\n\nimport \"testing\"\n\nfunc TestObey(t *testing.T) {\n\tif n, _ := Obey(20); n != 7 {\n\t\tt.Error(n)\n\t}\n}\n",
		"docs/standards.md":        "| section | what | file | test |\n|---|---|---|---|\n| §1 | seven | `a/a.go` Obey | TestObey |\n",
		"test/mutate/accepted.txt": accepted,
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestJudge: what the test does not look at is reported, unless it is accepted;
// what is accepted and noticed is reported as well.
func TestJudge(t *testing.T) {
	const (
		negated = "a/a.go Obey `if n > 7 {`: n > 7 -> !(n > 7)"
		moved   = "a/a.go Obey `if n > 7 {`: > -> >="
		more    = "a/a.go Obey `if n > 7 {`: 7 -> 8"
		yes     = "a/a.go Obey `return 7, true`: true -> false"
		no      = "a/a.go Obey `return n, false`: false -> true"
	)
	for _, c := range []struct {
		name, accepted string
		want           []string
		fine           bool
	}{
		{"nothing accepted", "", []string{
			"a/a.go:4: not noticed: " + moved, "a/a.go:4: not noticed: " + more, "a/a.go:5: not noticed: " + yes, "a/a.go:7: not noticed: " + no, "2 noticed, 0 accepted, 4 not noticed"}, false},
		{"accepted", "# the caller looks\n" + moved + "\n" + yes + "\n" + no + "\n" + more + "\n", []string{"accepted, 0 not noticed"}, true},
		{"accepted and noticed", "# the caller looks\n" + moved + "\n" + yes + "\n" + no + "\n" + more + "\n" + negated + "\n",
			[]string{"accepted, but noticed or gone by now: " + negated}, false},
		{"accepted and gone", "# the caller looks\n" + moved + "\n" + yes + "\n" + no + "\n" + more + "\na/a.go Gone `x`: 1 -> 2\n",
			[]string{"accepted, but noticed or gone by now: a/a.go Gone `x`: 1 -> 2"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, err := open(house(t, c.accepted))
			if err != nil {
				t.Fatal(err)
			}
			all, err := b.mutants("", 0)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = b.judge(context.Background(), &out, all, 1, true)
			if (err == nil) != c.fine {
				t.Errorf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
		})
	}
}

// TestSwitched: all changes stand in one build but those that the compiler does
// not take there, and each is chosen by its number.
func TestSwitched(t *testing.T) {
	dir := house(t, "")
	const src = `package a

import "time"

const limit = 7

func Obey(n int, c byte, d time.Duration) (int, bool) {
	if n > limit && // as many as
		(c < 200 || d >= 3*time.Second) && n != 5 {
		n++
	}
	switch {
	case n == 9:
		return 12, true
	case n > 100:
		panic("too many")
	}
	for n < 4 {
		n += 2
	}
	if n < 50 {
		return n, false
	}
	panic("many")
}
`
	test := `package a

import "testing"

func TestObey(t *testing.T) {
	if n, yes := Obey(8, 199, 0); n != 12 || !yes {
		t.Error(n, yes)
	}
	if n, yes := Obey(0, 200, 0); n != 4 || yes {
		t.Error(n, yes)
	}
}
`
	for name, text := range map[string]string{"a/a.go": src, "a/a_test.go": test, "a/a_plan9.go": "package b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := mutants("a/a.go", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.newSwitchboard(all)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(s.dir)
	var own, same []string
	for i, m := range all {
		_, key, _ := strings.Cut(m.key(), "`")
		if !s.has[i] {
			own = append(own, key)
			continue
		}
		if yes, err := s.notices(t.Context(), dir, i+1, suite{[]string{"./a"}, []string{"TestObey"}}); err != nil {
			t.Fatal(err)
		} else if !yes {
			same = append(same, key)
		}
	}
	// A constant, a number of another package's type, a return that is missing.
	const cond = "(c < 200 || d >= 3*time.Second) && n != 5 {`: "
	if want := []string{"const limit = 7`: 7 -> 8", "panic(\"many\")`: panic(\"many\") -> (nothing)", cond + "3 -> 4"}; !slices.Equal(own, want) {
		t.Errorf("builds of their own: %q", own)
	}
	want := []string{
		"if n > limit && // as many as`: && -> ||", "if n > limit && // as many as`: > -> >=", cond + "< -> <=", cond + "200 -> 201", cond + ">= -> >", cond + "5 -> 6",
		"case n > 100:`: > -> >=", "case n > 100:`: 100 -> 101", "panic(\"too many\")`: panic(\"too many\") -> (nothing)", "if n < 50 {`: < -> <=", "if n < 50 {`: 50 -> 51",
	}
	if !slices.Equal(same, want) {
		t.Errorf("not noticed:\n%s", strings.Join(same, "\n"))
	}
}

func TestReadAccepted(t *testing.T) {
	got, err := readAccepted(strings.NewReader("# why\n# and more\na b: 1 -> 2\nc d: 3 -> 4\n\n# other\ne f: 5 -> 6\n"))
	if err != nil || got["a b: 1 -> 2"] != "why and more" || got["c d: 3 -> 4"] != "why and more" || got["e f: 5 -> 6"] != "other" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := readAccepted(strings.NewReader("a b: 1 -> 2\n")); err == nil || !strings.Contains(err.Error(), "accepted.txt:1") {
		t.Errorf("error %v", err)
	}
}
