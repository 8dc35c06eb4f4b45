package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// said are the formats of all calls of Say, and the constants that are passed to Data.
func said(t *testing.T) (formats map[string]token.Position, data map[string]token.Position) {
	t.Helper()
	formats, data = map[string]token.Position{}, map[string]token.Position{}
	fset := token.NewFileSet()
	var files []string
	for _, dir := range []string{"..", "../../inspect"} {
		found, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(found) < 5 {
			t.Fatal(found, err)
		}
		files = append(files, found...)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if x, isName := f2name(f, ok); !isName || x != "words" {
				return true
			}
			text, constant := constantOf(call.Args[0])
			switch at := fset.Position(call.Pos()); {
			case f.Sel.Name == "Say" && !constant:
				t.Errorf("%s: the format of Say has to be a constant here", at)
			case f.Sel.Name == "Say":
				formats[text] = at
			case f.Sel.Name == "Data" && constant:
				data[text] = at
			}
			return true
		})
	}
	return formats, data
}

func f2name(f *ast.SelectorExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	x, ok := f.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	return x.Name, true
}

// constantOf joins string literals.
func constantOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, okA := constantOf(e.X)
		b, okB := constantOf(e.Y)
		return a + b, okA && okB
	}
	return "", false
}

func tables(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range []map[string]string{koreanDNS, koreanMTA, koreanHost} {
		for en, ko := range table {
			if _, twice := all[en]; twice {
				t.Errorf("%q stands in two tables", en)
			}
			all[en] = ko
		}
	}
	return all
}

var verb = regexp.MustCompile(`%(\[(\d+)\])?([a-z%])`)

// verbs are the verbs of a format with the argument that each takes.
func verbs(format string) []string {
	var out []string
	next := 1
	for _, m := range verb.FindAllStringSubmatch(format, -1) {
		if m[3] == "%" {
			continue
		}
		if m[2] != "" {
			next, _ = strconv.Atoi(m[2])
		}
		out = append(out, strconv.Itoa(next)+m[3])
		next++
	}
	slices.Sort(out)
	return out
}

func hangul(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Hangul, r) })
}

// TestEverySentenceInBothLanguages: whatever doctor says has its Korean, with the same
// verbs for the same arguments; no table has what nobody says.
func TestEverySentenceInBothLanguages(t *testing.T) {
	formats, _ := said(t)
	if len(formats) < 150 {
		t.Fatalf("only %d sentences found", len(formats))
	}
	korean := tables(t)
	for en, at := range formats {
		ko, ok := korean[en]
		switch {
		case !ok:
			t.Errorf("%s: no Korean for %q", at, en)
		case !hangul(ko):
			t.Errorf("%s: the Korean of %q is %q", at, en, ko)
		case !slices.Equal(verbs(en), verbs(ko)):
			t.Errorf("%s: %q has %v, its Korean %v", at, en, verbs(en), verbs(ko))
		}
	}
	for _, en := range slices.Sorted(maps.Keys(korean)) {
		if _, ok := formats[en]; !ok {
			t.Errorf("nobody says %q", en)
		}
	}
}

// TestDataIsNoSentence: prose that Data has would stay English.
func TestDataIsNoSentence(t *testing.T) {
	_, data := said(t)
	prose := regexp.MustCompile(`[a-z]{2,} [a-z]{2,} [a-z]{2,}`)
	command := regexp.MustCompile(`^(sealmilter|systemctl|timedatectl|postconf|make) `)
	for text, at := range data {
		if prose.MatchString(text) && !command.MatchString(text) {
			t.Errorf("%s: %q is a sentence", at, text)
		}
	}
}

func TestTexts(t *testing.T) {
	text := Say("there is no SPF record").And(Data(" x%sx ")).And(Say("the record cannot be read: %s", Say("nothing")))
	if got := text.String(); got != "there is no SPF record x%sx the record cannot be read: nothing" {
		t.Errorf("%q", got)
	}
	if got := text.In(Korean); !hangul(got) || !strings.Contains(got, " x%sx ") || strings.Contains(got, "nothing") || strings.Contains(got, "record") {
		t.Errorf("%q", got)
	}
	if got := Say("%s is not in a table", Data("x")).In(Korean); got != "x is not in a table" {
		t.Errorf("%q", got)
	}
	if !(Text{}).Empty() || !Data("").Empty() || Data("x").Empty() || (Text{}).String() != "" {
		t.Error("empty")
	}
	// What is joined to a text does not show in another one that begins alike.
	a := Say("nothing")
	b, c := a.And(Data("b")), a.And(Data("c"))
	if b.String() != "nothingb" || c.String() != "nothingc" {
		t.Errorf("%s %s", b, c)
	}
}

// TestKnown: whatever varies is found again, and no sentence hides another one.
func TestKnown(t *testing.T) {
	for format, ko := range koreanKeys {
		if !hangul(ko) || strings.Count(format, "%s") != strings.Count(ko, "%s") || strings.Count(format, "%") != strings.Count(format, "%s") {
			t.Errorf("%q: %q", format, ko)
		}
		en := strings.ReplaceAll(format, "%s", "/x-1")
		if got := Known(en); got.String() != en || got.In(Korean) != strings.ReplaceAll(ko, "%s", "/x-1") {
			t.Errorf("%q: %q, %q", en, got, got.In(Korean))
		}
	}
	if got := Known("a.example: no key could be loaded: /k/s1.pem: holds no PEM block").In(Korean); !strings.Contains(got, "PEM 블록이 없습니다") {
		t.Error(got)
	}
	if got := Known("something else").In(Korean); got != "something else" {
		t.Error(got)
	}
}

func TestLanguages(t *testing.T) {
	for _, c := range []struct {
		locales []string
		want    Lang
	}{
		{nil, English}, {[]string{"", "", ""}, English},
		{[]string{"", "", "ko_KR.UTF-8"}, Korean}, {[]string{"C", "", "ko_KR.UTF-8"}, English}, {[]string{"", "ko", "en_US"}, Korean},
		{[]string{"kok_IN"}, English}, {[]string{"ko.EUC-KR"}, Korean}, {[]string{"de_DE.UTF-8"}, English},
	} {
		if got := OfLocale(c.locales...); got != c.want {
			t.Errorf("%q: %s", c.locales, got)
		}
	}
	for s, want := range map[string]bool{"ko": true, "en": true, "KO": true, "de": false, "": false} {
		if _, ok := Parse(s); ok != want {
			t.Errorf("%q: %v", s, ok)
		}
	}
}
