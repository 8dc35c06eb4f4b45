package keys

import (
	"strings"
	"testing"
	"time"
)

func fixedNow() time.Time { return time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC) }

func TestCheckNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, tc := range []struct {
		domain, selector string
		ok               bool
	}{
		{"example.com", "s1", true},
		{"xn--bcher-kva.example", "s20261121e", true},
		{"example.com", "foo.bar", true},
		{"example.com", "Mixed_Case", true},
		{"az-_.09", "azAZ-_09", true},
		{"a`.example", "s1", false},
		{"a{.example", "s1", false},
		{"a:.example", "s1", false},
		{long + ".example", long, true},
		{long + "." + long + "." + long, long[:50], true},
		{long + "." + long + "." + long, long[:51], false},
		{"Example.com", "s1", false},
		{"example.com.", "s1", false},
		{"", "s1", false},
		{"..", "s1", false},
		{"../etc", "s1", false},
		{"a/b", "s1", false},
		{"a\x00b", "s1", false},
		{"bücher.example", "s1", false},
		{"-a.example", "s1", false},
		{long + "a.example", "s1", false},
		{strings.Repeat(long+".", 4) + "example", "s1", false},
		{"example.com", "", false},
		{"example.com", ".", false},
		{"example.com", "..", false},
		{"example.com", "a/b", false},
		{"example.com", "a b", false},
		{"example.com", long + "a", false},
		{long + "." + long + "." + long, long, false},
	} {
		err := checkDomain(tc.domain)
		if err == nil {
			err = checkSelector(tc.selector, tc.domain)
		}
		if (err == nil) != tc.ok {
			t.Errorf("%.40q %.40q: %v", tc.domain, tc.selector, err)
		}
	}
	// A domain of 253 bytes is one, although no selector has room beside it.
	name := strings.Repeat(long+".", 3)
	for n, ok := range map[int]bool{61: true, 62: false} {
		if err := checkDomain(name + long[:n]); (err == nil) != ok {
			t.Errorf("%d bytes: %v", len(name)+n, err)
		}
	}
}

func TestMadeAt(t *testing.T) {
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, selector string
		modified, want time.Time
	}{
		{"dated, on the day", "s20261121", day.Add(9 * time.Hour), day.Add(9 * time.Hour)},
		{"dated, restored later", "s20261121", day.AddDate(1, 0, 0), day},
		{"dated, clock was wrong", "s20261121", time.Unix(0, 0), day},
		{"Ed25519 suffix", "s20261121e", day.AddDate(0, 0, 3), day},
		{"no date", "mail", day.Add(time.Hour), day.Add(time.Hour)},
		{"no such day", "s20261399", day, day},
		{"longer number", "s202611215", day.AddDate(0, 0, 3), day.AddDate(0, 0, 3)},
		{"too short", "s2026", day, day},
	} {
		if got := madeAt(tc.selector, tc.modified); !got.Equal(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/var/lib/sealmilter/keys/example.com/s1.pem": "/var/lib/sealmilter/keys/example.com/s1.pem",
		"/a b/s1.pem": "'/a b/s1.pem'",
		"/a'b":        `'/a'\''b'`,
		"$(rm)":       "'$(rm)'",
		"":            "''",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
