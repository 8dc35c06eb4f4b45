package plain

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var hostile = map[string]string{
	"plain, ünd 한국어 ♥":          "plain, ünd 한국어 ♥",
	"a\x1b]0;title\x07b":        `a\u001b]0;title\u0007b`,
	"a\x9b31mb":                 `a\x9b31mb`, // C1 as one byte is no UTF-8
	"a\u009b31mb":               `a\u009b31mb`,
	"del\x7f nul\x00":           `del\u007f nul\u0000`,
	"moc.knab\u202e.evil":       `moc.knab\u202e.evil`,
	"iso\u2066late\u2069":       `iso\u2066late\u2069`,
	"zero\u200bwidth\ufeff":     `zero\u200bwidth\ufeff`,
	"line\u2028para\u2029":      `line\u2028para\u2029`,
	"tag\U000e0041":             `tag\udb40\udc41`,
	"cut off \xe2\x80":          `cut off \xe2\x80`,
	"a \\u001b of their own":    `a \u001b of their own`,
	"replacement \ufffd itself": `replacement \ufffd itself`,
}

func TestText(t *testing.T) {
	for in, want := range hostile {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %s, want %s", in, got, want)
		}
	}
	if got := Text("one\nhint: two\r\n\tthree"); got != `one\u000ahint: two\u000d\u000a\u0009three` {
		t.Error(got)
	}
	long := strings.Repeat("한", most)
	if Text(long) != long || Text(long+"x") != long+"..." {
		t.Error("not cut where it should be")
	}
	if got := Clip("abc\x1bdef", 4); got != `abc\u001b...` {
		t.Error(got)
	}
}

// TestWriter: the same, wherever the text is cut, but for line ends and tabs.
func TestWriter(t *testing.T) {
	for in, want := range hostile {
		in, want := in+"\n\tx", want+"\n\tx"
		for cut := range len(in) {
			var b bytes.Buffer
			w := Writer(&b)
			for _, piece := range []string{in[:cut], in[cut:]} {
				if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatalf("%d, %v", n, err)
				}
			}
			if b.String() != want {
				t.Errorf("%q cut at %d: %s, want %s", in, cut, b.String(), want)
			}
		}
	}
}

// TestWriterKeepsCRLF: CSV has such line ends; a CR alone takes the cursor back.
func TestWriterKeepsCRLF(t *testing.T) {
	const in, want = "a,b\r\nc\rd\n\r\n\r\re", "a,b\r\nc\\u000dd\n\r\n\\u000d\\u000de"
	for cut := range len(in) {
		var b bytes.Buffer
		w := Writer(&b)
		for _, piece := range []string{in[:cut], in[cut:]} {
			if _, err := w.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != want {
			t.Errorf("cut at %d: %q, want %q", cut, b.String(), want)
		}
	}
}

// TestWriterKeepsJSON: what the encoder leaves as it is stays JSON.
func TestWriterKeepsJSON(t *testing.T) {
	in := "c1 \u009b del \x7f bidi \u202e tag \U000e0041 한"
	var b bytes.Buffer
	if err := json.NewEncoder(Writer(&b)).Encode(in); err != nil {
		t.Fatal(err)
	}
	var out string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out != in {
		t.Errorf("%s: %q, %v", b.String(), out, err)
	}
	if strings.ContainsFunc(strings.TrimSpace(b.String()), hidden) {
		t.Errorf("%q", b.String())
	}
}

func TestArgs(t *testing.T) {
	got := Args([]any{"a\x1b", errors.New("b\n"), netip.MustParseAddr("fe80::1%a"), 7})
	if want := []any{`a\u001b`, `b\u000a`, "fe80::1%a", 7}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzText(f *testing.F) {
	for in := range hostile {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := Text(in)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, hidden) {
			t.Errorf("%q became %q", in, got)
		}
		var b bytes.Buffer
		if _, err := Writer(&b).Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(b.String()), hidden) {
			t.Errorf("%q became %q", in, b.String())
		}
	})
}
