package sendmailform

import "testing"

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
	} {
		if out, ok := Form(tc.in, testHost); out != tc.out || ok != tc.ok {
			t.Errorf("%q: %q %v, want %q %v", tc.in, out, ok, tc.out, tc.ok)
		}
	}
}
