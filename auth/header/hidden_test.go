package header

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHidden(t *testing.T) {
	for name, c := range map[string]struct {
		f    Field
		want []Field
	}{
		"nothing":               {Field{"Subject", " x"}, nil},
		"folded well":           {Field{"Subject", " x\r\n\ty\r\n From: z"}, nil},
		"behind a bare CR":      {Field{"Subject", " x\rFrom: a@b"}, []Field{{"From", " a@b"}}},
		"behind a bare LF":      {Field{"Subject", " x\nFrom: a@b"}, []Field{{"From", " a@b"}}},
		"at the very beginning": {Field{"Subject", "\rFrom: a@b"}, []Field{{"From", " a@b"}}},
		"in the name":           {Field{"X\rFrom", " a@b"}, []Field{{"From", " a@b"}}},
		"folded itself":         {Field{"X", " x\rFrom: a\r\n @b\r c\rTo: d"}, []Field{{"From", " a @b c"}, {"To", " d"}}},
		"no field":              {Field{"X", " x\rtext\rmore"}, nil},
		"an empty line between": {Field{"X", " x\r\n\r\n\rFrom:a"}, []Field{{"From", "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, c.f.Hidden()); d != "" {
				t.Error(d)
			}
		})
	}
}

// FuzzHidden compares with lines that are split first and put together after.
func FuzzHidden(f *testing.F) {
	f.Add("X", " x\rFrom: a\r\n @b\r c\rTo: d")
	f.Add("X\rFrom", "\n\n :\r:")
	f.Fuzz(func(t *testing.T, name, value string) {
		var want []Field
		for i, line := range strings.FieldsFunc(name+":"+value+"\n.", func(r rune) bool { return r == '\r' || r == '\n' }) {
			_, folded := strings.CutPrefix(strings.Replace(line, "\t", " ", 1), " ")
			first := i == 0 && !strings.ContainsRune("\r\n", rune((name + ":")[0]))
			if field, text, ok := strings.Cut(line, ":"); ok && !folded && !first {
				want = append(want, Field{field, text})
			} else if folded && len(want) > 0 && !first {
				want[len(want)-1].Value += line
			}
		}
		if d := cmp.Diff(want, Field{name, value}.Hidden()); d != "" {
			t.Error(d)
		}
	})
}
