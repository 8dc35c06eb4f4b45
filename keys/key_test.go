package keys

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Keys that many tests share, since making an RSA key takes a while.
var (
	rsa2048 = sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(2048) })
	rsa1024 = sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(1024) })
	edKey   = sync.OnceValue(func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func mustRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// mersenneRSA is an RSA key from the Mersenne primes 2^p-1 and 2^q-1: of a
// size that crypto/rsa refuses to make, or that takes it too long.
func mersenneRSA(p, q uint) []byte {
	one := big.NewInt(1)
	prime := func(n uint) *big.Int { return new(big.Int).Sub(new(big.Int).Lsh(one, n), one) }
	a, b := prime(p), prime(q)
	phi := new(big.Int).Mul(new(big.Int).Sub(a, one), new(big.Int).Sub(b, one))
	return pkcs1(&rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(a, b), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), phi),
		Primes:    []*big.Int{a, b},
	})
}

func pkcs8(t testing.TB, private any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func pkcs1(k *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

// put writes dir/domain/name with mode 0600 and returns its path.
func put(t testing.TB, dir, domain, name string, data []byte) string {
	t.Helper()
	folder := filepath.Join(dir, domain)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyFolder is an empty key folder that nobody warns of.
func keyFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustKey(t testing.TB, selector string, private crypto.Signer) *Key {
	t.Helper()
	k, err := newKey("example.com", selector, "/keys/example.com/"+selector+".pem", time.Unix(0, 0), private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// secrets are pieces of a private key in every notation that a careless
// encoder might choose.
func secrets(private crypto.Signer) []string {
	var raw [][]byte
	var out []string
	switch k := private.(type) {
	case *rsa.PrivateKey:
		for _, n := range append([]*big.Int{k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv}, k.Primes...) {
			out = append(out, n.String()[:20], n.Text(16)[:16], strings.ToUpper(n.Text(16)[:16]))
			raw = append(raw, n.Bytes())
			if words := n.Bits(); len(words) > 0 {
				out = append(out, fmt.Sprint(words[0])) // a big.Int as reflection sees it
			}
		}
		raw = append(raw, x509.MarshalPKCS1PrivateKey(k)[300:])
	case ed25519.PrivateKey:
		raw = append(raw, k.Seed(), k)
	}
	for _, b := range raw {
		b = b[:12]
		out = append(out, string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), base64.StdEncoding.EncodeToString(b),
			strings.Trim(fmt.Sprint(b), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"))
	}
	return out
}

func TestKeyNeverLeaks(t *testing.T) {
	type hidden struct {
		k  Key
		p  *Key
		cs crypto.Signer
	}
	type shown struct {
		K  Key
		P  *Key
		CS crypto.Signer
	}
	for name, private := range map[string]crypto.Signer{"rsa": rsa2048(), "ed25519": edKey()} {
		t.Run(name, func(t *testing.T) {
			k := mustKey(t, "s1", private)
			values := map[string]any{
				"pointer": k, "value": *k, "signer": k.Signer(), "slice": []*Key{k}, "map": map[string]Key{"k": *k},
				"hidden": hidden{*k, k, k.Signer()}, "shown": shown{*k, k, k.Signer()}, "pointer to hidden": &hidden{*k, k, k},
				"error": &PickError{Domain: "example.com", Err: fmt.Errorf("with %v", k)},
				"store": &Store{entries: map[string]*entry{"example.com": {keys: []*Key{k}, active: []*Key{k}}}},
				"entry": entry{keys: []*Key{k}},
			}
			var outputs []string
			for vn, v := range values {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%c", "%U", "%e", "%p", "% x", "%#x"} {
					outputs = append(outputs, vn+" "+verb+" "+fmt.Sprintf(verb, v))
				}
				var text, js bytes.Buffer
				slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
				slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v)
				b, _ := json.Marshal(v)
				var g bytes.Buffer
				_ = gob.NewEncoder(&g).Encode(v)
				outputs = append(outputs, "slog text "+text.String(), "slog json "+js.String(), "json "+string(b), "gob "+g.String())
			}
			for _, out := range outputs {
				for _, s := range secrets(private) {
					if strings.Contains(out, s) {
						t.Errorf("part of the private key in: %.300q", out)
					}
				}
			}
			for _, out := range []string{fmt.Sprintf("%v", k), fmt.Sprintf("%s", *k), fmt.Sprintf("%x", k), fmt.Sprint(k.Signer()), k.String()} {
				if out != "s1._domainkey.example.com" {
					t.Errorf("prints as %q", out)
				}
			}
			if got := fmt.Sprintf("%#v", k); got != "keys.Key(s1._domainkey.example.com)" {
				t.Errorf("%%#v prints %q", got)
			}
			if b, err := json.Marshal(k); err != nil || string(b) != `"s1._domainkey.example.com"` {
				t.Errorf("JSON %s, %v", b, err)
			}
		})
	}
}

// TestSecretsAreFound makes sure that TestKeyNeverLeaks would see a leak.
func TestSecretsAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		private crypto.Signer
		leak    any
	}{
		"rsa":     {rsa2048(), rsa2048()},
		"ed25519": {edKey(), struct{ k crypto.Signer }{edKey()}},
	} {
		out := fmt.Sprintf("%v", tc.leak)
		found := false
		for _, s := range secrets(tc.private) {
			found = found || strings.Contains(out, s)
		}
		if !found {
			t.Errorf("%s: no secret recognised in %.200q", name, out)
		}
	}
}

func TestKeySigns(t *testing.T) {
	digest := sha256.Sum256([]byte("header"))
	r := mustKey(t, "r", rsa2048())
	sig, err := r.Signer().Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(r.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], sig); err != nil {
		t.Error(err)
	}
	e := mustKey(t, "e", edKey())
	sig, err = e.Signer().Sign(rand.Reader, digest[:], crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(e.Public().(ed25519.PublicKey), digest[:], sig) {
		t.Error("Ed25519 signature does not verify")
	}
	if r.Algorithm() != "rsa-sha256" || r.Bits() != 2048 || e.Algorithm() != "ed25519-sha256" || e.Bits() != 256 {
		t.Errorf("%s %d, %s %d", r.Algorithm(), r.Bits(), e.Algorithm(), e.Bits())
	}
}

func TestZeroKey(t *testing.T) {
	var k Key
	if _, err := k.Sign(nil, nil, nil); err == nil {
		t.Error("the zero Key signs")
	}
	if k.Algorithm() != "" || k.Bits() != 0 {
		t.Error("the zero Key has properties")
	}
	var s *Store
	if _, _, err := s.Pick("example.com"); err == nil || len(s.All()) != 0 || len(s.Keys("example.com")) != 0 {
		t.Error("the nil Store is not empty")
	}
}
