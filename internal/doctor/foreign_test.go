package doctor

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"testing"

	"github.com/sealmilter/sealmilter/keys"
)

// rsaRecord is the record of a key that somebody else holds. No program makes one as
// short as 512 bits any more: the record needs a modulus of that size only.
func rsaRecord(t *testing.T, bits uint) string {
	t.Helper()
	n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

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
k9._domainkey.example.com  TXT   "`+rsaRecord(t, 1024)+`"
ka._domainkey.example.com  TXT   "`+rsaRecord(t, 512)+`"
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
		"k9":   "WARN dkim k9._domainkey.example.com: the key has only 1024 bits",
		"ka":   "FAIL dkim ka._domainkey.example.com: an RSA key of 512 bits: too short",
		"a..b": "FAIL dkim a..b._domainkey.example.com: is no name",
	} {
		compare(t, []Finding{ForeignKey(context.Background(), z, "example.com", selector)}, want)
	}
}
