package transaction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
)

// TestClaimsPointAtTheirFields: each deletion has the index that the MTA knows
// its field by, among those of exactly its name, whatever stands round it.
func TestClaimsPointAtTheirFields(t *testing.T) {
	set := newSetup(t)
	rng := rand.New(rand.NewPCG(15, 1))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	const forged = " mail.good.example; dmarc=pass"
	total := 0
	for range 200 {
		m := Begin(t.Context(), set, Offer{Hints: ours})
		var shown header.Fields
		for range 1 + rng.IntN(30) {
			f := header.Field{
				Name:  pick("Authentication-Results", "authentication-results ", "Authentication-Results\x01", "X-Quarantine", "x-quarantine", "X-Note", "x-note\t", "To"),
				Value: pick(forged, " other.example; none", " x", " x\rAuthentication-Results:"+forged, " x\r\n y", " x\rTo: z"),
			}
			shown = append(shown, f)
			m.Field(f.Name, f.Value, true)
		}
		var want []Edit
		for i, f := range shown {
			name := strings.TrimRight(f.Name, " \t")
			ours := strings.EqualFold(name, "X-Quarantine") || strings.Contains(f.Value, "\rAuthentication") ||
				auth.IsAuthResults(name) && auth.ClaimsID(f.Value, []string{"mail.good.example"})
			if ours {
				want = append(want, Edit{Op: Delete, Name: name, Index: shown[:i+1].Count(name)})
			}
		}
		if !slices.Equal(m.head.deletions(), want) {
			t.Fatalf("%q\nclaimed %v\nwant    %v", shown, m.head.claimed, want)
		}
		total += len(want)
	}
	if total < 1000 {
		t.Errorf("only %d claims", total)
	}
}

// TestClaimsAreAccounted: a name that is new and each claim of it count for the
// memory of the header, and white space behind a name is not kept with it.
func TestClaimsAreAccounted(t *testing.T) {
	h := newHead(newSetup(t).Limits, []string{"mail.good.example"}, account{memory: new(Memory), limit: 1 << 20})
	spaced := "Authentication-Results" + strings.Repeat(" ", 1000)
	for _, name := range []string{"Authentication-Results", spaced} {
		if !h.claim(header.Field{Name: name, Value: " mail.good.example; dmarc=pass"}) {
			t.Errorf("%q is not claimed", name)
		}
	}
	if want := int64(3 * (len("Authentication-Results") + fieldOverhead)); h.account.held != want {
		t.Errorf("%d bytes held for one name and two claims, want %d", h.account.held, want)
	}
	if kept := h.claimed[1].Name; kept != "Authentication-Results" || unsafe.StringData(kept) == unsafe.StringData(spaced) {
		t.Errorf("%q is kept as part of its white space", kept)
	}
}

// TestRefusedMessagesAreNotReadOn: once a message is to be refused nothing more
// of its header is looked at or kept, however long it goes on.
func TestRefusedMessagesAreNotReadOn(t *testing.T) {
	set := newSetup(t)
	set.Policy = accepting{}
	lim := set.Limits
	const forged = " mail.good.example; dmarc=pass"
	long := strings.Repeat(" x", 50_000)
	odd := func(i int) string {
		return strings.Repeat("\x01", i%200) + "Authentication-" + strings.Repeat("\x01", i/200) + "Results"
	}
	for name, tc := range map[string]struct {
		field func(i int) header.Field
		n     int // that are looked at, at most
		rule  string
		code  int
	}{
		"results in our name": {func(int) header.Field { return header.Field{Name: "Authentication-Results", Value: forged} }, lim.HeaderFields + 1, "forged-results", 550},
		"in many spellings":   {func(i int) header.Field { return header.Field{Name: odd(i), Value: forged} }, lim.HeaderFields + 1, "forged-results", 550},
		"hidden, in many names": {func(i int) header.Field {
			return header.Field{Name: fmt.Sprintf("X-%d", i), Value: " \rAuthentication-Results:" + forged}
		}, lim.HeaderFields + 1, "forged-results", 550},
		"nothing but size": {func(i int) header.Field {
			return header.Field{Name: fmt.Sprintf("X-%d", i), Value: long}
		},
			(maxBeyond+1)*lim.HeaderSize/100_000 + 2, "header-size", 552},
	} {
		t.Run(name, func(t *testing.T) {
			m := Begin(t.Context(), set, Offer{Hints: ours})
			m.Field("From", " a@good.example", true)
			refused := 0
			for i := range 20_000 {
				if refused == 0 && m.head.refused() {
					refused = i
				}
				f := tc.field(i)
				m.Field(f.Name, f.Value, true)
			}
			if refused == 0 || refused > tc.n {
				t.Errorf("refused after %d fields, want at most %d", refused, tc.n)
			}
			if len(m.head.seen) > 2*(lim.HeaderFields+1) || len(m.head.claimed) > lim.HeaderFields+1 || m.head.beyond > (maxBeyond+1)*lim.HeaderSize {
				t.Errorf("kept %d names and %d claims; looked at %d bytes beyond the limits", len(m.head.seen), len(m.head.claimed), m.head.beyond)
			}
			if d := m.Finish(""); d.Reply == nil || d.Reply.Code != tc.code || d.Verdict.Rule != tc.rule || len(d.Signed) > 0 {
				t.Errorf("%+v", d)
			}
			m.Close()
		})
	}
}
