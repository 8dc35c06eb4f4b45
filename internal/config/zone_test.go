package config

import "testing"

func TestZone(t *testing.T) {
	for name, want := range map[string]string{
		"s1._domainkey.example.com":      "example.com",
		"s1._domainkey.mail.example.com": "example.com",
		"_dmarc.example.co.uk":           "example.co.uk",
		"example.co.kr":                  "example.co.kr",
		"_dmarc.xn--bcher-kva.example":   "xn--bcher-kva.example",
		"s1._domainkey.host.dyndns.org":  "host.dyndns.org", // its users have zones of their own
		"co.uk":                          "co.uk",
		"localhost":                      "localhost",
		"":                               "",
	} {
		if got := Zone(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
