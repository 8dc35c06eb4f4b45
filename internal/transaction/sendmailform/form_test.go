package sendmailform

import (
	"strings"
	"testing"
)

const testHost = "app.good.example"

// The left side was given to Sendmail 8.17.1.9; "" on the right: it left it
// alone, up to white space. Where we write something else than Sendmail did,
// the form stays as well (test/e2e).
var forms = []struct{ in, out string }{
	{"a@x.example", ""},
	{"<a@x.example>", ""},
	{"<A@X.EXAMPLE>", ""},
	{"a@x.example, b@y.example", ""},
	{"a@x.example,   b@y.example", ""},
	{"a@x.example,\r\n b@y.example,\r\n\tc@z.example", ""},
	{"a@x.example,b@y.example", "a@x.example, b@y.example"},
	{"a@x.example , b@y.example", "a@x.example, b@y.example"},
	{"a@x.example,", "a@x.example"},
	{" , a@x.example", "a@x.example"},
	{"a@x.example,,b@y.example", "a@x.example, b@y.example"},
	{"a@x.example  ", ""},

	// Display names.
	{"Kim Dong <a@x.example>", ""},
	{"Kim  J   Dong  <a@x.example>", ""},
	{"Kim<a@x.example>", ""},
	{`"Kim"<a@x.example>`, ""},
	{`"Kim G. Dong" <a@x.example>`, ""},
	{`"A, B" <a@x.example>, "x;y" <b@y.example>`, ""},
	{`"Kim \"D\" X" <a@x.example>`, ""},
	{`Kim "G." Dong <a@x.example>`, ""},
	{"Kim G. Dong <a@x.example>", `"Kim G. Dong" <a@x.example>`},
	{"Kim O'Neil <a@x.example>", `"Kim O'Neil" <a@x.example>`},
	{"Kim [X] <a@x.example>", `"Kim [X]" <a@x.example>`},
	{"Kim @ Home <a@x.example>", `"Kim @ Home" <a@x.example>`},
	{"a@x.example <a@x.example>", `"a@x.example" <a@x.example>`},
	{"Kim ) Dong <a@x.example>", `"Kim ) Dong" <a@x.example>`},
	{`Kim \ Dong <a@x.example>`, `"Kim \\ Dong" <a@x.example>`},
	{"Kim G.<a@x.example>", `"Kim G." <a@x.example>`},
	{`"Kim" G. Dong <a@x.example>`, `"Kim" "G. Dong" <a@x.example>`},
	{"Kim (c) G. Dong <a@x.example>", `Kim (c) "G. Dong" <a@x.example>`},
	{"Kim G. Dong <a@x.example> (c.d)", `"Kim G. Dong" <a@x.example> (c.d)`},
	{"Kim\r\n G. <a@x.example>", `"Kim G." <a@x.example>`},
	{"\xed\x99\xa9 <a@x.example>", ""},
	{"\xed\x99\xa9 G. <a@x.example>", "\"\xed\x99\xa9 G.\" <a@x.example>"},
	{"=?utf-8?B?7Zmp?= <a@x.example>", ""},
	{"=?utf-8?B?7Zmp?= G. <a@x.example>", `=?utf-8?B?7Zmp?= "G." <a@x.example>`},
	{"=?utf-8?Q?G._Dong?= <a@x.example>", "=?utf-8?Q?G=2E_Dong?= <a@x.example>"},

	// Addresses.
	{"Kim < a@x.example >", "Kim <a@x.example>"},
	{"a @ x.example", "a@x.example"},
	{"a@x.example.", "a@x.example"},
	{"<@r.example:a@x.example>", "<a@x.example>"},
	{"Kim <@r.example,@s.example:a@x.example>", "Kim <a@x.example>"},
	{`"kim x"@x.example`, ""},
	{"a%b@x.example", ""},
	{"a!b@x.example", ""},
	{"a@[192.0.2.1]", ""},
	{"Kim <a@[IPv6:2001:db8::1]>", ""},
	{"a@[IPv6:2001:db8::1]", ""},
	{"<>", ""},
	{"a@localhost", "a@app.good.example"},
	{"a@localhost.good.example", "a@app.good.example"},
	{"app", "app@app.good.example"},
	{"Kim <app>", "Kim <app@app.good.example>"},
	{"(c) app (d)", "(c) app@app.good.example (d)"},
	{"root (Cron Daemon)", "root@app.good.example (Cron Daemon)"},
	{`"app x"`, `"app x"@app.good.example`},
	{"A, B <a@x.example>", "A@app.good.example, B <a@x.example>"},

	// Comments.
	{"a@x.example (c)", ""},
	{"(c) a@x.example", ""},
	{"a@x.example (c1) (c2)", ""},
	{"a@x.example (c, d; (n))", ""},
	{`a@x.example (c\) d)`, ""},
	{"<a@x.example>(c)", ""},
	{"(c)a@x.example", "(c) a@x.example"},
	{"a@x.example(c)", "a@x.example (c)"},
	{"(c) (d) a@x.example", "(c) a@x.example (d)"},
	{"a (c) @x.example", "a@x.example (c)"},

	// Groups and semicolons.
	{"undisclosed-recipients:;", ""},
	{"undisclosed-recipients: ;", ""},
	{"g:a@x.example;", ""},
	{"g: a@x.example, b@y.example;", ""},
	{`"g h": a@x.example;, b@y.example`, ""},
	{"g: a@x.example,b@y.example;", "g: a@x.example, b@y.example;"},
	{"g: Kim G. <a@x.example> ;", `g: "Kim G." <a@x.example>;`},
	{"g: app;", "g: app@app.good.example;"},
	{"g: a@x.example; h: b@y.example;", "g: a@x.example;, h: b@y.example;"},
	{"Kim: Home <a@x.example>", ""},
	{"a@x.example; b@y.example", "a@x.example, b@y.example"},
	{"a@x.example;b@y.example;", "a@x.example, b@y.example"},
	{"Kim <a@x.example>; Lee <b@y.example>", "Kim <a@x.example>, Lee <b@y.example>"},
}

// What nobody can be sure of.
var unclearForms = []string{
	"a@x.example b@y.example",
	"kim x@x.example",
	"Kim <a@x.example",
	"Kim a@x.example>",
	"Kim <<a@x.example>>",
	`"Kim <a@x.example>`,
	"(Kim <a@x.example>",
	"Kim <a@x.example> Dong",
	"Kim <a@>", "a@", "a@@x.example", "@x.example", "@r.example:a@x.example",
	"user%host", "host!user",
	"\xed\x99\xa9@x.example",
	"Kim ; Dong <a@x.example>",
	"Kim\x00 <a@x.example>",
	"g.h: a@x.example;",
	"g: h: a@x.example;",
	`"x"G. <a@x.example>`,
	"Kim <" + strings.Repeat("a", 250) + "@x.example>",
	"=?utf-8?B?7Z.p?= <a@x.example>",
	"", " , ",
}

func TestSendmailForm(t *testing.T) {
	for _, tt := range forms {
		out, ok := Form(" "+tt.in, testHost)
		want := tt.out
		if want == "" {
			want = tt.in
		}
		if !ok || out != " "+want {
			t.Errorf("%q: %q %v, want %q", tt.in, out, ok, want)
		}
	}
	for _, in := range unclearForms {
		if out, ok := Form(" "+in, testHost); ok && relaxed(out) != relaxed(in) {
			t.Errorf("%q became %q", in, out)
		}
	}
	for _, in := range []string{" Kim\x1f <a@x.example>", " Kim\x00 <a@x.example>", " a@x.example,b@y.example\x7f"} {
		if out, ok := Form(in, testHost); ok {
			t.Errorf("%q became %q", in, out)
		}
	}
	if _, ok := Form(" app", ""); ok {
		t.Error("completed without a host name")
	}
}

// 128 KiB of what invites a parser to look ahead again and again.
func TestFormIsLinear(t *testing.T) {
	for _, unit := range []string{"@[", "(", "<", "\"", "\\", "a,", "a;", ":", "=?", "(a)", "\"a\"", "<a>", "G. (c)", "\"\"G. ", "a@x.example;"} {
		in := strings.Repeat(unit, 128<<10/len(unit))
		if out, ok := Form(in, testHost); ok && len(out) > 40*len(in) {
			t.Errorf("%q: %d bytes", unit, len(out))
		}
	}
}

func TestLongListsAreFolded(t *testing.T) {
	in := strings.Repeat("someone.with.a.name@elsewhere.example,", 100) + "last@x.example"
	out, ok := Form(" "+in, testHost)
	if !ok {
		t.Fatal("not understood")
	}
	for line := range strings.SplitSeq(out, "\r\n") {
		if len(line) > 90 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if flat := strings.ReplaceAll(out, "\r\n\t", " "); flat != " "+strings.ReplaceAll(in, ",", ", ") {
		t.Errorf("%q", flat)
	}
}

// FuzzForm: the form is a fixed point, and From keeps its authors.
func FuzzForm(f *testing.F) {
	for _, tt := range forms {
		f.Add(" " + tt.in)
	}
	for _, in := range unclearForms {
		f.Add(" " + in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, ok := Form(in, testHost)
		if !ok {
			return
		}
		again, ok := Form(out, testHost)
		if !ok || again != out {
			t.Fatalf("%q -> %q -> %q %v", in, out, again, ok)
		}
		if strings.ContainsAny(strings.ReplaceAll(out, "\r\n\t", ""), "\r\n") && out != in {
			t.Fatalf("line end in %q", out)
		}
	})
}
