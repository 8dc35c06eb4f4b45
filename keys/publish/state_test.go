package publish

import (
	"testing"

	"github.com/sealmilter/sealmilter/keys"
)

func TestCompare(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	all := Publication{Domain: "example.com", Keys: made, Egress: addrs("192.0.2.1")}.Records()
	dkim, spf, dmarc := all[0], all[len(all)-2], all[len(all)-1]
	relay := Publication{Domain: "example.com", Relay: "r.example"}.spf()
	helo, _ := Publication{Domain: "example.com", Helo: "mail.example.com", Egress: addrs("192.0.2.1")}.helo()
	alias := Entry{Type: TypeCNAME, Value: "s1.customer.example.dkim.hoster.example"}
	for name, c := range map[string]struct {
		of      TXT
		records []string
		want    State
	}{
		"no key":                   {dkim, nil, Missing},
		"the key":                  {dkim, []string{dkim.Value}, Published},
		"another key":              {dkim, []string{all[1].Value}, Differs},
		"the key, twice":           {dkim, []string{dkim.Value, dkim.Value}, Differs},
		"no spf, but others":       {spf, []string{"google-site-verification=x"}, Missing},
		"spf as proposed":          {spf, []string{"x", spf.Value}, Published},
		"spf that says more":       {spf, []string{"v=spf1 include:a.example IP4:192.0.2.1 -all"}, Published},
		"spf without the address":  {spf, []string{"v=spf1 mx -all"}, Differs},
		"two spf":                  {spf, []string{spf.Value, spf.Value}, Differs},
		"spf for a relay, and one": {relay, []string{"v=spf1 include:r.example ~all"}, Published},
		"spf for a relay":          {relay, nil, Missing},
		"helo as proposed":         {helo, []string{helo.Value}, Published},
		"helo as the rfc has it":   {helo, []string{"v=spf1 A -all"}, Published},
		"helo, softer":             {helo, []string{"v=spf1 ip4:192.0.2.1 ~all"}, Published},
		"helo of another":          {helo, []string{"v=spf1 ip4:192.0.2.7 -all"}, Differs},
		"a is not an address":      {spf, []string{"v=spf1 a -all"}, Differs},
		"no alias":                 {alias, nil, Missing},
		"alias":                    {alias, []string{"S1.customer.example.dkim.hoster.example."}, Published},
		"alias to another":         {alias, []string{"s1.customer.dkim.hoster.example"}, Differs},
		"no dmarc":                 {dmarc, nil, Missing},
		"dmarc of their own":       {dmarc, []string{"v=DMARC1; p=reject"}, Published},
		"two dmarc":                {dmarc, []string{"v=DMARC1; p=reject", "v=DMARC1; p=none"}, Differs},
	} {
		if got := c.of.Compare(c.records); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
