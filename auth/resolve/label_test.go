package resolve

import (
	"strings"
	"testing"
)

func TestLongLabel(t *testing.T) {
	for name, tc := range map[string]struct {
		name string
		want bool
	}{
		"as long as it can be":        {strings.Repeat("ü", 126), false},
		"longer":                      {strings.Repeat("ü", 127), true},
		"many labels":                 {strings.Repeat(strings.Repeat("ü", 100)+".", 9), false},
		"full stops of other scripts": {strings.Repeat(strings.Repeat("ü", 100)+"。", 9), false},
		"the last of many":            {"a.b.ü." + strings.Repeat("平", 200), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := longLabel(tc.name, 126); got != tc.want {
				t.Error(got)
			}
			if _, err := CanonicalName(tc.name); tc.want && (err == nil || !strings.Contains(err.Error(), "label longer than 63 bytes")) {
				t.Error(err)
			}
		})
	}
}

// TestLongestName: decomposed, a name may have many more bytes than its
// A-labels; beyond 1,024 it is not looked at.
func TestLongestName(t *testing.T) {
	name := func(letter string) string {
		return strings.Repeat(letter, 41) + "." + strings.Repeat(letter, 41) + "." + strings.Repeat(letter, 31)
	}
	want, err := CanonicalName(name("\uac01") + ".test")
	if err != nil {
		t.Fatal(err)
	}
	long := name("\u1100\u1161\u11a8") + ".test"
	if got, err := CanonicalName(long); len(long) != 1024 || err != nil || got != want {
		t.Errorf("%d bytes: %q, %v, want %q", len(long), got, err, want)
	}
	if got, err := CanonicalName(long + "s"); err == nil {
		t.Errorf("%d bytes: %q", len(long)+1, got)
	}
}

// TestLettersThatBecomeMany: U+FDFA is mapped to 18 characters; Punycode never
// sees them.
func TestLettersThatBecomeMany(t *testing.T) {
	for name, want := range map[string]string{
		"\ufdfb.example": "", // 8 characters, two blanks among them
		strings.Repeat("\ufdfa", 60) + ".example":  "longer than 253 bytes, or a label longer than 63",
		strings.Repeat("\u3300.", 70) + "example":  "longer than 253 bytes, or a label longer than 63",
		strings.Repeat("u\u0308", 50) + ".example": "",
	} {
		_, err := CanonicalName(name)
		if got := err != nil && strings.Contains(err.Error(), "or a label"); got != (want != "") {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}
