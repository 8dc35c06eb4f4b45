package dkimsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseKeyRecord(t *testing.T) {
	rsaRec, edRec := record(t, rsaKey(t)), record(t, edKey(t))
	rsaP := rsaRec[strings.Index(rsaRec, "p=")+2:]
	pkcs1 := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&rsaKey(t).PublicKey))
	spki, err := x509.MarshalPKIXPublicKey(edKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	edSPKI := base64.StdEncoding.EncodeToString(spki)
	rsaOK := func(k *KeyRecord) bool {
		return k.Type == "rsa" && k.Bits == 1024 && rsaKey(t).PublicKey.Equal(k.Public)
	}
	long := rsaRec + "; n="
	long += strings.Repeat("x", 64<<10-len(long))
	tests := []struct {
		name, txt string
		want      func(*KeyRecord) bool
		err       string
	}{
		{"rsa", rsaRec, rsaOK, ""},
		{"ed25519", edRec, func(k *KeyRecord) bool { return k.Bits == 256 && edKey(t).Public().(ed25519.PublicKey).Equal(k.Public) }, ""},
		{"p= alone", "p=" + rsaP, rsaOK, ""},
		{"rsa as RSAPublicKey (§3.6.1)", "v=DKIM1; p=" + pkcs1, rsaOK, ""},
		{"folding white space", "v=DKIM1 ;\tk = RSA; p= " + rsaP[:20] + "\r\n " + rsaP[20:] + " ;", rsaOK, ""},
		{"padding left out", strings.TrimRight(edRec, "="), func(k *KeyRecord) bool { return k.Bits == 256 }, ""},
		{"unknown tags and g=", rsaRec + "; g=*; zz=1", rsaOK, ""},
		{"empty tags", rsaRec + ";;", rsaOK, ""},
		{"notes", rsaRec + "; n=hello  world", func(k *KeyRecord) bool { return k.Notes == "hello  world" }, ""},
		{"flags", rsaRec + "; t=Y : S:x", func(k *KeyRecord) bool { return k.Testing && k.Strict }, ""},
		{"no flags", rsaRec + "; t=", func(k *KeyRecord) bool { return !k.Testing && !k.Strict }, ""},
		{"lists", rsaRec + "; h=sha1 : Sha256; s=*", func(k *KeyRecord) bool {
			return slices.Equal(k.Hashes, []string{"sha1", "sha256"}) && slices.Equal(k.Services, []string{"*"})
		}, ""},
		{"revoked", "v=DKIM1; k=ed25519; p=", func(k *KeyRecord) bool { return k.Revoked && k.Public == nil && k.Bits == 0 }, ""},
		{"unknown type", "v=DKIM1; k=foo; p=AAAA", func(k *KeyRecord) bool { return k.Type == "foo" && k.Public == nil && !k.Revoked }, ""},
		{"empty", "", nil, "no p="},
		{"no p=", "v=DKIM1; k=rsa", nil, "no p="},
		{"v= in lower case", "v=dkim1; p=" + rsaP, nil, `v="dkim1" is not DKIM1`},
		{"v= second", "k=rsa; v=DKIM1; p=" + rsaP, nil, "v= is not the first tag"},
		{"escaped semicolons", `v=DKIM1\; k=rsa\; p=` + rsaP, nil, `is not DKIM1`},
		{"duplicate", rsaRec + "; p=", nil, "tag occurs twice: p="},
		{"not base64", "v=DKIM1; p=*", nil, "p= is not base64"},
		{"not a key", "v=DKIM1; p=AAAA", nil, "p= is no rsa public key"},
		{"ed25519 with ASN.1", "v=DKIM1; k=ed25519; p=" + edSPKI, nil, "p= has 44 bytes, an ed25519 key has 32 (no ASN.1)"},
		{"ed25519 as rsa", "v=DKIM1; k=rsa; p=" + edSPKI, nil, "p= is no rsa public key"},
		{"another record", "google-site-verification=abc", nil, `tag name "google-site-verifica..."`},
		{"the longest", long, rsaOK, ""},
		{"too long", long + "x", nil, "longer than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := ParseKeyRecord(tt.txt)
			switch {
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err == "" && !tt.want(k):
				t.Errorf("%+v", k)
			case tt.err != "" && (!errors.Is(err, ErrKeySyntax) || !strings.Contains(err.Error(), tt.err) || k != nil):
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}

// TestVerify: nothing but the right key's signature over the hash passes, and a
// key of no type that we know, or of a wrong length, verifies nothing.
func TestVerify(t *testing.T) {
	hash := make([]byte, 32)
	ed := edKey(t)
	edSig := ed25519.Sign(ed, hash)
	rsaSig, err := rsaKey(t).Sign(nil, hash, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	other := append([]byte{1}, hash[1:]...)
	for name, tc := range map[string]struct {
		key       crypto.PublicKey
		hash, sig []byte
		want      bool
	}{
		"ed25519":                {ed.Public(), hash, edSig, true},
		"ed25519, another hash":  {ed.Public(), other, edSig, false},
		"ed25519, rsa signature": {ed.Public(), hash, rsaSig, false},
		"ed25519, key cut":       {ed.Public().(ed25519.PublicKey)[:31], hash, edSig, false},
		"rsa":                    {rsaKey(t).Public(), hash, rsaSig, true},
		"rsa, another hash":      {rsaKey(t).Public(), other, rsaSig, false},
		"rsa, ed25519 signature": {rsaKey(t).Public(), hash, edSig, false},
		"no key":                 {nil, hash, rsaSig, false},
		"key of another type":    {[]byte("key"), hash, rsaSig, false},
	} {
		if got := Verify(&KeyRecord{Public: tc.key}, tc.hash, tc.sig); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzParseKeyRecord(f *testing.F) {
	f.Add(record(f, rsaKey(f)))
	f.Add(record(f, edKey(f)) + "; t=y:s; h=sha256; s=email; n=x")
	f.Add("v=DKIM1; k=foo; p=")
	f.Fuzz(func(t *testing.T, txt string) {
		k, err := ParseKeyRecord(txt)
		if (k == nil) == (err == nil) {
			t.Fatalf("%v %v", k, err)
		}
		if err != nil {
			return
		}
		if err := Suits(k, "rsa", "rsa-sha256"); err == nil {
			if _, ok := k.Public.(*rsa.PublicKey); !ok || k.Bits < MinRSABits || k.Bits > MaxRSABits {
				t.Errorf("%+v suits", k)
			}
		}
		Verify(k, make([]byte, 32), make([]byte, 128))
	})
}

// rsaKey is the 1024-bit key of RFC 6376 appendix C.
func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile("../../dkim/testdata/rfc6376-c.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// edKey is the key of RFC 8463 appendix A.1.
func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	seed, err := base64.StdEncoding.DecodeString("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// record is the key record to publish for a key.
func record(t testing.TB, key crypto.Signer) string {
	t.Helper()
	if pub, ok := key.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}
