package dkim

import (
	"strings"
	"testing"
)

// TestQuotedPrintable: RFC 6376 §2.11. What stands for itself is %x21-3A, %x3C
// and %x3E-7E; "=" and two digits may stand anywhere, also at the end.
func TestQuotedPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain@example.com": "plain@example.com", "=41": "A", "a=3D": "a=", "=3d=3D": "==", "x=00y": "x\x00y", "=EC=A1=B0": "조", "조": "조",
	} {
		if got, ok := decodeQP(in); !ok || got != want {
			t.Errorf("decodeQP(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"=", "a=", "=4", "a=4", "=4x", "=x4", "==41", "=+1", "= 1"} {
		if got, ok := decodeQP(in); ok || got != "" {
			t.Errorf("decodeQP(%q) = %q, %v, want nothing", in, got, ok)
		}
	}
	for in, want := range map[string]string{
		"!:<>~": "!:<>~", " ": "=20", "\x7f": "=7F", ";": "=3B", "=": "=3D", "\x00\x1f": "=00=1F", "조": "=EC=A1=B0",
	} {
		got := encodeQP(in)
		if got != want {
			t.Errorf("encodeQP(%q) = %q, want %q", in, got, want)
		}
		if back, ok := decodeQP(got); !ok || back != in {
			t.Errorf("%q comes back as %q", in, back)
		}
	}
}

// TestIsFieldName: RFC 5322 §3.6.8 ftext, without the semicolon that ends h=.
func TestIsFieldName(t *testing.T) {
	for name, want := range map[string]bool{
		"From": true, "!~": true, "": false, "a b": false, "a\x1f": false, "a\x7f": false, "a\x80": false, "a:": false, "a;": false,
	} {
		if got := isFieldName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestFolder: a line has 77 columns at most, the space before a word counted.
func TestFolder(t *testing.T) {
	for _, tc := range []struct {
		column, word int
		space, folds bool
	}{{70, 7, false, false}, {70, 8, false, true}, {70, 6, true, false}, {70, 7, true, true}} {
		f := folder{column: tc.column}
		f.add(strings.Repeat("x", tc.word), tc.space)
		if folds := strings.Contains(f.b.String(), "\r\n "); folds != tc.folds {
			t.Errorf("%+v: %q", tc, f.b.String())
		}
	}
	f := folder{column: 60}
	f.add("12345678", true)
	f.add("12345678", true)
	if got := f.b.String(); got != " 12345678\r\n 12345678" {
		t.Errorf("%q", got)
	}
}
