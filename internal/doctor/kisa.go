package doctor

import (
	"strings"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// kisaForm is the year of the newest guides to KISA's White Domain registration that this
// was compared with: such programmes change.
const kisaForm = 2019

// kisa compares an SPF record with the form that KISA's White Domain registration makes of
// the addresses that are entered there: ip4: terms, and -all or ~all.
func kisa(d Domain, record string) []Finding {
	if !d.Korean {
		return nil
	}
	f := Finding{Level: Pass, Check: "kisa", Subject: d.Name, Message: words.Say("the SPF record has the form that KISA's White Domain registration asked for in %d: ip4: terms only", kisaForm)}
	var other, kept []string
	ours := false // a term that the egress addresses can take the place of
	for _, w := range strings.Fields(record)[1:] {
		switch l := strings.ToLower(strings.TrimPrefix(w, "+")); {
		case strings.HasPrefix(l, "ip4:"), strings.HasSuffix(l, "all") && len(l) <= 4:
			kept = append(kept, w)
		case l == "a", l == "mx":
			other, ours = append(other, w), true
		default:
			other = append(other, w)
		}
	}
	if len(other) == 0 {
		return []Finding{f}
	}
	f.Level, f.Seen, f.Who = Warn, show(record), Zone
	f.Message = words.Say("the SPF record has other terms than ip4: (%s). Where you register it as a White Domain of KISA: that asked for ip4: terms only in %d; see KISA's page before you apply",
		clip(strings.Join(other, " ")), kisaForm)
	f.Want = words.Say("an ip4: term for each address that sends, in place of them")
	if ours && len(other) == 1 && len(d.Egress) > 0 {
		out := []string{"v=spf1"}
		for _, ip := range d.Egress {
			if t := term(ip); ip.Is4() && !strings.Contains(" "+record+" ", " "+t+" ") {
				out = append(out, t)
			}
		}
		f.Paste = txt(d.Name, clip(strings.Join(append(out, kept...), " ")))
	}
	return []Finding{f}
}
