package keys

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParsePEM(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(rsa1024().Public())
	if err != nil {
		t.Fatal(err)
	}
	good, public := pkcs8(t, rsa1024()), block("PUBLIC KEY", spki)
	der1 := x509.MarshalPKCS1PrivateKey(rsa1024())
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der1,
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}})
	for _, tc := range []struct {
		name string
		data []byte
		want error
	}{
		{"PKCS#8 RSA", good, nil},
		{"PKCS#1 RSA", pkcs1(rsa1024()), nil},
		{"PKCS#8 Ed25519", pkcs8(t, edKey()), nil},
		{"PKCS#1 under the PKCS#8 label", block("PRIVATE KEY", der1), nil},
		{"CRLF line ends", bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), nil},
		{"byte order mark", append([]byte("\xef\xbb\xbf"), good...), nil},
		{"text above", append([]byte("key of example.com\n"), good...), nil},
		{"public key above", append(bytes.Clone(public), good...), nil},
		{"certificate below", append(bytes.Clone(good), block("CERTIFICATE", []byte("x"))...), nil},
		{"empty", nil, errNoPEM},
		{"text", []byte("hello"), errNoPEM},
		{"DER", der1, errNoPEM},
		{"cut short", good[:len(good)/2], errBrokenPEM},
		{"base64 damaged", bytes.Replace(good, []byte("M"), []byte("*"), 1), errBrokenPEM},
		{"DER damaged", block("PRIVATE KEY", der1[:200]), errBrokenKey},
		{"DER empty", block("PRIVATE KEY", nil), errBrokenKey},
		{"PKCS#8 encrypted", block("ENCRYPTED PRIVATE KEY", []byte("x")), errEncrypted},
		{"PKCS#1 encrypted", legacy, errEncrypted},
		{"public key", public, errPublic},
		{"certificate", block("CERTIFICATE", []byte("x")), errPublic},
		{"a block of another kind", block("X509 CRL", []byte("x")), errBrokenPEM},
		{"RSA public key", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsa1024().PublicKey)), errPublic},
		{"two keys", append(bytes.Clone(good), good...), errSeveral},
		{"ECDSA", pkcs8(t, ec), errOtherAlgorithm},
		{"EC label", block("EC PRIVATE KEY", []byte("x")), errOtherAlgorithm},
		{"X25519", pkcs8(t, x), errOtherAlgorithm},
		{"OpenSSH", block("OPENSSH PRIVATE KEY", []byte("x")), errOpenSSH},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := parsePEM(tc.data)
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) || (k == nil) != (err != nil) {
				t.Errorf("got %v, %v, want %v", k != nil, err, tc.want)
			}
		})
	}
}

// TestParseInconsistentRSA: a key whose parts do not belong together would make
// signatures that nobody can verify.
func TestParseInconsistentRSA(t *testing.T) {
	bad := *rsa1024()
	bad.N = rsa2048().N
	bad.Precomputed = rsa.PrecomputedValues{}
	if _, err := parsePEM(pkcs1(&bad)); !errors.Is(err, errBrokenKey) {
		t.Errorf("got %v", err)
	}
}

func FuzzParsePEM(f *testing.F) {
	f.Add(pkcs1(rsa1024()))
	f.Add(pkcs8(f, edKey()))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := parsePEM(data)
		if (k == nil) == (err == nil) {
			t.Fatalf("key %v and error %v", k != nil, err)
		}
		if k != nil {
			if _, err := newKey("example.com", "s1", "", madeAt("s1", fixedNow()), k); err != nil {
				t.Fatal(err)
			}
		}
	})
}
