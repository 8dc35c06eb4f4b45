package sendmailform

import (
	"strings"
	"testing"
)

// TestFormOdd: short fields, found by a search, in each of which one line of the
// reader decides that no other test needs.
func TestFormOdd(t *testing.T) {
	for _, tc := range []struct {
		in, out string
		ok      bool
	}{
		{"\x7f:;", "", false},
		{"g: a;.example", " g: a@app.good.example;, .example@app.good.example", true},
		{"=?utf-8?B?7,p?=", " =?utf-8?B?7@app.good.example,\r\n\tp?=@app.good.example", true},
		{"ample,ay.exmple,e", " ample@app.good.example,\r\n\tay.exmple@app.good.example, e@app.good.example", true},
		{"g: a@x.example;h: b@y.exampl,a", " g: a@x.example;, h: b@y.exampl,\r\n\ta@app.good.example", true},
		{"e:]<>", " e:\"]\" <>", true},
		{"@:]<>", "", false},
		{"<@<:e>", "", false},
		{"<\"", "", false},
		{"g:-,h:", "", false},
		{"@:e", "", false},
		{"\"\"<>:e", "", false},
		{"b@x;e", "", false},
		{"g:;=", " g:;, =@app.good.example", true},
		{"g:,<>", "", false},
		{"h:e,;", " h:e@app.good.example;", true},
		{"<><>", "", false},
		{"<@>", "", false},
		{"\"\"\\\"\"<>", "", false},
		{"a()=", "", false},
		{"\"\"G", "", false},
		{"@e", "", false},
		{"e@[", "", false},
		{"a@@", "", false},
		{"<Z>", " <Z@app.good.example>", true},
		{"????.<>", " \"????.\" <>", true},
		{"=????.<>", " \"=????.\" <>", true},
	} {
		if out, ok := Form(tc.in, testHost); out != tc.out || ok != tc.ok {
			t.Errorf("%q: %q %v, want %q %v", tc.in, out, ok, tc.out, tc.ok)
		}
	}
}

func TestHostName(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a": true, "aAzZ09-_.x": true, ".a": false, "a.": false, "a..b": false, "a b": false, "a/": false, "a:": false, "a@": false, "a[": false, "a`": false, "a{": false,
		strings.Repeat("x", 255): true, strings.Repeat("x", 256): false,
	} {
		if got := hostName(s); got != want {
			t.Errorf("%.20q: %v", s, got)
		}
	}
	for w, want := range map[string]bool{"=?a?q?b?=": true, "x?a?q?b?=": false, "=?a?q?b??": false, "=?a?q?b=": false, "=?a?q?b?c?=": false} {
		if got := isEncoded(w); got != want {
			t.Errorf("%q is an encoded word: %v", w, got)
		}
	}
}

// TestLongestLiteral: a colon is part of a domain literal that is not too long.
func TestLongestLiteral(t *testing.T) {
	for n, want := range map[int]bool{60: true, 61: false} {
		in := " a@[" + strings.Repeat("1", n) + ":]"
		if out, ok := Form(in, testHost); ok != want || ok && out != in {
			t.Errorf("%d: %q %v", n, out, ok)
		}
	}
}

// TestClosing: comments end where theirs end, as deep as they may be.
func TestClosing(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("(", n) + strings.Repeat(")", n) }
	for s, want := range map[string]int{
		deep(20): 40, deep(21): -1, "(": -1, "\"a\\\"b\"c": 6, "(a\\)b)c": 6, "<a\"b>\"c>d": 8, "<a\"b>": -1, "<<a>>": -1, "<a(b)>": -1, "<a)>": -1,
	} {
		if got := closing(s, 0); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}
