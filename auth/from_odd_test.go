package auth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

// TestParseAuthorOdd: short fields, found by a search, in each of which one line
// of the parser decides that no honest field needs. Who changes what comes out
// has to know which reader reads it so.
func TestParseAuthorOdd(t *testing.T) {
	for _, tc := range []struct{ from, mailboxes, written, shown, err string }{
		{"=??B?=??Q?=40k.e", "", "", "k.e", ""},
		{"=?7?q?@\x8d.e", "=?7?q?@\x8d.e", "", "", "invalid domain in the From field"},
		{"=??q?=40k.e_=??B? ?=22?=", "", "", "k.e", ""},
		{"<<;\u200d", "", "", "", "no address in the From field"},
		{"<<l.\x1b$B=\x1b(B", "", "", "", "invalid domain in the From field"},
		{`"@."m@`, "", "", "", "invalid domain in the From field"},
		{"@e.m", "", "", "e.m", ""},
		{"<n<.a[e", "", "", "n.a", ""},
		{"@b.a F\x81", "", "", "b.a b.af", ""},
		{"<,<@l.>e", "", "", "", "no address in the From field"},
		{"<,@k.>a", "", "", "k.a", ""},
		{"a@m=??B??=", "", "", "", "no address in the From field"},
		{"@=?utf16?B?ank?=.e l", "", "", "xn--efw.e xn--ojz.e xn--efw.el xn--ojz.el", ""},
		{`a@m"O"`, "", "", "", "no address in the From field"},
		{` ceo@bank .example"x" <eve@evil.example>`, "eve@evil.example", "evil.example", "bank.examplex bank.example", ""},
		{"@e>.e<m@", "", "", "e.e", ""},
		{"@k.<e>8@", "", "", "k.e", ""},
		{"@=?7?q??=.e", "", "", "", "invalid domain in the From field"},
		{`<<l.b"@`, "", "", "l.b", ""},
		{"((((((((a@b.example)", "", "", "", "no address in the From field"},
		{"(((((((((a@b.example)", "(((((((((a@b.example)", "", "b.example", ""},
		{"a@e(\\)", "", "", "", "no address in the From field"},
		{`"=??q??=`, "", "", "", "no address in the From field"},
		{`"@e."Q=?`, "", "", "", "no address in the From field"},
		{`@x<".c`, "", "", "", "invalid domain in the From field"},
		{"\"\x95@k..e", "\"\x95@k..e", "", "", "no address in the From field"},
		{"(<@l.)m", "", "", "l.m", ""},
		{"a@e.o=?", "a@e.o=?", "e.o", "", ""},
		{`"a "b <c@d.e>`, "c@d.e", "d.e", "", ""},
		{"=?A0?Q?", "", "", "", "no address in the From field"},
		{"=?utfa8?q?", "", "", "", "encoded word in an unknown charset"},
		{"@l.e<=?iso2022?Q?\xff", "", "", "l.e", ""},
		{"=?9?B?", "", "", "", "encoded word in an unknown charset"},
		{"=?B8?B?", "", "", "", "no address in the From field"},
		{"=?iso2022?q?=1B", "", "", "", "no address in the From field"},
		{"\x1b$aB", "", "", "", "control character in the From field"},
		{"\x1b$)", "", "", "", "control character in the From field"},
		{"=??x", "", "", "", "no address in the From field"},
		{"=??-", "", "", "", "no address in the From field"},
		{"=?utf?B?", "", "", "", "encoded word in an unknown charset"},
		{"=??q?=40k.>e=??B?", "", "", "k.e", ""},
		{"@e.c=??q?k?=e", "", "", "e.cke e.c", ""},
		{"=??q?=40=00r.e", "", "", "", "no address in the From field"},
		{"=?iso2022?B?GyRCPCtAdC5p", "", "", "", "no address in the From field"},
		{"=?iso2022?B?GyRAf7QpdC5l", "", "", "", "no address in the From field"},
		{"=??q?@\u00fc.e", "=??q?@\u00fc.e", "", "", "invalid domain in the From field"},
		{"\x1b$)Ae@B\x0f", "e@B", "b", "", ""},
		{"\x1b$)Cm@m\x0f", "m@m", "m", "", ""},
		{"\x81@\x1b$A~}", "\x81@\ufffd", "", "", "no address in the From field"},
		{"~{ \x1b(B\x81@?", "\x81@?", "", "", "no address in the From field"},
		{"\x81@\x1b$)Q\x0f", "", "", "", "no address in the From field"},
		{"\x1b$B\x1b(B\"\x1b(B@k.p", `"@k.p`, "", "k.p", ""},
		{"\x1b$)C<\x0f@e>", "", "", "", "no address in the From field"},
		{"\x1b$)C\x0e<\x0f@e", "\ufffd@e", "e", "", ""},
		{"\x1b$)C\x0e\x0f(\x0f<d@e>", "", "", "", "no address in the From field"},
		{"~{@B\x1b(B", "", "", "", "no address in the From field"},
		{"~{~}@\x1b$A", "", "", "", "no address in the From field"},
		{"~{<\x1b(B@c", "", "", "", "no address in the From field"},
		{"=?utf7?Q?+", "", "", "", "no address in the From field"},
		{"\x8d=?big5?Q?\x81@k.)A", "\x8d=?big5?Q?\x81@k.)A", "", "", "no address in the From field"},
		{"=??q?=40k.=00l", "", "", "", "no address in the From field"},
		{"=??q?=4", "", "", "", "no address in the From field"},
		{"@r.(=??q?=292)", "", "", "r.2", ""},
		{"=??Q?=40=ae.m", "", "", "", "invalid domain in the From field"},
		{"=??q?=40k.=0A", "", "", "", "no address in the From field"},
		{"=??q?=40=2b.x", "", "", "", "invalid domain in the From field"},
		{"=??B?f8\x81@YUBiLme", "=??B?f8\x81@YUBiLme", "yubilme", "", ""},
		{"=??b?b0BiYW5rLmV=a", "", "", "bank.e", ""},
		{"=??b?Y2VvQGJhbmsuZXQ=le", "", "", "", "invalid domain in the From field"},
		{"=??B?=??B?YUBiLmM", "", "", "", "no address in the From field"},
		{"=??B?=?=8?Q?", "", "", "", "encoded word in an unknown charset"},
		{"=??B?=??B?bkBpdC5l", "", "", "it.e", ""},
		{"=??B?=?8?q?", "", "", "", "encoded word in an unknown charset"},
		{"=??B?=??B?YUBiLmM=", "", "", "b.c", ""},
		{"=??Q?@t.e?==??B?", "", "", "t.e", ""},
		{"=?big5?Q?", "", "", "", "no address in the From field"},
		{"=?big5?Q?=40k.a", "", "", "k.a", ""},
		{"=?big5?Q?e.c", "", "", "", "no address in the From field"},
		{"=?big5?Q?@", "", "", "", "no address in the From field"},
		{"=?big5?Q?@a?=.m", "", "", "a.m", ""},
		{"=?big5?Q?@a.\u3002@", "", "", "", "invalid domain in the From field"},
		{"=?big5?Q?\x82=402.1", "", "", "", "no address in the From field"},
		{"<=?big5?Q?<@l.>\xff?=", "", "", "", "invalid domain in the From field"},
		{"@=?big5?Q?[IPv6", "", "", "", "domain literal in the From field"},
		{"=?utf7?Q?+AEAeit.+mpl", "", "", "xn--0jg.xn--eh6a", ""},
		{"=?utf7?Q?+?=", "", "", "", "no address in the From field"},
		{"=?utf7?Q?+Ae", "", "", "", "no address in the From field"},
		{"=?utf164?Q?=00=400b=00.pl", "", "", "", "no address in the From field"},
		{"=?utf16be?Q?=40=0000.=00?=e", "", "", "", "no address in the From field"},
		{"( ( ( ( ( ( ( (a@b.example)", "", "", "", "no address in the From field"},
		{"( ( ( ( ( ( ( ( (a@b.example)", "(a@b.example)", "", "b.example", ""},
		{"( ( ( ( ( ( ( a( @b.example)", "", "", "", "no address in the From field"},
		{"( ( ( ( ( ( ( ( a(c)@b.example", "a(c)@b.example", "", "b.example", ""},
		{"=?2?B?\x1b(B", "", "", "", "encoded word in an unknown charset"},
		{"( ( ( ( ( ( ( ( a@x.b(c).d", "", "", "", "invalid domain in the From field"},
	} {
		a := ParseAuthor(header.Fields{{Name: "From", Value: tc.from}})
		err := ""
		if a.Err != nil {
			err = a.Err.Error()
		}
		if err != tc.err || strings.Join(a.Mailboxes, "|") != tc.mailboxes || strings.Join(a.Written(), " ") != tc.written || strings.Join(a.Shown, " ") != tc.shown {
			t.Errorf("%q: %q, %q and %q, %v", tc.from, a.Mailboxes, a.Written(), a.Shown, a.Err)
		}
	}
}

func TestHasInvisible(t *testing.T) {
	for s, want := range map[string]bool{"": false, "a \t\x00\x7f": false, "\xff": false, "한\u0301": false, "\u0080": true, "\u00a0": true, "\u200b": true, "a\u2028": true} {
		if got := hasInvisible(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]charsetKind{
		"ASCII": charsetUTF8, "ascii": charsetUTF8, "HZ": charsetShifted, "hz": charsetShifted, "Z": charsetBytes, "0": charsetUnknown, "9": charsetUnknown,
		"u.t-f_8": charsetUTF8, "B8": charsetBytes, "cp437": charsetBytes, "IBM850": charsetBytes, "ibm037": charsetUnknown, "ut{f8": charsetUTF8, "ut`f8": charsetUTF8, "ut/f:8": charsetUTF8, "ut@f[8": charsetUTF8, "": charsetBytes,
		strings.Repeat("-", 38) + "hz": charsetShifted, strings.Repeat("-", 39) + "hz": charsetBytes,
	} {
		if got := kindOf(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}

func TestDesignation(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "\x1b": 0, "\x1b$": 0, "\x1b(B": 3, "\x1b(Z": 0, "\x1b$B": 3, "\x1b$C": 0, "\x1b)B": 0, "$(Bx": 0,
		"\x1b$)": 0, "\x1b$)@": 4, "\x1b$)Z": 4, "\x1b$)?": 0, "\x1b$)[": 0, "\x1b$*A": 4, "\x1b$,A": 0, "\x1b$aB": 0,
	} {
		if got := designation(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

// TestLettersOfTwoBytes: what is no ASCII is one letter, and what is stays.
func TestLettersOfTwoBytes(t *testing.T) {
	const l = letter
	for s, want := range map[string]string{
		"a<@": "a<@", "\x1b$B<@\x1b(B<@": l + "<@", "\x1b$B <@\x1b(B": " " + l, "\x1b$B<@\n<@": l + "\n<@", "\x1b$B<@\r<@": l + "\r<@", "\x1b$(D<@\x1b(B@": l + "@",
		"\x1b$)C<\x0e<@\x0f<": "<" + l + "<", "\x0e<@\x0f": "\x0e<@\x0f", "\x1b$)C\x0e<@\n<@": l + "\n<@", "~{<@~}<@": l + "<@", "~{<@\n<@": l + "\n<@",
		"\x1b$B~{\x1b(B~}": l + "~}", "\x1b$)C\x0e~{\x0f~}": l + "~}", "~{~{~}<": l + "<", "~}": "~}", "\x1b$(D<@\x0f<@": l + "\x0f" + l,
	} {
		if got := unshift(s, false); got != want {
			t.Errorf("shifted %q: %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string][2]string{
		"": {"", ""}, "a\x7f": {"a\x7f", "a\x7f"}, "\x80<": {l + "<", l + "<"}, "\x81@<": {l + "<", l + "@<"}, "<\x81": {"<" + l, "<" + l}, "\xff@": {l + "@", l + "@"},
	} {
		if pairs, high := withoutPairs(s), withoutHigh(s); pairs != want[0] || high != want[1] {
			t.Errorf("%q: %q and %q, want %q", s, pairs, high, want)
		}
	}
}

func TestUnhex(t *testing.T) {
	for s, want := range map[string]int{"/": -1, "0": 0, "9": 9, ":": -1, "@": -1, "A": 10, "F": 15, "G": -1, "`": -1, "a": 10, "f": 15, "g": -1} {
		if got := unhex(s[0]); got != want {
			t.Errorf("%s: %d", s, got)
		}
	}
}

func TestSound(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "QUJD": true, "QUI=": true, "QQ==": true, "Q===": false, "QQ=": false, "QQ": false, "QUJDR": false, "QU-D": false, "QUJDQUJDQQ==": true, "=QUJ": false,
	} {
		if got := sound(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestNotEncoded(t *testing.T) {
	for s, want := range map[string]int{"": -1, "!~a=?": -1, "a ": 1, "a\x7f": 1, "a\x80": 1, "a\\": 1, "ab(": 2} {
		if got := notEncoded(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

// TestDecodedPieces: where decoded line ends cut the text, and which "@" came out
// of an encoded word.
func TestDecodedPieces(t *testing.T) {
	for _, tc := range []struct {
		s    string
		how  decoding
		want string
	}{
		{"a@b =?x?q?ab=40=0Ac=40?= d@e", decoding{}, `{[{a@b ab@ [6]} {c@ d@e [1]}] false false}`},
		{"=?x?q?a=40=0D?==?iso-2022-jp?q?x=00y?=z", decoding{spaced: true}, `{[{ a@ x y z [2]}] true false}`},
		{"=?hz?q?x?= =?x?b?Q?=", decoding{}, `{[{x []}] true true}`},
		{"=?x?b?Q?=", decoding{strict: true}, `{[{=?x?b?Q?= []}] false true}`},
	} {
		d, err := decodeWords(tc.s, tc.how)
		if got := fmt.Sprint(d); err != nil || got != tc.want {
			t.Errorf("%q: %q, %v, want %q", tc.s, got, err, tc.want)
		}
	}
}

func TestDecodeUTF7(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a-b": "a-b", "+": "", "a+-b": "a+b", "+-": "+", "+AEA-x": "@x", "+AEA": "@", "+AEA.+AEA-": "@.@", "+AEAAQA--": "@@-", "+A": "", "+Ae": "", "+2D3eAA-": "\U0001f600", "a+.": "a.",
	} {
		if got := decodeUTF7(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestWideLetters(t *testing.T) {
	for _, tc := range []struct {
		name, s string
		little  bool
		want    string
	}{
		{"utf-16be", "\x00a\x00@", true, "a@"}, {"UTF-16LE", "a\x00@\x00", false, "a@"}, {"utf-16", "\x00a\x00@x", false, "a@"}, {"utf-16", "a\x00@\x00", true, "a@"},
		{"utf-16", "\xfe\xff\x00a", true, "a"}, {"utf-16", "\xff\xfea\x00", false, "a"}, {"utf-16le", "\xfe\xff\x00a", true, "a"}, {"utf-16be", "\xd8\x3d\xde\x00", false, "\U0001f600"},
		{"utf-32", "\x00\x00\x00a\x00\x00", false, "a"}, {"UCS-4", "a\x00\x00\x00", true, "a"}, {"utf-32", "\x00\x00\xfe\xff\x00\x00\x00a", true, "a"},
		{"utf-32be", "\x00\x10\xff\xff\xff\xff\xff\xff", false, "\U0010ffff\ufffd"}, {"ucs-2", "\x00a\x00b", false, "ab"},
	} {
		if got := decodeWide(tc.name, tc.s, tc.little); got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.name, tc.s, got, tc.want)
		}
	}
}

func TestIsPair(t *testing.T) {
	for pair, want := range map[string]bool{
		"\x80@": false, "\x81@": true, "\xfe@": true, "\xff@": false, "\x81?": false, "\x81~": true, "\x81\x7f": false, "\x81\x80": true,
		"\x8d ": false, "\x8e ": true, "\x8f ": true, "\x90 ": false, "a@": false,
	} {
		if got := isPair(pair[0], pair[1]); got != want {
			t.Errorf("%q: %v", pair, got)
		}
	}
}
