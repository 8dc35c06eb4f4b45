package explain

import (
	"strings"
	"testing"
)

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"From: Alice <alice@example.com>\nTo: bob@example.net\nSubject: hi\n\nA short text\n", "", "\n", " folded\n", "From x\nA: b\n\tc\r\n\r\nbody", "no field\n\nx", "A : b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		h, body := split(raw)
		for _, field := range h {
			if strings.Contains(field.Name, "\n") || strings.HasSuffix(field.Value, "\n") {
				t.Errorf("%q", field)
			}
		}
		if !strings.HasSuffix(strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n"), body) {
			t.Errorf("the body %q is not the end of %q", body, raw)
		}
		arrival(h)
	})
}
