package transaction

import (
	"strings"
	"testing"
)

// TestShownDomainsDoNotSign: a sender of another domain gets no signature of
// good.example by showing it where only some readers take it for the author's.
func TestShownDomainsDoNotSign(t *testing.T) {
	set := newSetup(t)
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
		m := Begin(t.Context(), set, Offer{Hints: ours})
		m.Field("From", " "+from, true)
		d := m.Finish("")
		m.Close()
		if got := len(d.Signed) > 0; got != signed || got == (d.Unsigned.Why != "") {
			t.Errorf("%s: signed %v, want %v: %+v", from, got, signed, d.Unsigned)
		}
		for _, name := range d.Signed {
			if !strings.HasSuffix(name, "._domainkey.good.example") {
				t.Errorf("%s: signed with %s", from, name)
			}
		}
	}
}
