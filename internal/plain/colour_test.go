package plain

import (
	"fmt"
	"strings"
	"testing"
)

func TestColour(t *testing.T) {
	for in, want := range map[string]string{
		"PASS  dkim x: good\n":           "\x1b[32mPASS\x1b[0m  dkim x: good\n",
		"FAIL  x\nWARN  y\n":             "\x1b[31mFAIL\x1b[0m  x\n\x1b[33mWARN\x1b[0m  y\n",
		"error: a: error: b\nhint: do\n": "\x1b[31merror:\x1b[0m a: error: b\n\x1b[36mhint:\x1b[0m do\n",
		"PASSWORD x\nok: y\n warning: z": "PASSWORD x\n\x1b[32mok:\x1b[0m y\n warning: z",
		"":                               "", "\n": "\n", "no end": "no end",
	} {
		var b strings.Builder
		if n, err := Colour(&b).Write([]byte(in)); n != len(in) || err != nil || b.String() != want {
			t.Errorf("%q: %q %d %v", in, b.String(), n, err)
		}
	}
	var b strings.Builder
	w := Colour(&b)
	fmt.Fprint(w, "seen: ")
	fmt.Fprint(w, "FAIL not at the beginning\n")
	if b.String() != "seen: FAIL not at the beginning\n" {
		t.Errorf("%q", b.String())
	}
}

// TestForeignTextHasNoColour: what others wrote goes through Writer first: its escape
// sequences are none, whatever stands behind.
func TestForeignTextHasNoColour(t *testing.T) {
	var b strings.Builder
	w := Writer(Colour(&b))
	fmt.Fprintf(w, "error: %s\n%s\n", Text("\x1b[32mPASS\x1b[0m all is well\r\nPASS  x"), "\x1b[32mFAIL")
	if strings.Count(b.String(), "\x1b") != 2 || !strings.HasPrefix(b.String(), "\x1b[31merror:\x1b[0m ") {
		t.Errorf("%q", b.String())
	}
}
