package doctor

import (
	"strconv"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// TestWhatPanelsDo: each thing that a DNS panel, or a hurried hand, does to a record is
// recognised by comparing with what we wanted, and said in one sentence.
func TestWhatPanelsDo(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	k := made[0]
	d := Domain{Name: "example.com", SDID: "example.com", Keys: made[:1], Helo: "mail.example.com"}
	rec := publish.Record(k)
	q := strconv.Quote
	for name, c := range map[string]struct {
		zone  string
		check string
		level Level
		text  string
	}{
		"right":                    {k.Name() + " TXT " + q(rec), "dkim", Pass, "holds the key"},
		"cut":                      {k.Name() + " TXT " + q(rec[:255]), "dkim", Fail, "it is cut off after 255 bytes"},
		"quoted":                   {k.Name() + " TXT " + q(`"`+rec+`"`), "dkim", Fail, "quotation marks are part of it"},
		"backslashes":              {k.Name() + " TXT " + q(strings.ReplaceAll(rec, ";", `\;`)), "dkim", Fail, "backslashes are part of it"},
		"doubled":                  {k.Name() + " TXT " + q(rec+" "+rec), "dkim", Fail, "the value stands in it twice"},
		"split into two":           {k.Name() + " TXT " + q(rec[:200]) + "\n" + k.Name() + " TXT " + q(rec[200:]), "dkim", Fail, "two records of one value"},
		"split into three":         {k.Name() + " TXT " + q(rec[:100]) + "\n" + k.Name() + " TXT " + q(rec[100:200]) + "\n" + k.Name() + " TXT " + q(rec[200:]), "dkim", Fail, "3 TXT records at this name"},
		"another record beside":    {k.Name() + " TXT " + q(rec) + "\n" + k.Name() + " TXT \"v=DKIM1; p=\"", "dkim", Fail, "2 TXT records at this name"},
		"at the apex":              {"example.com TXT " + q(rec), "dkim", Fail, "stands at example.com itself"},
		"without _domainkey":       {"s1.example.com TXT " + q(rec), "dkim", Fail, "._domainkey is missing"},
		"without the underscore":   {"s1.domainkey.example.com TXT " + q(rec), "dkim", Fail, "an underscore, ._domainkey"},
		"one domain too deep":      {k.Name() + ".example.com TXT " + q(rec), "dkim", Fail, "one domain too deep"},
		"nowhere":                  {"example.com TXT \"v=DKIM1; p=AAAA\"", "dkim", Fail, "is not in the DNS"},
		"spf with a comma":         {`example.com TXT "v=spf1, ip4:192.0.2.1 ~all"`, "spf", Fail, `a blank has to follow v=spf1, and not ","`},
		"spf in quotes":            {`example.com TXT "\"v=spf1 ~all\""`, "spf", Fail, "quotation marks or blanks are part of it"},
		"spf without its version":  {`example.com TXT "spf1 ip4:192.0.2.1 ~all"`, "spf", Fail, "has to begin with v=spf1"},
		"spf without all":          {`example.com TXT "v=spf1 ip4:192.0.2.1"`, "spf", Warn, "has no all at its end"},
		"spf with redirect":        {"example.com TXT \"v=spf1 redirect=a.example\"\na.example TXT \"v=spf1 -all\"", "spf", Warn, "our public addresses are not known"},
		"no spf":                   {`example.com TXT "google-site-verification=x"`, "spf", Fail, "there is no SPF record"},
		"dmarc without underscore": {`dmarc.example.com TXT "v=DMARC1; p=none"`, "dmarc", Fail, "an underscore, _dmarc"},
		"dmarc too deep":           {`_dmarc.example.com.example.com TXT "v=DMARC1; p=none"`, "dmarc", Fail, "type _dmarc alone"},
		"dmarc at the apex":        {`example.com TXT "v=DMARC1; p=none"`, "dmarc", Fail, "stands at example.com itself"},
		"rua without mailto":       {`_dmarc.example.com TXT "v=DMARC1; p=none; rua=d@example.com"`, "dmarc", Fail, "write mailto:d@example.com"},
		"no dmarc":                 {`example.com TXT "x"`, "dmarc", Warn, "there is no DMARC record"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range DNS(t.Context(), resolve.MustZone(c.zone), d) {
				if f.Check == c.check {
					if f.Level != c.level || !strings.Contains(f.Message.String(), c.text) {
						t.Errorf("%+v", f)
					}
					return
				}
			}
			t.Errorf("nothing about %s", c.check)
		})
	}
}
