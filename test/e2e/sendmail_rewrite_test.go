//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What Sendmail does to an address field after the milters. The table says it of Sendmail itself; the tests below show
// that our signatures live with it.
const (
	kept    = "kept"      // up to white space, which relaxed canonicalisation does not see
	changed = "rewritten" // breaks the signature of a milter that signs what it was shown
)

var addressRows = []struct{ in, sendmail string }{
	{"a@x.example,b@y.example", changed},
	{"a@x.example , b@y.example", changed},
	{"a@x.example,   b@y.example", kept},
	{"a@x.example,\r\n b@y.example,\r\n\tc@z.example", kept},
	{strings.Repeat("someone.with.a.long.name@elsewhere.example, ", 40) + "last@x.example", kept},
	{strings.Repeat("someone.with.a.long.name@elsewhere.example,", 40) + "last@x.example", changed},
	{"Kim G. Dong <a@x.example>", changed},
	{"Kim O'Neil <a@x.example>", changed},
	{"Kim [X] <a@x.example>", changed},
	{"Kim @ Home <a@x.example>", changed},
	{"a@x.example <a@x.example>", changed},
	{`Kim \ Dong <a@x.example>`, changed},
	{`"Kim" G. Dong <a@x.example>`, changed},
	{"Kim (c) G. Dong <a@x.example>", changed},
	{"(c) Kim G. Dong <a@x.example>", changed},
	{"Kim G. Dong (c) <a@x.example>", changed},
	{"Kim G.<a@x.example>", changed},
	{"Kim < a@x.example >", changed},
	{"(c)a@x.example", changed},
	{"(c) (d) a@x.example", changed},
	{"a@x.example(c)", changed},
	{"a (c) @x.example", changed},
	{"a@x.example,", changed},
	{",a@x.example", changed},
	{"a@x.example,,b@y.example", changed},
	{"a@x.example; b@y.example", changed},
	{"a@x.example;b@y.example;", changed},
	{"Kim <a@x.example>; Lee <b@y.example>", changed},
	{"<@r.example:a@x.example>", changed},
	{"Kim <@r.example,@s.example:a@x.example>", changed},
	{"g: a@x.example,b@y.example;", changed},
	{"g: a@x.example, b@y.example;", kept},
	{"g:a@x.example;", kept},
	{"g: Kim G. <a@x.example>, b@y.example;", changed},
	{"g: a@x.example; h: b@y.example;", changed},
	{"undisclosed-recipients:;", kept},
	{"app", changed},
	{"Kim <app>", changed},
	{"g: app;", changed},
	{"root (Cron Daemon)", changed},
	{`"app x"`, changed},
	{"A, B <a@x.example>", changed},
	{"a@localhost", changed},
	{"a@localhost.good.example", changed},
	{"a @ x.example", changed},
	{"a@x.example.", changed},
	{"=?utf-8?Q?G._Dong?= <a@x.example>", changed},
	{"=?utf-8?B?7Zmp?= G. <a@x.example>", changed},
	{"=?utf-8?B?7Zmp?= <a@x.example>", kept},
	{"\xed\x99\xa9 <a@x.example>", kept},
	{"\xed\x99\xa9 G. <a@x.example>", changed},
	{`"Kim"<a@x.example>`, kept},
	{`"A,B"<a@x.example>`, kept},
	{`"Kim \"D\" X" <a@x.example>`, kept},
	{"a@x.example (c)", kept},
	{"Kim: Home <a@x.example>", kept},
	{"KIM@X.EXAMPLE", kept},
	{"a@x.example  ", kept},
	{"a@[192.0.2.1]", kept},
	{"<>", kept},
}

// Rows that nobody can foresee. We leave such a field out of the signature.
var unclearRows = []string{
	"a@x.example b@y.example",
	"kim x@x.example",
	"Kim <a@x.example",
	`"Kim <a@x.example>`,
	"(Kim <a@x.example>",
	"Kim <<a@x.example>>",
	"user%host",
	"Kim <" + strings.Repeat("a", 250) + "@x.example>",
	"Kim ; Dong <a@x.example>",
	"a@",
}

func relaxedValue(v string) string { return strings.Join(strings.Fields(v), " ") }

// fieldsMessage is a message with exactly these fields.
func fieldsMessage(fields ...string) []byte {
	return []byte(strings.Join(fields, "\r\n") + "\r\n\r\ntext\r\n")
}

// sendAll sends each message from a machine of ours and returns them as they came out.
func (s *sendmailLab) sendAll(t *testing.T, msgs [][]byte) [][]byte {
	t.Helper()
	c := s.dial(t, printer)
	var rcpts []string
	for _, m := range msgs {
		to := remote("row")
		c.mustSend(t, "<kim@good.example>", to, m)
		rcpts = append(rcpts, to)
	}
	var out [][]byte
	for _, to := range rcpts {
		out = append(out, s.sink.wait(t, to))
	}
	return out
}

// TestSendmailItself: Sendmail rewrites what the table says, in mail that we leave alone because it is not ours to sign.
func TestSendmailItself(t *testing.T) {
	l := need(t)
	var msgs [][]byte
	for _, row := range addressRows {
		msgs = append(msgs, fieldsMessage("From: kim@elsewhere.example", "Reply-To: "+row.in))
	}
	for i, msg := range l.sm.sendAll(t, msgs) {
		row := addressRows[i]
		got := kept
		if v := named(msg, "Reply-To"); len(v) != 1 || relaxedValue(v[0]) != relaxedValue(row.in) {
			got = changed
		}
		if got != row.sendmail {
			t.Errorf("%q: %s, the table says %s\n%s", row.in, got, row.sendmail, header(msg))
		}
		wantUnsigned(t, msg)
	}
}

// TestSendmailRewriting: every row of the table, in every address field that we sign, verifies after Sendmail.
func TestSendmailRewriting(t *testing.T) {
	l := need(t)
	var msgs [][]byte
	for _, row := range addressRows {
		msgs = append(msgs, fieldsMessage("From: kim@good.example", "Sender: "+row.in, "To: "+row.in, "Reply-To: "+row.in, "Cc: "+row.in,
			"Authentication-Results: mx.good.example; dkim=pass", "Subject: row"))
	}
	out := l.sm.sendAll(t, msgs)
	for i, sigs := range pythonVerify(t, l, out...) {
		if len(sigs) != 2 || !sigs[0].OK || !sigs[1].OK {
			t.Errorf("%q: %+v\n%s", addressRows[i].in, sigs, header(out[i]))
			continue
		}
		if h := named(out[i], "DKIM-Signature")[0]; !strings.Contains(h, ":Reply-To:") || !strings.Contains(h, ":To:") || !strings.Contains(h, ":Cc") {
			t.Errorf("%q: not all address fields are signed: %s", addressRows[i].in, h)
		}
		if named(out[i], "Authentication-Results") != nil {
			t.Errorf("%q: forged results stay", addressRows[i].in)
		}
	}
	for _, i := range []int{0, 6, 12, 13, 18, 25, 29} { // another opinion on some
		if err := opendkimVerify(l, out[i]); err != nil {
			t.Errorf("%q: %v", addressRows[i].in, err)
		}
	}
}

// TestSendmailUnclearFields: a field that cannot be foreseen costs its own place in the signature, not the signature.
func TestSendmailUnclearFields(t *testing.T) {
	l := need(t)
	var msgs [][]byte
	for _, in := range unclearRows {
		msgs = append(msgs, fieldsMessage("From: kim@good.example", "To: a@x.example,b@x.example", "Reply-To: "+in, "Subject: row"))
	}
	out := l.sm.sendAll(t, msgs)
	wantSigned(t, l, "good.example", out...)
	for i, msg := range out {
		h := named(msg, "DKIM-Signature")[0]
		h = h[strings.Index(h, "h="):strings.Index(h, "bh=")]
		if strings.Contains(h, "Reply-To") || !strings.Contains(h, ":To") {
			t.Errorf("%q: %s", unclearRows[i], h)
		}
	}
}

// TestSendmailFrom: the same for From, whose domain chooses the key. A bare From is completed with the host's name first.
func TestSendmailFrom(t *testing.T) {
	l := need(t)
	rows := []struct{ in, domain string }{
		{"Kim G. Dong <kim@good.example>", "good.example"},
		{"Kim < kim@lax.example >", "lax.example"},
		{"(c)kim@good.example", "good.example"},
		{"kim@good.example,", "good.example"},
		{"kim@good.example,lee@good.example", "good.example"},
		{"Kim <@lax.example:kim@good.example>", "good.example"},
		{"\"Kim\"<kim@good.example>", "good.example"},
		{"=?utf-8?Q?G._Dong?= <kim@good.example>", "good.example"},
		{"\xed\x99\xa9 G. <kim@good.example>", "good.example"},
		{"kim@localhost", "good.example"},
		{"app", "good.example"},
		{"Kim G. <app>", "good.example"},
		{"root (Cron Daemon)", "good.example"},
	}
	var msgs [][]byte
	for _, row := range rows {
		msgs = append(msgs, fieldsMessage("From: "+row.in, "To: a@x.example", "Subject: row"))
	}
	out := l.sm.sendAll(t, msgs)
	for i, sigs := range pythonVerify(t, l, out...) {
		if len(sigs) != 2 || !sigs[0].OK || !sigs[1].OK || sigs[0].D != rows[i].domain {
			t.Errorf("%q: %+v\n%s", rows[i].in, sigs, header(out[i]))
		}
	}
	if v := named(out[10], "From"); !slices.Equal(v, []string{"app@app.good.example"}) {
		t.Errorf("bare From: %q", v)
	}
}

// TestSendmailAddsAndRemoves: what Sendmail adds, removes or replaces after us is not in the signature, present or not.
func TestSendmailAddsAndRemoves(t *testing.T) {
	l := need(t)
	rows := map[string][]string{
		"nothing but From":         {},
		"no Date, no Message-ID":   {"To: a@x.example", "Subject: s"},
		"Bcc":                      {"To: a@x.example", "Bcc: b@x.example"},
		"Content-Length":           {"To: a@x.example", "Content-Length: 6"},
		"Full-Name":                {"To: a@x.example", "Full-Name: Kim"},
		"Return-Path":              {"Return-Path: <x@x.example>", "To: a@x.example"},
		"Resent-To alone":          {"Resent-To: b@x.example", "To: a@x.example"},
		"Resent":                   {"Resent-From: Kim G. <kim@good.example>", "Resent-To: b@x.example,c@x.example", "To: a@x.example"},
		"Errors-To, Apparently":    {"Errors-To: a@x.example,b@x.example", "Apparently-To: c@x.example,d@x.example"},
		"receipt":                  {"Disposition-Notification-To: Kim G. <kim@good.example>", "Return-Receipt-To: kim@good.example"},
		"X-Authentication-Warning": {"X-Authentication-Warning: app.good.example: www-data set sender", "To: a@x.example"},
	}
	rows["repeated fields"] = []string{"To: a@x.example,b@x.example", "to: c@x.example", "Authentication-Results: mx.good.example; dkim=pass",
		"TO: (c)d@x.example", "Cc: x@x.example", "Cc: y@x.example,z@x.example"}
	for name, more := range shapes {
		rows["shape: "+name] = strings.Split(strings.TrimSuffix(more, "\r\n"), "\r\n")
	}
	var names []string
	var msgs [][]byte
	for name, fields := range rows {
		names = append(names, name)
		msgs = append(msgs, fieldsMessage(append([]string{"From: kim@good.example"}, fields...)...))
	}
	out := l.sm.sendAll(t, msgs)
	for i, sigs := range pythonVerify(t, l, out...) {
		if len(sigs) != 2 || !sigs[0].OK || !sigs[1].OK {
			t.Errorf("%s: %+v\n%s", names[i], sigs, header(out[i]))
		}
	}
}

// TestSendmailLeavesTheRest: on Sendmail: of a message that we sign, only address fields that Sendmail would change
// are changed by us; inbound mail never is. Sendmail's log names every change.
func TestSendmailLeavesTheRest(t *testing.T) {
	l := need(t)
	since := l.sm.logged()
	to := remote("rest")
	l.sm.dial(t, printer).mustSend(t, "<kim@good.example>", to, fieldsMessage("From: Kim G. <kim@good.example>", "To: a@x.example",
		"Subject: a,b", "X-To: a@x.example,b@x.example", "References: <a@x>\r\n\t<b@x>"))
	msg := l.sm.sink.wait(t, to)
	in := box("rest")
	sent := l.outsider.sign(t, fieldsMessage("From: \"Ann\" <ann@sender.example>", "To: a@x.example,b@x.example", "Cc: (c)c@x.example", "Subject: inbound"))
	l.sm.dial(t, sender).mustSend(t, "<ann@sender.example>", in, sent)
	wantAll(t, ownResults(t, l.sm.sink.wait(t, in)), "dkim=pass")
	var changes []string
	for line := range strings.Lines(since()) {
		// 8.15 does not name the milter.
		if _, what, ok := strings.Cut(strings.Replace(line, "Milter change:", "Milter (sealmilter) change:", 1), "Milter (sealmilter) change: header "); ok {
			changes = append(changes, what)
		}
	}
	if len(changes) != 1 || !strings.HasPrefix(changes[0], "From: ") {
		t.Errorf("changes: %q", changes)
	}
	if !bytes.Contains(msg, []byte("\r\nSubject: a,b\r\n")) || !bytes.Contains(msg, []byte("\r\nReferences: <a@x>\r\n\t<b@x>\r\n")) {
		t.Errorf("%s", header(msg))
	}
	if fmt.Sprint(named(msg, "From")) != `["Kim G." <kim@good.example>]` {
		t.Errorf("From: %q", named(msg, "From"))
	}
}
