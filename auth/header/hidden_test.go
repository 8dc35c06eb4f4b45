package header

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
