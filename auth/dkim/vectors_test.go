package dkim

import (
	"context"
	"crypto"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

func readVector(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRFCExamples verifies the messages of RFC 6376 appendix A.2 and RFC 8463
// appendix A.3. The former was signed with folds of six spaces and one space
// after "game.", which the RFC's layout changed; testdata has what was signed.
func TestRFCExamples(t *testing.T) {
	z := resolve.MustZone(readVector(t, "rfc.zone"))
	tests := []struct {
		file string
		want []Result
	}{
		{"rfc6376-a2.eml", []Result{
			{Status: Pass, Domain: "example.com", AUID: "joe@football.example.com", Selector: "brisbane", Algorithm: "rsa-sha256", KeyBits: 1024}}},
		{"rfc8463-a3.eml", []Result{
			{Status: Pass, Domain: "football.example.com", AUID: "@football.example.com", Selector: "brisbane", Algorithm: "ed25519-sha256", KeyBits: 256},
			{Status: Pass, Domain: "football.example.com", AUID: "@football.example.com", Selector: "test", Algorithm: "rsa-sha256", KeyBits: 1024, Index: 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			h, body := message(readVector(t, tt.file))
			got := verify(t, z, h, body)
			if d := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Result{}, "Signature")); d != "" {
				t.Error(d)
			}
			for i, r := range got {
				if !strings.Contains(strings.NewReplacer("\r\n", "", " ", "").Replace(h[i].Value), "b="+r.Signature) {
					t.Errorf("signature %q is not in the field", r.Signature)
				}
			}
		})
	}
}

// TestRFC8463Signature makes the RFC's Ed25519 signature again: the algorithm
// is deterministic, and so is RSA's PKCS #1 v1.5.
func TestRFC8463Signature(t *testing.T) {
	h, body := message(readVector(t, "rfc8463-a3.eml"))
	for i, key := range []crypto.Signer{edKey(t), pemKey(t, "testdata/rfc8463-rsa.pem")} {
		s, err := parseSignature(h[i], i)
		if err != nil {
			t.Fatal(err)
		}
		upToB, _, _ := strings.Cut(h[i].Value, " b=")
		again := forge(t, h[2:], body, upToB[1:], key)
		if got, _ := parseSignature(again[0], 0); got.sigText != s.sigText {
			t.Errorf("%s: b=%s, want %s", s.algorithm, got.sigText, s.sigText)
		}
	}
}

// TestEverySplit verifies the RFC's message with its body cut at every two
// places.
func TestEverySplit(t *testing.T) {
	z := resolve.MustZone(readVector(t, "rfc.zone"))
	h, body := message(readVector(t, "rfc6376-a2.eml"))
	v := &Verifier{Resolver: z, Now: clock}
	for i := range len(body) + 1 {
		for j := i; j <= len(body); j += 7 {
			r := v.Start(context.Background(), h, nil)
			for _, p := range []string{body[:i], body[i:j], body[j:]} {
				r.Write([]byte(p))
			}
			if got := r.Finish(context.Background()); got[0].Status != Pass {
				t.Fatalf("%q|%q|%q: %v", body[:i], body[i:j], body[j:], got[0].Err)
			}
		}
	}
}
