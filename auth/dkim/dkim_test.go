package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/canon"
	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testNow is when the tests happen: 2026-01-02 03:04:05 UTC.
var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func clock() time.Time { return testNow }

// message cuts a message (LF or CRLF) into fields and body as the wire has them.
func message(text string) (header.Fields, string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	var h header.Fields
	for text != "" {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		if line == "" {
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(h) > 0 {
			h[len(h)-1].Value += "\r\n" + line
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		h = append(h, header.Field{Name: name, Value: value})
	}
	return h, text
}

// raw is the message as one piece of wire text.
func raw(h header.Fields, body string) string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.Raw())
	}
	return b.String() + "\r\n" + body
}

func verify(t testing.TB, z resolve.Resolver, h header.Fields, body string, authors ...string) []Result {
	t.Helper()
	v := &Verifier{Resolver: z, Now: clock}
	r := v.Start(context.Background(), h, authors)
	r.Write([]byte(body))
	res := r.Finish(context.Background())
	r.Cancel()
	return res
}

// sign puts the signatures of signers on top of h, the first uppermost.
func sign(t testing.TB, h header.Fields, body string, signers ...Signer) header.Fields {
	t.Helper()
	g, err := NewSigning(h, signers)
	if err != nil {
		t.Fatal(err)
	}
	g.Write([]byte(body))
	values, err := g.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var out header.Fields
	for _, v := range values {
		out = append(out, header.Field{Name: fieldName, Value: v})
	}
	return append(out, h...)
}

// rsaKey is the 1024-bit key of RFC 6376 appendix C: quick, and published.
func rsaKey(t testing.TB) *rsa.PrivateKey { return pemKey(t, "testdata/rfc6376-c.pem") }

func pemKey(t testing.TB, file string) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s: no PEM", file)
	}
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

func zone(t testing.TB, name, txt string) *resolve.Zone {
	t.Helper()
	z := &resolve.Zone{}
	if err := z.Add(name, "TXT", txt); err != nil {
		t.Fatal(err)
	}
	return z
}

// forge signs with any tags: @BH@ in the value stands for the right body hash,
// and the right b= is appended. It is how fields are made that Signer would not
// make.
func forge(t testing.TB, h header.Fields, body, value string, key crypto.Signer) header.Fields {
	t.Helper()
	value = " " + value + " b="
	s, _ := parseSignature(header.Field{Name: fieldName, Value: strings.ReplaceAll(value, "@BH@", strings.Repeat("A", 43)) + "AA"}, 0)
	b := canon.NewBody(s.bodyCanon, s.limit)
	b.Write([]byte(body))
	sum := b.Sum()
	value = strings.ReplaceAll(value, "@BH@", base64.StdEncoding.EncodeToString(sum[:]))
	field := header.Field{Name: fieldName, Value: value}
	hash := dkimsig.HeaderHash(h, dkimsig.NewIndex(h), s.names, s.headerCanon, field, -1)
	opts := crypto.SignerOpts(crypto.SHA256)
	if _, ok := key.(ed25519.PrivateKey); ok {
		opts = crypto.Hash(0)
	}
	sig, err := key.Sign(nil, hash[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	field.Value += base64.StdEncoding.EncodeToString(sig)
	return append(header.Fields{field}, h...)
}

func (p publicOnly) Public() crypto.PublicKey { return p.pub }
func (p publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}
