package resolve

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCanonicalName(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	name253 := strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "example.com", "example.com"},
		{"case", "Mail.EXAMPLE.com", "mail.example.com"},
		{"trailing dot", "example.com.", "example.com"},
		{"one label", "localhost", "localhost"},
		{"the first and last letters", "az-09_.AZ", "az-09_.az"},
		{"underscore of a selector", "S1._domainkey.example.com", "s1._domainkey.example.com"},
		{"U-label", "Bücher.example", "xn--bcher-kva.example"},
		{"decomposed U-label", "bu\u0308cher.example", "xn--bcher-kva.example"},
		{"Korean", "한국.example", "xn--3e0b707e.example"},
		{"sharp s stays itself", "straße.example", "xn--strae-oqa.example"},
		{"full width letters", "ＥＸＡＭＰＬＥ.com", "example.com"},
		{"ideographic full stop", "例。example", "xn--fsq.example"},
		{"underscore beside a U-label", "_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"},
		{"A-label stays", "XN--bcher-KVA.example", "xn--bcher-kva.example"},
		{"63 bytes a label", label63 + ".example", label63 + ".example"},
		{"253 bytes", name253, name253},
		{"253 bytes and the root", name253 + ".", name253},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CanonicalName(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("CanonicalName(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestFakeALabel(t *testing.T) {
	for name, want := range map[string]bool{
		"xn--bank-.example":     true,
		"mail.xn--.example":     true,
		"xn--bcher-kva.example": false,
		"xn--i-7iq.ws":          false, // I♥: IDNA 2008 refuses it, and it is in use
		"xn--99999999.example":  false, // nobody can decode it
		"xnbank-.example":       false,
	} {
		if got := FakeALabel(name); got != want {
			t.Errorf("FakeALabel(%q) = %v", name, got)
		}
	}
}

func TestCanonicalNameRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "empty domain name"},
		{"root", ".", "empty domain name"},
		{"two dots at the end", "example.com..", "empty label"},
		{"empty label", "a..example", "empty label"},
		{"leading dot", ".example.com", "empty label"},
		{"64 bytes a label", strings.Repeat("a", 64) + ".example", "label longer than 63 bytes"},
		{"254 bytes", strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 62), "longer than 253 bytes"},
		{"beyond all bounds", strings.Repeat("ü", 1<<20), "longer than 253 bytes"},
		{"U-label that is too long as A-label", strings.Repeat("ü", 62) + "ñé한.example", "domain name"},
		{"space", "exam ple.com", `byte ' ' in a label`},
		{"line end", "example.com\r\nX: y", `byte '\r' in a label`},
		{"NUL", "example\x00.com", `byte '\x00' in a label`},
		{"address literal", "[192.0.2.1]", `byte '[' in a label`},
		{"address", "kim@example.com", `byte '@' in a label`},
		{"a byte that only goes on with a letter", "\x80.example", "not UTF-8"},
		{"not UTF-8", "\xff\xfe.example", "not UTF-8"},
		{"what is left of bytes that were none", "\ufffd.example", "not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CanonicalName(tt.in)
			if err == nil {
				t.Fatalf("CanonicalName(%.80q) = %q", tt.in, got)
			}
			if got != "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want an error with %q", got, err, tt.want)
			}
			if s := err.Error(); len(s) > 2000 || strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("error text of %d bytes is not fit for a log: %.200q", len(s), s)
			}
		})
	}
}

// FuzzCanonicalName: what comes out is a name that can be asked for, and is its
// own canonical form.
func FuzzCanonicalName(f *testing.F) {
	for _, s := range []string{"example.com", "Bücher.example.", "_dmarc.例。jp", "xn--a", "a..b", "\xff.x", "[::1]", "x\u200dy.example", "ＡＢ．c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := CanonicalName(s)
		if err != nil {
			if n != "" {
				t.Errorf("%q with error %v", n, err)
			}
			if !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\r\n\x00") || len(err.Error()) > 8<<10 {
				t.Errorf("error text %.200q", err)
			}
			return
		}
		if err := CheckName(n); err != nil {
			t.Errorf("CanonicalName(%q) = %q: %v", s, n, err)
		}
		for i := 0; i < len(n); i++ {
			if c := n[i]; c > '~' || c <= ' ' || c >= 'A' && c <= 'Z' {
				t.Errorf("CanonicalName(%q) = %q", s, n)
			}
		}
		if again, err := CanonicalName(n); err != nil || again != n {
			t.Errorf("not its own canonical form: %q -> %q -> %q, %v", s, n, again, err)
		}
	})
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"example.com":                     "",
		"a+b@c \xff.example":              "", // RFC 7208 §7.3 puts any byte there
		"":                                "empty",
		"a..b":                            "empty label",
		"a.":                              "empty label",
		strings.Repeat("a", 63):           "",
		strings.Repeat("a", 64) + ".b":    "label longer than 63 bytes",
		strings.Repeat("a.", 126) + "b":   "", // 253
		strings.Repeat("a.", 126) + "bc":  "longer than 253 bytes",
		strings.Repeat("\xc3\xbc", 31):    "",
		strings.Repeat("\xc3\xbc", 32):    "label longer than 63 bytes", // bytes, not letters
		strings.Repeat("a", 250) + ".com": "longer than 253 bytes",
	} {
		got := ""
		if err := CheckName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("CheckName(%.80q) = %q, want %q", name, got, want)
		}
	}
}

func TestASCIILower(t *testing.T) {
	for in, want := range map[string]string{
		"":            "",
		"abc":         "abc",
		"A":           "a",
		"Z":           "z",
		"MZ":          "mz",
		"@[`{":        "@[`{",
		"aBC[Z":       "abc[z",
		"\xffA\xc3":   "\xffa\xc3", // bytes, not UTF-8
		"Ü":           "Ü",
		"\u212aelvin": "\u212aelvin", // the Kelvin sign is no k
	} {
		if got := asciiLower(in); got != want {
			t.Errorf("asciiLower(%q) = %q, want %q", in, got, want)
		}
	}
}
