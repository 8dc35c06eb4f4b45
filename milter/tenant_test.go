package milter

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
)

// TestShownDomainsDoNotSign: a sender of another domain gets no signature of
// good.example by showing it where only some readers take it for the author's.
func TestShownDomainsDoNotSign(t *testing.T) {
	l := newLab(t)
	for from, signed := range map[string]bool{
		"ceo@good.example <eve@tenant.example>":                          false,
		"ceo@good .example <eve@tenant.example>":                         false,
		"<@good.example:eve@tenant.example>":                             false,
		"=?utf-8?q?=3Cceo=40good.example=3E?= <eve@tenant.example>":      false,
		"eve@tenant.example (<ceo@good.example>)":                        false,
		"<eve@tenant.example> ceo@good.example":                          false,
		"ceo@good.example@tenant.example":                                false,
		"<ceo@good.example> <eve@tenant.example>":                        false,
		"<eve@tenant.example":                                            false,
		"<kim@good.example> eve@tenant.example":                          true,
		"'kim@good.example' <kim@good.example>":                          true,
		"Kim (Sales <kim@good.example>":                                  true,
		"=?utf-8?q?=3Ceve=40tenant.example=3E?= <kim@good.example>":      true,
		"eve@tenant.example, kim@good.example":                           true, // listed authors are, as ever
		`"kim@tenant.example via \"Good\"" <kim@good.example> (Kim (x))`: true,
	} {
		m := &message{set: l.set, dropped: map[int]bool{}, seen: map[string]int{}, class: Classified{Direction: auth.Outbound}}
		m.addField("From", " "+from, true)
		m.headersDone()
		if got := m.signing != nil && m.signing.err == nil; got != signed || got == (m.why != "") {
			t.Errorf("%s: signed %v, want %v: %s", from, got, signed, m.why)
			continue
		}
		if signed {
			if values, err := m.signing.finish(); err != nil || !strings.Contains(values[0], "d=good.example;") {
				t.Errorf("%s: %q %v", from, values, err)
			}
		}
	}
}
