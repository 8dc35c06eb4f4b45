package milter

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/keys"
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
		out, ok := sendmailForm(" "+tt.in, testHost)
		want := tt.out
		if want == "" {
			want = tt.in
		}
		if !ok || out != " "+want {
			t.Errorf("%q: %q %v, want %q", tt.in, out, ok, want)
		}
	}
	for _, in := range unclearForms {
		if out, ok := sendmailForm(" "+in, testHost); ok && relaxed(out) != relaxed(in) {
			t.Errorf("%q became %q", in, out)
		}
	}
	if _, ok := sendmailForm(" app", ""); ok {
		t.Error("completed without a host name")
	}
}

// 128 KiB of what invites a parser to look ahead again and again.
func TestFormIsLinear(t *testing.T) {
	for _, unit := range []string{"@[", "(", "<", "\"", "\\", "a,", "a;", ":", "=?", "(a)", "\"a\"", "<a>", "G. (c)", "\"\"G. ", "a@x.example;"} {
		in := strings.Repeat(unit, 128<<10/len(unit))
		if out, ok := sendmailForm(in, testHost); ok && len(out) > 40*len(in) {
			t.Errorf("%q: %d bytes", unit, len(out))
		}
	}
}

func TestLongListsAreFolded(t *testing.T) {
	in := strings.Repeat("someone.with.a.name@elsewhere.example,", 100) + "last@x.example"
	out, ok := sendmailForm(" "+in, testHost)
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

// FuzzSendmailForm: the form is a fixed point, and From keeps its authors.
func FuzzSendmailForm(f *testing.F) {
	for _, tt := range forms {
		f.Add(" " + tt.in)
	}
	for _, in := range unclearForms {
		f.Add(" " + in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, ok := sendmailForm(in, testHost)
		if !ok {
			return
		}
		again, ok := sendmailForm(out, testHost)
		if !ok || again != out {
			t.Fatalf("%q -> %q -> %q %v", in, out, again, ok)
		}
		if strings.ContainsAny(strings.ReplaceAll(out, "\r\n\t", ""), "\r\n") && out != in {
			t.Fatalf("line end in %q", out)
		}
	})
}

func TestRewriteAddresses(t *testing.T) {
	fields := header.Fields{
		{Name: "To", Value: " a@x.example"},
		{Name: "to ", Value: " a@x.example,b@y.example"},
		{Name: "From", Value: " app"},
		{Name: "Subject", Value: " a,b"},
		{Name: "Cc", Value: " c@x.example,d@x.example"},
		{Name: "Reply-To", Value: " kim x@x.example"},
		{Name: "TO", Value: " (c)c@z.example"},
	}
	before := slices.Clone(fields)
	got, edits, unclear := rewriteAddresses(fields, []string{"From", "To", "Reply-To", "Subject"}, testHost)
	if !slices.Equal(fields, before) {
		t.Error("the fields given were changed")
	}
	want := []Edit{
		{Change, 2, "to", " a@x.example, b@y.example"},
		{Change, 1, "From", " app@app.good.example"},
		{Change, 3, "TO", " (c) c@z.example"},
	}
	if !slices.Equal(edits, want) {
		t.Errorf("%+v", edits)
	}
	for i, f := range fields {
		switch {
		case i == 1 || i == 2 || i == 6:
			if got[i].Name != f.Name || got[i].Value == f.Value {
				t.Errorf("%+v", got[i])
			}
		case got[i] != f:
			t.Errorf("%+v was changed to %+v", f, got[i])
		}
	}
	if !slices.Equal(unclear, []string{"Reply-To"}) {
		t.Errorf("unclear: %q", unclear)
	}
}

// Changes come before deletions, so that every index is the one that the MTA
// showed, whether it renumbers (Postfix) or not (Sendmail).
func TestChangesComeFirst(t *testing.T) {
	got := order([]Edit{{Op: Insert, Name: "DKIM-Signature"}, {Op: Delete, Index: 1, Name: "X"}, {Op: Quarantine}, {Op: Delete, Index: 2, Name: "X"}, {Op: Change, Index: 3, Name: "X"}})
	var ops []string
	for _, e := range got {
		ops = append(ops, string(e.Op))
	}
	if s := strings.Join(ops, " "); s != "change delete delete insert quarantine" || got[1].Index != 2 {
		t.Error(s)
	}
}

// A From in which a receiver finds other authors is left alone.
func TestSameAuthors(t *testing.T) {
	for _, tt := range []struct {
		before, after string
		want          bool
	}{
		{" a@x.example", " <a@x.example>", true},
		{" app", " app@app.good.example", true},
		{" a@localhost", " a@app.good.example", true},
		{" a@x.example", " a@y.example", false},
		{" a@x.example", " a@x.example, b@y..example", false},
	} {
		if got := sameAuthors(tt.before, tt.after); got != tt.want {
			t.Errorf("%q -> %q: %v", tt.before, tt.after, got)
		}
	}
}

// The whole way: changed, signed in that form, completed before the key is
// chosen; nothing of it for Postfix, for inbound mail, and for mail that is not
// signed.
func TestSendmailGetsItsForm(t *testing.T) {
	on := func(mta string) func(*Setup, *ServerConfig) {
		return func(s *Setup, _ *ServerConfig) { s.MTA = mta }
	}
	m := mailFrom("app@good.example")
	m.Raw = "From: Kim G. <app@good.example>\nTo: a@x.example,b@y.example\nAuthentication-Results: mail.good.example; dkim=pass\nCc: a,b\nSubject: s\n\ntext\n"

	l := newLab(t, on("sendmail"))
	a := l.one(submission(), m)
	for _, want := range []string{"\r\nFrom: \"Kim G.\" <app@good.example>\r\nTo: a@x.example, b@y.example\r\nCc: a,b\r\nSubject: s\r\n", "d=good.example;"} {
		if !strings.Contains(a.Raw, want) {
			t.Errorf("no %q in\n%s", want, a.Raw)
		}
	}
	in := mailFrom("app@good.example")
	in.Raw = a.Raw
	if b := l.one(outside(), in); strings.Count(top(b.Raw), "dkim=pass") != 2 {
		t.Errorf("the changed form is not the signed one:\n%s", b.Raw)
	}

	bare := m
	bare.Raw = "From: app\nTo: a@x.example\nReply-To: x y@z.example\n\ntext\n"
	if a := l.one(submission(), bare); strings.Contains(a.Raw, "DKIM-Signature") {
		t.Error("mail.example.com, the j of this client, is not ours") // completed and not listed: unsigned and unchanged
	} else if a.Edits != 0 {
		t.Errorf("%d edits to a message that is not signed", a.Edits)
	}

	for name, l := range map[string]*lab{"postfix": newLab(t, on("postfix")), "auto": newLab(t, on("auto"))} {
		if a := l.one(submission(), m); !strings.Contains(a.Raw, "\r\nFrom: Kim G. <app@good.example>\r\nTo: a@x.example,b@y.example\r\n") {
			t.Errorf("%s: changed\n%s", name, a.Raw)
		}
	}
	inbound := m
	inbound.MailFrom = "a@sender.example"
	inbound.Raw = strings.ReplaceAll(m.Raw, "good.example>", "sender.example>")
	if a := l.one(outside(), inbound); !strings.Contains(a.Raw, "\r\nFrom: Kim G. <app@sender.example>\r\nTo: a@x.example,b@y.example\r\n") {
		t.Errorf("inbound mail was changed\n%s", a.Raw)
	}
}

// A bare From is completed with the MTA's own name before the key is chosen.
func TestBareFromIsCompleted(t *testing.T) {
	l := newLab(t, func(s *Setup, _ *ServerConfig) { s.MTA = "sendmail" })
	m := &message{set: l.set, sendmail: true, mtaName: "host.good.example", dropped: map[int]bool{}, seen: map[string]int{}, class: Classified{Direction: auth.Outbound}}
	m.addField("From", " app", true)
	m.addField("Reply-To", " x y@z.example", true)
	m.headersDone()
	if m.signing == nil || m.signing.err != nil || len(m.changes) != 1 || m.changes[0].Value != " app@host.good.example" {
		t.Fatalf("%+v: %s", m.changes, m.why)
	}
	values, err := m.signing.finish()
	if err != nil || !strings.Contains(values[0], "d=good.example") || strings.Contains(strings.ToLower(values[0]), "reply-to") {
		t.Errorf("%q %v", values, err)
	}
}

// What Sendmail adds, removes or rewrites is in no signature of ours.
func TestNeverSignedOnSendmail(t *testing.T) {
	m := &message{set: &Setup{Sign: Sign{Headers: []string{"From", "To", "Bcc", "Return-Path", "Content-Length", "Full-Name", "received", "Authentication-Results"}, Oversign: []string{"From", "To", "Date", "Received"}, HeaderCanon: dkim.Simple}}, sendmail: true}
	s := m.signer(&keys.Key{}, "good.example")
	if !slices.Equal(s.Headers, []string{"From", "To"}) || !slices.Equal(s.Oversign, []string{"From"}) || s.HeaderCanon != dkim.Relaxed {
		t.Errorf("%+v", s)
	}
}

func TestUnclearFromIsSignedAndLogged(t *testing.T) {
	l := newLab(t, func(s *Setup, _ *ServerConfig) { s.MTA = "sendmail" })
	m := mailFrom("alice@good.example")
	m.Raw = "From: \"Alice\"G. <alice@good.example>\nSubject: s\n\ntext\n"
	a := l.one(submission(), m)
	if !strings.Contains(a.Raw, "\r\nFrom: \"Alice\"G. <alice@good.example>\r\n") || strings.Count(a.Raw, "DKIM-Signature") != 2 {
		t.Errorf("%s", a.Raw)
	}
	if !strings.Contains(l.log.String(), "signature at risk") {
		t.Errorf("%s", l.log)
	}
}

func TestSignaturesAtRiskAreLogged(t *testing.T) {
	for _, tt := range []struct{ mta, body, want string }{
		{"sendmail", strings.Repeat("x", 991), "a body line of 991 bytes"},
		{"postfix", strings.Repeat("x", 999), "a body line of 999 bytes"},
		{"postfix", "caf\xe9", "8-bit body"},
		{"sendmail", strings.Repeat("x", 990), ""},
		{"postfix", strings.Repeat("x", 998), ""},
	} {
		l := newLab(t, func(s *Setup, _ *ServerConfig) { s.MTA = tt.mta })
		m := mailFrom("alice@good.example")
		m.Raw += tt.body + "\n" + tt.body + "\n"
		l.one(submission(), m)
		log := l.log.String()
		if n := strings.Count(log, "signature at risk"); tt.want == "" && n != 0 || tt.want != "" && (n != 1 || !strings.Contains(log, tt.want)) {
			t.Errorf("%s: want %q\n%s", tt.mta, tt.want, log)
		}
	}
}
