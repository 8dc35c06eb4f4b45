package tagvalue

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     List
		err      error
	}{
		{"empty", "", List{}, nil},
		{"only white space", " \r\n\t", List{}, nil},
		{"one", "v=1", List{{"v", "1"}}, nil},
		{"trailing semicolon", "v=1;", List{{"v", "1"}}, nil},
		{"order is kept", "b=2; a=1; c=3", List{{"b", "2"}, {"a", "1"}, {"c", "3"}}, nil},
		{"white space around everything", " \tv\r\n =\r\n\t1 \r\n ; a = x ", List{{"v", "1"}, {"a", "x"}}, nil},
		{"white space inside a value stays", "n=two  words\r\n more", List{{"n", "two  words\r\n more"}}, nil},
		{"bare lf folds", "v=1;\n a=x\n", List{{"v", "1"}, {"a", "x"}}, nil},
		{"empty value", "p=", List{{"p", ""}}, nil},
		{"equals sign in a value", "p=AA==", List{{"p", "AA=="}}, nil},
		{"names are case-sensitive", "a=1; A=2", List{{"a", "1"}, {"A", "2"}}, nil},
		{"digits and underscore", "_x=1; x_2=3", List{{"x_2", "3"}}, ErrSyntax},
		{"first and last letters", "z_9=1; Z0=2; a=3; A=4", List{{"z_9", "1"}, {"Z0", "2"}, {"a", "3"}, {"A", "4"}}, nil},
		{"first and last of visible letters", "v=!~", List{{"v", "!~"}}, nil},
		{"a byte that only goes on with a letter", "v=\x80", List{}, ErrSyntax},
		{"unit separator in a value", "v=1\x1f1", List{}, ErrSyntax},
		{"empty specs are skipped", ";; v=1;; ;a=2;", List{{"v", "1"}, {"a", "2"}}, nil},
		{"utf-8 value", "d=한국.example", List{{"d", "한국.example"}}, nil},
		{"broken utf-8", "d=\xff\xfe; s=a", List{{"s", "a"}}, ErrSyntax},
		{"no equals sign", "v=1; junk; s=a", List{{"v", "1"}, {"s", "a"}}, ErrSyntax},
		{"empty name", "=1", List{}, ErrSyntax},
		{"digit first", "1v=1", List{}, ErrSyntax},
		{"hyphen in a name", "a-b=1", List{}, ErrSyntax},
		{"space in a name", "a b=1", List{}, ErrSyntax},
		{"nul in a value", "v=1\x00", List{}, ErrSyntax},
		{"del in a value", "v=1\x7f1", List{}, ErrSyntax},
		{"duplicate", "v=1; a=2; v=3", List{{"v", "1"}, {"a", "2"}, {"v", "3"}}, ErrDuplicate},
		{"duplicate with the same value", "v=1; v=1", List{{"v", "1"}, {"v", "1"}}, ErrDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseBoundsTags(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "t%d=x;", i)
	}
	l, err := Parse(b.String())
	if !errors.Is(err, ErrTooMany) || len(l) != 64 {
		t.Errorf("%d tags, %v", len(l), err)
	}
}

func TestGet(t *testing.T) {
	l := List{{"V", "x"}, {"v", "1"}}
	if v, ok := l.Get("v"); v != "1" || !ok {
		t.Error("Get v", v, ok)
	}
	if v, ok := l.GetFold("v"); v != "x" || !ok {
		t.Error("GetFold v", v, ok)
	}
	if _, ok := l.Get("p"); ok {
		t.Error("Get p")
	}
	if _, ok := l.GetFold("p"); ok {
		t.Error("GetFold p")
	}
}

func TestPeek(t *testing.T) {
	const in = " v=1; bd=x; d = a.example\r\n ; d=b"
	if v, ok := Peek(in, "d"); v != "a.example" || !ok {
		t.Errorf("%q %v", v, ok)
	}
	if v, ok := Peek(in, "s"); v != "" || ok {
		t.Errorf("%q %v", v, ok)
	}
}

func TestWithoutValue(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"last", " v=1; b=abc", " v=1; b="},
		{"middle keeps what follows", " v=1; b= a\r\n\tbc ;\r\n d=x; ", " v=1; b=;\r\n d=x; "},
		{"space before the equals sign stays", "b =\tabc; bh=xyz", "b =; bh=xyz"},
		{"bh is another tag", " bh=b; xb=b=c;b=d=", " bh=b; xb=b=c;b="},
		{"capital b is another tag", " B=x", " B=x"},
		{"absent", " v=1;", " v=1;"},
		{"already empty", "b=;", "b=;"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := WithoutValue(tt.in, "b"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStripFWS(t *testing.T) {
	if got := StripFWS(" a b\r\n\tc\n"); got != "abc" {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "v=1; a=rsa-sha256; b=AA==;", "v=DMARC1;p=none", "b= x ;;b=y", "\x00=\xff", "p=;="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Parse(s)
		if len(l) > 64 {
			t.Fatal("too many tags")
		}
		if err != nil {
			return
		}
		var b strings.Builder
		for _, tag := range l {
			b.WriteString(tag.Name + "=" + tag.Value + ";")
		}
		again, err := Parse(b.String())
		if err != nil || !cmp.Equal(l, again) {
			t.Fatalf("%q reads back as %v, %v", l, again, err)
		}
		less, err := Parse(WithoutValue(s, "b"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range l {
			if l[i].Name == "b" {
				l[i].Value = ""
			}
		}
		if !cmp.Equal(l, less) {
			t.Fatalf("WithoutValue changed more: %q %q", l, less)
		}
	})
}

// Broken tag-specs are bounded as tags are: a field has room for 30,000.
func TestParseStopsAtBrokenSpecs(t *testing.T) {
	l, err := Parse("a=1;" + strings.Repeat("x;", 63) + "b=2;x;c=3")
	if _, ok := l.Get("b"); !ok || !errors.Is(err, ErrSyntax) {
		t.Errorf("%v %v", l, err)
	}
	if _, ok := l.Get("c"); ok {
		t.Errorf("%v: read on after 64 broken ones", l)
	}
}
