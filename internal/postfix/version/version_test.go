package version

import "testing"

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		text  string
		ok    bool
		hides bool
		three bool // 3.0 or later
	}{
		{"2.6.6", true, true, false}, // CentOS 6
		{"2.9.6", true, true, false},
		{"2.10.1", true, true, false}, // CentOS 7, Amazon Linux 2
		{"2.10.4", true, true, false},
		{"2.10.5", true, false, false},
		{"2.10.10", true, false, false},
		{"2.10-20130101", true, true, false},
		{"2.11.0", true, true, false}, // Ubuntu 14.04
		{"2.11.0-RC2", true, true, false},
		{"2.11-20131122-nonprod", true, true, false},
		{"2.11.2", true, true, false},
		{"2.11.3", true, false, false}, // Debian 8
		{"2.12-20141224", true, false, false},
		{"3.0-20150101", true, false, true},
		{"3.7.11", true, false, true},
		{"3.12-20260821", true, false, true},
		{"10.2.1", true, false, true},
		{"9999.2.1", true, false, true},
		{"10000.2.1", false, false, false},

		{"", false, false, false},
		{"2", false, false, false},
		{"2.10.1.2", false, false, false},
		{"2.10.", false, false, false},
		{"2.10.x", false, false, false},
		{"2.10-", false, false, false},
		{"-2.10.1", false, false, false},
		{"2.+9.1", false, false, false},
		{" 2.10.1", false, false, false},
		{"2.10.1 ", false, false, false},
		{"2.99999.1", false, false, false},
		{"8.17.1", true, false, true}, // Sendmail's, which FromMacro does not take
	} {
		v, ok := Parse(c.text)
		if ok != c.ok || v.HidesFirst() != c.hides || v.AtLeast(3, 0) != c.three {
			t.Errorf("%q: %+v, read %v, hides %v", c.text, v, ok, v.HidesFirst())
		}
	}
}

func TestAtLeast(t *testing.T) {
	for minor, want := range map[int]bool{6: true, 7: true, 8: false} {
		if v := (Version{3, 7, 11}); v.AtLeast(3, minor) != want {
			t.Errorf("3.7.11 is at least 3.%d: %v", minor, !want)
		}
	}
}

// TestMacro: only what Postfix itself says counts, and a snapshot of 3.12 is none of 3.1.
func TestMacro(t *testing.T) {
	for text, want := range map[string]Version{
		"Postfix 2.10.1":        {2, 10, 1},
		"Postfix 3.12-20260821": {3, 12, -1},
		"Postfix  2.10.1":       {},
		"postfix 2.10.1":        {},
		"Mail 2.10.1":           {},
		"2.10.1":                {},
		"8.17.1.9":              {},
		"":                      {},
	} {
		if v, ok := FromMacro(text); v != want || ok != (want != Version{}) {
			t.Errorf("%q: %+v, %v", text, v, ok)
		}
	}
}
