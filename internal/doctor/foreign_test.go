package doctor

import (
	"context"
	"testing"

	"github.com/sealmilter/sealmilter/keys"
)

func TestForeignKey(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	z := sick(t, made, nil, `
k1._domainkey.example.com  CNAME dkim.service.example
dkim.service.example       TXT   "RSA"
k2._domainkey.example.com  CNAME gone.service.example
k3._domainkey.example.com  TXT   "v=DKIM1; p="
k4._domainkey.example.com  TXT   "v=DKIM1; p=???"
k5._domainkey.example.com  TXT   !servfail
k6._domainkey.example.com.example.com TXT "RSA"
k8._domainkey.example.com  TXT   "v=DKIM1; k=dsa; p=AAAA"
k7._domainkey.example.com  TXT   "RSA; t=y"
`)
	for selector, want := range map[string]string{
		"k1":   "",
		"k2":   "FAIL dkim k2._domainkey.example.com: there is no key",
		"k3":   "FAIL dkim k3._domainkey.example.com: revokes",
		"k4":   "FAIL dkim k4._domainkey.example.com: cannot be read",
		"k5":   "WARN dkim k5._domainkey.example.com: did not answer",
		"k6":   "FAIL dkim k6._domainkey.example.com: one domain too deep",
		"k7":   "WARN dkim k7._domainkey.example.com: t=y",
		"k8":   "FAIL dkim k8._domainkey.example.com: nobody verifies",
		"a..b": "FAIL dkim a..b._domainkey.example.com: is no name",
	} {
		compare(t, []Finding{ForeignKey(context.Background(), z, "example.com", selector)}, want)
	}
}
