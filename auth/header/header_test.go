package header

import (
	"slices"
	"strings"
	"testing"
)

var sample = Fields{
	{"Received", " from a\r\n\tby b"},
	{"from", " kim@x.example"},
	{"Subject \t", " s"},
	{"FROM", ""},
	{"X", "y"},
}

func TestFieldIs(t *testing.T) {
	for _, tt := range []struct {
		field, name string
		want        bool
	}{
		{"From", "From", true},
		{"fROM", "From", true},
		{"From \t", "From", true}, // RFC 5322 §4.5.8
		{"From\r\n ", "From", true},
		{" From", "From", false},
		{"From:", "From", false},
		{"Fro", "From", false},
		{"", "From", false},
		{"", "", true},
		{"X-Fr\u00f6m", "x-fr\u00d6m", true},
	} {
		if got := (Field{Name: tt.field}).Is(tt.name); got != tt.want {
			t.Errorf("%q is %q: %v", tt.field, tt.name, got)
		}
	}
}

func TestFields(t *testing.T) {
	if n := sample.Count("From"); n != 2 {
		t.Errorf("Count: %d", n)
	}
	if n := sample.Count("To"); n != 0 {
		t.Errorf("Count of none: %d", n)
	}
	if got := sample.All("From"); !slices.Equal(got, []string{" kim@x.example", ""}) {
		t.Errorf("All: %q", got)
	}
	if got := sample.All("To"); got != nil {
		t.Errorf("All of none: %q", got)
	}
	if v, ok := sample.First("From"); v != " kim@x.example" || !ok {
		t.Errorf("First: %q %v", v, ok)
	}
	if v, ok := sample[3:].First("from"); v != "" || !ok { // there, and empty
		t.Errorf("First of an empty one: %q %v", v, ok)
	}
	if v, ok := sample.First("To"); v != "" || ok {
		t.Errorf("First of none: %q %v", v, ok)
	}
}

// The length is that of the raw form, which limits and the log's size rest on.
func TestLen(t *testing.T) {
	var raw strings.Builder
	for _, f := range sample {
		if f.Len() != len(f.Raw()) {
			t.Errorf("%q has %d bytes, not %d", f.Raw(), len(f.Raw()), f.Len())
		}
		raw.WriteString(f.Raw())
	}
	if sample.Len() != raw.Len() || Fields(nil).Len() != 0 {
		t.Errorf("the section has %d bytes, not %d", raw.Len(), sample.Len())
	}
	want := "Received: from a\r\n\tby b\r\nfrom: kim@x.example\r\nSubject \t: s\r\nFROM:\r\nX:y\r\n"
	if raw.String() != want {
		t.Errorf("%q, want %q", raw.String(), want)
	}
}

func TestUnfold(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		" a b ":                 "a b",
		" a\r\n\tb":             "a\tb", // RFC 5322 §2.2.3: the white space of the fold stays
		" a\n b\n  c":           "a b  c",
		"\r\n a":                "a",
		" a\r\n \r\n b\r\n":     "a  b",
		"a\rb":                  "ab",
		" a\u00a0":              "a\u00a0", // white space is space and tab
		"\t \xff \x00\t":        "\xff \x00",
		strings.Repeat(" ", 99): "",
	} {
		if got := Unfold(in); got != want {
			t.Errorf("Unfold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHidden(t *testing.T) {
	for _, tt := range []struct {
		field Field
		want  []Field
	}{
		{Field{"X", " a"}, nil},
		{Field{"X", " a\r\n b\r\n\tc"}, nil},
		{Field{"X", " a\r b: c"}, nil},
		{Field{"X", " a\rb"}, nil},
		{Field{"X", " a\rY: b"}, []Field{{"Y", " b"}}},
		{Field{"X", " a\nY : b\r\n c\r\rZ:"}, []Field{{"Y ", " b c"}, {"Z", ""}}},
		{Field{"X\rY", " b"}, []Field{{"Y", " b"}}},
		{Field{"X", "\r\nY: b\r"}, []Field{{"Y", " b"}}},
	} {
		if got := tt.field.Hidden(); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.field, got, tt.want)
		}
	}
}

// TestHiddenCalled: what belongs to a field that nobody asked for belongs to no
// other.
func TestHiddenCalled(t *testing.T) {
	f := Field{"X", " a\rY: b\r b\rZ: c\r c\rY: d\rno field\r d"}
	got := f.HiddenCalled(func(name string) bool { return name == "Y" })
	if want := []Field{{"Y", " b b"}, {"Y", " d d"}}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestHides: the quick look finds what Hidden finds, and sees a fold for what
// it is.
func TestHides(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a b": false, " a\r\n b\r\n\tc": false, " a\r b: c": false, "a\r\n": false, "\n": false, " \r\n x y": false,
		"a\rb": true, "a\nb": true, "\rb": true, "a\r\n b\nc": true,
	} {
		if got := hides(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestVisible(t *testing.T) {
	if got := Visible("\ufeff Fr\x00o\tm\x7f\u00a0\xff"); got != "From" {
		t.Errorf("%q", got)
	}
	if got := Visible("\x1f!~\x80\u0080"); got != "!~" {
		t.Errorf("%q", got)
	}
}
