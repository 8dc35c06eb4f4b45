package auth

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

func TestIsAuthResults(t *testing.T) {
	for name, want := range map[string]bool{
		"Authentication-Results":          true,
		"AUTHENTICATION-results":          true,
		"Authentication-Results ":         true,
		"Authentication-Results\t \t":     true,
		" Authentication-Results":         true,
		"Authentication-Results\x00":      true,
		"Authentication\x01-Results":      true,
		"Authentication-Results\u00a0":    true,
		"Authentication-Results\xff":      true,
		"ARC-Authentication-Results":      false,
		"X-Authentication-Results":        false,
		"Authentication-Results-Original": false,
		"Authentication_Results":          false,
		"Received-SPF":                    false,
		"":                                false,
	} {
		if got := IsAuthResults(name); got != want {
			t.Errorf("IsAuthResults(%q) = %v", name, got)
		}
	}
}

func TestClaimsID(t *testing.T) {
	ids := []string{"Mail.Example.com", "bücher.example", "example-auth"}
	for name, value := range map[string]string{
		"plain":                         " mail.example.com; spf=pass",
		"no space":                      "mail.example.com;spf=pass",
		"case":                          " MAIL.example.COM; spf=pass",
		"second id":                     " example-auth; none",
		"nothing behind":                " mail.example.com",
		"trailing dot":                  " mail.example.com.; spf=pass",
		"leading dot":                   " .mail.example.com; spf=pass",
		"folded":                        "\r\n\tmail.example.com\r\n ;\r\n spf=pass",
		"white space only line":         "\r\n \r\n mail.example.com;",
		"bare CR":                       "\rmail.example.com;",
		"comment before":                " (hi) mail.example.com; spf=pass",
		"nested comments":               ` (a (b) \) (c\()) mail.example.com; spf=pass`,
		"comment directly behind":       " mail.example.com(us); spf=pass",
		"comment folded":                " (a\r\n b)\r\n mail.example.com (c) ; spf=pass",
		"quoted":                        ` "mail.example.com"; spf=pass`,
		"quoted with escapes":           ` "\m\a\i\l.example.com"; spf=pass`,
		"quoted with spaces":            ` " mail.example.com "; spf=pass`,
		"quoted in parts":               ` mail."example".com; spf=pass`,
		"version":                       " mail.example.com 1; spf=pass",
		"version touching a comment":    " mail.example.com(x)1(y); spf=pass",
		"version 2":                     " mail.example.com 2; spf=pass",
		"NUL in the id":                 " mail.exam\x00ple.com; spf=pass",
		"NUL behind the id":             " mail.example.com\x00.attack.example; spf=pass",
		"controls in front":             " \x01\x02mail.example.com; spf=pass",
		"DEL":                           " mail.example.com\x7f; spf=pass",
		"DEL inside":                    " mail\x7f.example.com; spf=pass",
		"tab and a word":                " mail.example.com\tx; spf=pass",
		"CR and a word":                 " mail.example.com\rx; spf=pass",
		"LF and a word":                 " mail.example.com\nx; spf=pass",
		"substructure with a slash":     " mail.example.com/mx1; spf=pass",
		"substructure with a colon":     " mail.example.com:25; spf=pass",
		"substructure quoted":           ` "mail.example.com mx1"; spf=pass`,
		"U-label":                       " bücher.example; spf=pass",
		"U-label, other case":           " BÜCHER.example; spf=pass",
		"A-label":                       " xn--bcher-kva.example; spf=pass",
		"A-label, other case":           " XN--BCHER-KVA.Example; spf=pass",
		"full-width letters":            " ｍail.example.com; spf=pass",
		"ideographic full stop":         " mail。example。com; spf=pass",
		"zero-width space":              " mail.example\u200b.com; spf=pass",
		"no-break space":                " \u00a0mail.example.com; spf=pass",
		"8-bit junk":                    " mail\xff.example.com; spf=pass",
		"8-bit junk, half a letter":     " mail\x80.example.net; spf=pass",
		"empty":                         "",
		"white space":                   " \r\n ",
		"comment only":                  " (mail.example.com)",
		"no id":                         " ; spf=pass",
		"no id, result at once":         " spf=pass smtp.mailfrom=example.com",
		"no id, spaced":                 " spf = pass",
		"empty quoted id":               ` ""; spf=pass`,
		"a dot":                         " .; spf=pass",
		"controls only":                 "\x00\x01",
		"unclosed quote":                ` "mail.example.net; spf=pass`,
		"unclosed quote and an escape":  ` "mail.example.net\\`,
		"unclosed comment":              " mail.example.net (; spf=pass",
		"unclosed comment before":       " (mail.example.net; spf=pass",
		"escape ends a comment":         ` mail.example.net (\`,
		"stray parenthesis":             " )mail.example.net; spf=pass",
		"two ids":                       " mail.example.net mail.example.com; spf=pass",
		"junk behind":                   " mail.example.net, spf=pass",
		"words behind":                  " mail.example.net spf=pass",
		"foreign version 2":             " mail.example.net 2; spf=pass",
		"foreign version 0":             " mail.example.net 0; spf=pass",
		"foreign version of two digits": " mail.example.net 11; spf=pass",
		"foreign version with letters":  " mail.example.net 1x; spf=pass",
		"encoded word":                  " =?utf-8?Q?mail=2Eexample=2Ecom?=; spf=pass",
		"encoded word quoted":           ` "=?utf-8?Q?mail=2Eexample=2Ecom?="; spf=pass`,
		"comment inside":                " mail(x).example.com; spf=pass",
		"space inside":                  " mail .example.com; spf=pass",
		"bracketed":                     " <mail.example.com>; spf=pass",
		"very long U-label":             " " + strings.Repeat("\u4e00\u4e8c\u4e09", 10_000) + "; spf=pass",
		"quoted, ends in an escape":     ` "mail.example.com\`,
		"very long comment":             strings.Repeat("(", 50_000) + strings.Repeat(")", 50_000) + "mail.example.com;",
	} {
		t.Run(name, func(t *testing.T) {
			if !ClaimsID(value, ids) {
				t.Errorf("%q stays", value)
			}
		})
	}
	for name, value := range map[string]string{
		"another host":          " mail.example.net; spf=pass",
		"parent":                " example.com; spf=pass",
		"child":                 " a.mail.example.com; spf=pass",
		"longer name":           " mail.example.com.evil.example; spf=pass",
		"longer label":          " mail.example.community; spf=pass",
		"hyphen":                " example-auth-2; spf=pass",
		"shorter":               " ail.example.com; spf=pass",
		"comment behind":        " mx.google.com (mail.example.com); spf=pass",
		"version 1":             " mail.example.net 1; spf=pass",
		"version 1, commented":  " (c) mail.example.net (c) 1 (c); spf=pass",
		"version 01":            " mail.example.net 01; spf=pass",
		"nothing done":          " mail.example.net; none",
		"no results":            " mail.example.net",
		"our id as a property":  " mail.example.net; spf=pass smtp.mailfrom=mail.example.com",
		"other substructure":    " mail.example.net/mail.example.com; spf=pass",
		"quoted":                ` "mail.example.net"; spf=pass`,
		"other U-label":         " müller.example; spf=pass",
		"Cyrillic look-alike":   " mаil.example.com; spf=pass",
		"amavis":                " mail.example.net (amavisd-new);\r\n\tdkim=pass (2048-bit key) header.d=example.com",
		"Gmail":                 " mx.google.com;\r\n       dkim=pass header.i=@example.com header.s=s1 header.b=abc;",
		"a name without a dot":  " relay; spf=pass",
		"another symbol first":  " /elsewhere.example; spf=pass",
		"escape in the comment": ` mail.example.net (\(mail.example.com); spf=pass`,
	} {
		t.Run("stays: "+name, func(t *testing.T) {
			if ClaimsID(value, ids) {
				t.Errorf("%q goes", value)
			}
		})
	}
	if ClaimsID(" mail.example.com; none", nil) || ClaimsID(" mail.example.com; none", []string{""}) {
		t.Error("without ids nothing is ours")
	}
}

// TestHidesResults: what stands behind a line end that folds nothing is a field
// to some readers.
func TestHidesResults(t *testing.T) {
	ids := []string{"mail.example.com"}
	for value, want := range map[string]bool{
		" x\rAuthentication-Results: mail.example.com; dmarc=pass":          true,
		" x\nauthentication-results : mail.example.com; dmarc=pass":         true,
		" x\r\r\nAuthentication-Results:\r\n (c)\r\tmail.example.com; none": true,
		" mx.other.example; none\rAuthentication-Results: mail.example.com": true,
		" x\rX: y\rAuthentication-Results: mail.example.com":                true,
		" x\rAuthentication-Results: mx.other.example; none":                false,
		" x\r\n Authentication-Results: mail.example.com; dmarc=pass":       false,
		" x\r Authentication-Results: mail.example.com; dmarc=pass":         false,
		" x\rX-Authentication-Results: mail.example.com; dmarc=pass":        false,
		" Authentication-Results: mail.example.com":                         false,
		" x\r": false,
		"":     false,
	} {
		if got := HidesResults(header.Field{Name: "Subject", Value: value}, ids); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// FuzzClaimsID: whatever stands round our id in the way of comments and white
// space, the claim is seen.
func FuzzClaimsID(f *testing.F) {
	for _, s := range []string{"", " (c)", "\r\n\t", " \x00", `(\()`, "(a(b))", ";", "1;", "/x", "é"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		ids := []string{"mail.example.com"}
		ClaimsID(before+after, ids)
		p := idParser{s: dropControls(before)}
		if !p.skip() || p.i < len(p.s) {
			return
		}
		// A name goes on in letters of any alphabet.
		if rest := dropControls(after); rest != "" && (rest[0] >= 0x80 || rest[0] == '"' || nameByte(rest[0])) {
			return
		}
		if !ClaimsID(before+`"mail.Example.com"`+after, ids) {
			t.Errorf("%q %q", before, after)
		}
	})
}

// TestClaimsIDExamples: the fields of RFC 8601 Appendix B, each of which names
// one authserv-id and has version 1 or none.
func TestClaimsIDExamples(t *testing.T) {
	for _, tc := range []struct{ example, id, value string }{
		{"B.2", "example.org", " example.org 1; none"},
		{"B.3", "example.com", " example.com;\r\n          spf=pass smtp.mailfrom=example.net"},
		{"B.4", "example.com", " example.com;\r\n          auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n          spf=pass smtp.mailfrom=example.net"},
		{"B.4, second", "example.com", " example.com; iprev=pass\r\n          policy.iprev=192.0.2.200"},
		{"B.5", "example.com", " example.com;\r\n          dkim=pass (good signature) header.d=example.com"},
		{"B.5, second", "example.com", " example.com;\r\n          auth=pass (cram-md5) smtp.auth=sender@example.com;\r\n          spf=fail smtp.mailfrom=example.com"},
		{"B.6", "example.com", " example.com;\r\n      dkim=pass reason=\"good signature\"\r\n        header.i=@mail-router.example.net;\r\n      dkim=fail reason=\"bad signature\"\r\n        header.i=@newyork.example.com"},
		{"B.6, second", "example.net", " example.net;\r\n      dkim=pass (good signature) header.i=@newyork.example.com"},
		{"B.7", "foo.example.net", " foo.example.net (foobar) 1 (baz);\r\n   dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n     policy (A dot can go here) . (like that) expired\r\n     (this surprised me) = (as I wasn't expecting it) 1362471462"},
	} {
		for _, id := range []string{"example.org", "example.com", "example.net", "foo.example.net", "mail-router.example.net"} {
			if got := ClaimsID(tc.value, []string{id}); got != (id == tc.id) {
				t.Errorf("%s claims %s: %v", tc.example, id, got)
			}
		}
	}
}
