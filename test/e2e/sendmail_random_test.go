//go:build e2e

package e2e

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
)

var rowSeed = flag.Uint64("rows", 1, "seed of the address fields that TestSendmailCombinations makes up")

// addressParts are what TestSendmailCombinations puts together: names, comments, addresses, and what is between them.
var (
	someNames    = []string{"", "Kim", "Kim ", "Kim G. ", "O'Neil ", `"K" `, `"K.x"`, "=?utf-8?B?7Zmp?= ", "=?utf-8?Q?a.b?= ", "(c) ", "(c)", "[x] ", "\xed\x99\xa9 ", "a@b ", `\ `, "\r\n\t"}
	someSpecs    = []string{"a@x.example", "b.c@y.example", "app", "a @ x.example", "a@x.example.", `"a b"@x.example`, "a@[192.0.2.1]", "a%b@x.example", "a@localhost", "\xed@x", "a b", ""}
	someTails    = []string{"", "", "", " ", "(d)", " (d)", " (d)(e)", " x"}
	someBetweens = []string{",", ", ", " , ", ",,", ";", "; ", ":", ": ", ";,", ",\r\n "}
)

func someField(r *rand.Rand) string {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	var b strings.Builder
	for n := 1 + r.IntN(3); n > 0; n-- {
		name, spec := pick(someNames)+pick(someNames), pick(someSpecs)
		switch r.IntN(4) {
		case 0:
			b.WriteString(spec)
		case 1:
			b.WriteString(pick([]string{"(c)", "(c) ", ""}) + spec)
		default:
			b.WriteString(name + "<" + pick([]string{"", "", " ", "@r.example:"}) + spec + ">")
		}
		b.WriteString(pick(someTails))
		if n > 1 || r.IntN(5) == 0 {
			b.WriteString(pick(someBetweens))
		}
	}
	return b.String()
}

// TestSendmailCombinations: whatever stands in To, Cc, Reply-To and Sender, the signatures hold: each field is either in a
// form that Sendmail leaves alone or not signed. The fields are made up, the same ones in every run; `-rows N` makes others.
func TestSendmailCombinations(t *testing.T) {
	l := need(t)
	r := rand.New(rand.NewPCG(*rowSeed, 0))
	var rows [][]string
	var msgs [][]byte
	for range 120 {
		row := []string{someField(r), someField(r), someField(r)}
		rows = append(rows, row)
		msgs = append(msgs, fieldsMessage("From: kim@good.example", "To: "+row[0], "Cc: "+row[1], "Reply-To: "+row[2], "Subject: made up"))
	}
	out := l.sm.sendAll(t, msgs)
	signed := 0
	for i, sigs := range pythonVerify(t, l, out...) {
		if len(sigs) != 2 || !sigs[0].OK || !sigs[1].OK {
			t.Errorf("%q: %+v\n%s", rows[i], sigs, header(out[i]))
			continue
		}
		h := named(out[i], "DKIM-Signature")[0]
		h = h[strings.Index(h, "h="):strings.Index(h, "bh=")]
		for _, name := range []string{":To", ":Cc", ":Reply-To"} {
			if strings.Contains(h, name) {
				signed++
			}
		}
	}
	t.Logf("%d of %d fields are signed", signed, 3*len(rows))
	if signed < len(rows) {
		t.Error("too few fields are understood for this test to show anything")
	}
}

// TestSendmailCombinationsFrom: the same for From, which must be signed: where the signature breaks, the log has said so.
func TestSendmailCombinationsFrom(t *testing.T) {
	l := need(t)
	r := rand.New(rand.NewPCG(*rowSeed, 1))
	since := l.daemon.logged(t)
	var rows []string
	var msgs [][]byte
	for range 150 {
		row := strings.NewReplacer("x.example", "good.example", "y.example", "good.example").Replace(someField(r))
		rows = append(rows, row)
		msgs = append(msgs, fieldsMessage("From: "+row, "To: a@x.example", "Subject: made up"))
	}
	out := l.sm.sendAll(t, msgs)
	log := since()
	signed, broken := 0, 0
	for i, sigs := range pythonVerify(t, l, out...) {
		if len(sigs) == 0 {
			continue
		}
		signed++
		if sigs[0].OK && sigs[1].OK {
			continue
		}
		broken++
		_, id, _ := strings.Cut(named(out[i], "Received")[0], "SMTP id ")
		id, _, _ = strings.Cut(id, " ")
		if !strings.Contains(log, "msg=\"signature at risk\" queue_id="+id) {
			t.Errorf("%q: broken, and the log of %s does not say so: %+v\n%s", rows[i], id, sigs, header(out[i]))
		}
	}
	t.Logf("%d of %d are signed, %d of these with a warning in the log", signed, len(rows), broken)
	if signed < len(rows)/4 || broken > signed/2 {
		t.Error("too few")
	}
}
