package conformance

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
)

// damage does one of the things to a message that happen on its way, and says
// which. Some leave a signature good, by one canonicalization or by both.
func (m maker) damage(g generated) (generated, string) {
	g.fields = slices.Clone(g.fields)
	f := &g.fields[m.IntN(len(g.fields))]
	switch m.IntN(18) {
	case 0:
		f.Value = m.swapOne(f.Value, " ", "  ")
		return g, "white space in a field"
	case 1:
		if folded := m.swapOne(f.Value, " ", "\r\n "); !strings.Contains(folded, "\r\n\r\n") { // that would end the header
			f.Value = folded
		}
		return g, "a field folded"
	case 2:
		f.Value = strings.ReplaceAll(f.Value, "\r\n", "")
		return g, "a field unfolded"
	case 3:
		f.Name = pick(m, strings.ToUpper(f.Name), strings.ToLower(f.Name))
		return g, "case of a name"
	case 4:
		f.Value += pick(m, " ", "\t", "  ")
		return g, "white space behind a field"
	case 5:
		f.Value = m.flip(f.Value)
		return g, "a character of a field"
	case 6:
		name := f.Name
		g.fields = slices.DeleteFunc(g.fields, func(x header.Field) bool { return x.Name == name && !x.Is("From") && !x.Is("DKIM-Signature") })
		return g, "a field deleted"
	case 7:
		g.fields = slices.Insert(g.fields, 0, header.Field{Name: pick(m, "Subject", "Cc", "X-Added", "Received", "X-Absent", "Reply-To"), Value: " added"})
		return g, "a field added on top"
	case 8:
		i, j := m.IntN(len(g.fields)), m.IntN(len(g.fields))
		if !g.fields[i].Is("DKIM-Signature") && !g.fields[j].Is("DKIM-Signature") {
			g.fields[i], g.fields[j] = g.fields[j], g.fields[i]
		}
		return g, "fields in another order"
	case 9:
		g.fields = append(g.fields, header.Field{Name: pick(m, "Subject", "X-Added", "Received", "Date"), Value: " added"})
		return g, "a field added below"
	case 10:
		g.body = m.swapOne(g.body, "\r\n", pick(m, " \r\n", "\t\r\n"))
		return g, "white space at the end of a line"
	case 11:
		g.body = m.swapOne(g.body, " ", pick(m, "  ", "\t", " \t"))
		return g, "white space in a line"
	case 12:
		if !unterminated(g) {
			g.body += strings.Repeat("\r\n", 1+m.IntN(3))
		}
		return g, "empty lines at the end"
	case 13:
		g.body += pick(m, "-- \r\n", "Sent by a list\r\n", " \r\n", "\t")
		return g, "text at the end"
	case 14:
		g.body = m.flip(g.body)
		return g, "a character of the body"
	case 15:
		g.body = m.swapOne(g.body, "\r\n", "")
		return g, "a line end lost"
	case 16:
		g.body = m.swapOne(g.body, "\r\n", "\r\n\r\n")
		return g, "an empty line"
	}
	return g, "nothing"
}

// swapOne replaces one of the places where old is.
func (m maker) swapOne(s, old, new string) string {
	n := strings.Count(s, old)
	if n == 0 {
		return s
	}
	at := 0
	for range m.IntN(n) {
		at += strings.Index(s[at:], old) + len(old)
	}
	at += strings.Index(s[at:], old)
	return s[:at] + new + s[at+len(old):]
}

// flip changes one character into another one that is no white space, no line
// end and no tag's separator.
func (m maker) flip(s string) string {
	if s == "" {
		return s
	}
	i := m.IntN(len(s))
	c := s[i] ^ 1
	if s[i] <= ' ' || c <= ' ' || s[i] == ';' || c == ';' || c == 0x7f {
		return s
	}
	return s[:i] + string([]byte{c}) + s[i+1:]
}

// TestSameVerdictOnDamaged: after what may happen to a signed message on its
// way, all engines say the same: that the signature is still good, or is not.
func TestSameVerdictOnDamaged(t *testing.T) {
	k := newKeyring(t)
	all := engines(t, k)
	good, bad := map[string]int{}, map[string]int{}
	explained := map[string]int{}
	total := messages(t)
	failures := 0
	for n := range total {
		m, g := maker{newRand(messageSeed, uint64(n)<<8|4)}, makeMessage(messageSeed, uint64(n)<<8)
		h, forms, err := signOurs(k, m, g)
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		sent, what := m.damage(generated{append(h[:1:1], g.fields...), g.body}) // the topmost signature alone
		place := slices.IndexFunc(sent.fields, func(f header.Field) bool { return f.Is("DKIM-Signature") })
		var ours dkim.Result
		for _, r := range ourVerdicts(k, m, sent.fields, sent.body) {
			if r.Index == place {
				ours = r
			}
		}
		// A signature that verifies, but leaves room for a second Subject, is not
		// accepted here (RFC 6376 §8.15); the others do not look.
		verifies := ours.Status == dkim.Pass || errors.Is(ours.Err, dkim.ErrDuplicates)
		if verifies {
			good[what]++
		} else {
			bad[what]++
		}
		raw := sent.raw()
		answers, errs := make([][]verdict, len(all)), make([]error, len(all))
		var wg sync.WaitGroup
		for e := range all {
			if slices.Contains(all[e].algorithms(), forms[0].algorithm) {
				wg.Go(func() { answers[e], errs[e] = all[e].verify(raw) })
			}
		}
		wg.Wait()
		for e := range all {
			if !slices.Contains(all[e].algorithms(), forms[0].algorithm) {
				continue
			}
			theirs := errs[e] == nil && len(answers[e]) > 0 && answers[e][0].OK
			if theirs == verifies {
				continue
			}
			// Nobody takes what we refuse; what they refuse may have a reason of theirs.
			if name := explain(all[e].name(), sent, forms[0]); name != "" && !theirs {
				explained[all[e].name()+": "+name]++
				continue
			}
			if failures++; failures <= 10 {
				t.Errorf("message %d, %s, %+v: we say %s (%v), %s %v %v\n%.3000q", n, what, forms[0], ours.Status, ours.Err, all[e].name(), answers[e], errs[e], raw)
			}
		}
	}
	if failures > 0 {
		t.Errorf("%d verdicts differ", failures)
	}
	t.Logf("%d messages; still good: %v; not: %v; explained: %v", total, good, bad, explained)
	for _, what := range []string{"white space in a field", "a field folded", "case of a name", "white space at the end of a line", "white space in a line"} {
		if good[what] == 0 || bad[what] == 0 {
			t.Errorf("%s: %d good, %d bad: want some of both", what, good[what], bad[what])
		}
	}
	if bad["nothing"] > 0 || bad["empty lines at the end"] > 0 || bad["a field added on top"] == 0 {
		t.Errorf("not good any more: %v", bad)
	}
}
