package secondopinion

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	rsaKey = sync.OnceValue(func() crypto.Signer {
		k, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			panic(err)
		}
		return k
	})
	edKey = sync.OnceValue(func() crypto.Signer {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

const message = "From: a@example.com\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nbody\r\nof two lines\r\n"

func record(t testing.TB, k crypto.Signer) string {
	t.Helper()
	switch pub := k.Public().(type) {
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub)
	default:
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	}
}

func sign(t testing.TB, msg, domain, selector string, k crypto.Signer, change ...func(*dkim.SignOptions)) string {
	t.Helper()
	o := &dkim.SignOptions{Domain: domain, Selector: selector, Signer: k,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed}
	for _, f := range change {
		f(o)
	}
	var b bytes.Buffer
	if err := dkim.Sign(&b, strings.NewReader(msg), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zone answers with records by name; "!" stands for a temporary error.
func zone(records map[string]string) func(string) ([]string, error) {
	return func(name string) ([]string, error) {
		switch txt, ok := records[name]; {
		case !ok:
			return nil, nil
		case txt == "!":
			return nil, fmt.Errorf("wrapped: %w", context.DeadlineExceeded)
		default:
			return []string{txt}, nil
		}
	}
}

func TestVerifyMessage(t *testing.T) {
	const name = "s1._domainkey.example.com"
	signed := sign(t, message, "example.com", "s1", rsaKey())
	two := sign(t, signed, "example.com", "e1", edKey())
	nine := message
	for range 9 {
		nine = sign(t, nine, "example.com", "s1", rsaKey())
	}
	good := map[string]string{name: record(t, rsaKey()), "e1._domainkey.example.com": record(t, edKey())}
	only := func(txt string) map[string]string { return map[string]string{name: txt} }
	for _, tc := range []struct {
		name, msg string
		records   map[string]string
		want      string
	}{
		{"RSA", signed, good, "pass"},
		{"RSA and Ed25519", two, good, "pass pass"},
		{"LF line ends", strings.ReplaceAll(signed, "\r\n", "\n"), good, "pass"},
		{"no signature", message, good, ""},
		{"empty", "", good, ""},
		{"header without end", strings.TrimSuffix(signed[:strings.Index(signed, "\r\n\r\n")], "\r\n"), good, "fail"},
		{"body changed", strings.Replace(signed, "body", "Body", 1), good, "fail"},
		{"header changed", strings.Replace(signed, "Subject: hi", "Subject: ho", 1), good, "fail"},
		{"no key", signed, nil, "permerror"},
		{"temporary", signed, only("!"), "temperror"},
		{"one temporary of two", two, map[string]string{name: record(t, rsaKey()), "e1._domainkey.example.com": "!"}, "temperror pass"},
		{"revoked", signed, only("v=DKIM1; p="), "permerror"},
		{"other key", signed, only(record(t, edKey())), "permerror"},
		{"rubbish", signed, only("hello"), "permerror"},
		{"expired", sign(t, message, "example.com", "s1", rsaKey(), func(o *dkim.SignOptions) { o.Expiration = time.Unix(1e9, 0) }), good, "permerror"},
		{"rubbish signature", "DKIM-Signature: x\r\n" + message, good, "permerror"},
		{"more than eight", nine, good, "pass pass pass pass pass pass pass pass"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			verdicts, err := VerifyMessage(strings.NewReader(tc.msg), zone(tc.records))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range verdicts {
				got = append(got, v.Status)
				if (v.Err == nil) != (v.Status == Pass) {
					t.Errorf("%s with error %v", v.Status, v.Err)
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %q, want %q: %+v", got, tc.want, verdicts)
			}
		})
	}
	verdicts, err := VerifyMessage(strings.NewReader(signed), zone(good))
	if diff := cmp.Diff([]Verdict{{Status: Pass, Domain: "example.com", AUID: "@example.com"}}, verdicts); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestBrokenReader: an error of the reader comes back and leaves no goroutine
// (TestMain looks for them).
func TestBrokenReader(t *testing.T) {
	broken := errors.New("disk on fire")
	signed := sign(t, sign(t, message, "example.com", "s1", rsaKey()), "example.com", "e1", edKey())
	for name, keep := range map[string]int{"in the header": 20, "in the body": len(signed) - 5} {
		r := io.MultiReader(iotest.OneByteReader(strings.NewReader(signed[:keep])), iotest.ErrReader(broken))
		if verdicts, err := VerifyMessage(r, zone(nil)); !errors.Is(err, broken) || verdicts != nil {
			t.Errorf("%s: %v, %v", name, verdicts, err)
		}
	}
}

func TestHeaderLimits(t *testing.T) {
	for _, tc := range []struct{ name, msg, want string }{
		{"field", "Subject: " + strings.Repeat("x", maxField), "second opinion: header field is over 131072 bytes"},
		{"folded field", "Subject: a" + strings.Repeat("\r\n b", maxField/4), "second opinion: header field is over 131072 bytes"},
		{"section", strings.Repeat("Subject: "+strings.Repeat("x", 100000)+"\r\n", 6), "second opinion: header section is over 524288 bytes"},
		{"fields", strings.Repeat("A: b\r\n", maxFields+1), "second opinion: more than 1000 header fields"},
		{"largest field", "A:" + strings.Repeat("x", 128<<10-4) + "\r\n", ""},
		{"largest field and a byte", "A:" + strings.Repeat("x", 128<<10-3) + "\r\n", "second opinion: header field is over 131072 bytes"},
		{"largest section", strings.Repeat("A:"+strings.Repeat("x", 64<<10-4)+"\r\n", 8), ""},
		{"largest section and a byte", strings.Repeat("A:"+strings.Repeat("x", 64<<10-4)+"\r\n", 7) + "A:" + strings.Repeat("x", 64<<10-3) + "\r\n", "second opinion: header section is over 524288 bytes"},
		{"as many as may be", strings.Repeat("A: b\r\n", maxFields) + "\r\n" + strings.Repeat("C: d\r\n", maxFields), ""},
	} {
		_, err := VerifyMessage(strings.NewReader(tc.msg), zone(nil))
		if got := fmt.Sprint(err); (err != nil || tc.want != "") && got != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
}

func TestProve(t *testing.T) {
	signed := sign(t, message, "example.com", "s1", rsaKey())
	both := sign(t, sign(t, message, "example.com", "e1", edKey()), "example.com", "s1", rsaKey())
	const prefix = "second opinion: "
	for _, tc := range []struct {
		name, msg, domain, selector, record, want string
	}{
		{"RSA", signed, "example.com", "s1", record(t, rsaKey()), ""},
		{"RSA of both", both, "example.com", "s1", record(t, rsaKey()), ""},
		{"Ed25519 of both", both, "example.com", "e1", record(t, edKey()), ""},
		{"selector in other case", signed, "example.com", "S1", record(t, rsaKey()), ""},
		{"foreign signature beside it", sign(t, signed, "example.net", "s1", edKey()), "example.com", "s1", record(t, rsaKey()), ""},
		{"other key's record", both, "example.com", "s1", record(t, edKey()), prefix + "s1._domainkey.example.com does not verify: dkim: inappropriate key algorithm"},
		{"other selector", signed, "example.com", "s2", record(t, rsaKey()), prefix + "s2._domainkey.example.com does not verify: the message has no signature with this key"},
		{"other domain", signed, "example.net", "s1", record(t, rsaKey()), prefix + "s1._domainkey.example.net does not verify: the message has no signature with this key"},
		{"parent domain", sign(t, message, "a.example.com", "s1", rsaKey()), "example.com", "s1", record(t, rsaKey()), prefix + "s1._domainkey.example.com does not verify: the message has no signature with this key"},
		{"unsigned", message, "example.com", "s1", record(t, rsaKey()), prefix + "s1._domainkey.example.com does not verify: the message has no signature with this key"},
		{"changed", strings.Replace(signed, "body", "Body", 1), "example.com", "s1", record(t, rsaKey()), prefix + "s1._domainkey.example.com does not verify: dkim: body hash did not verify"},
		{"too large", strings.Repeat("A: b\r\n", 2000) + signed, "example.com", "s1", record(t, rsaKey()), prefix + "more than 1000 header fields"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Prove([]byte(tc.msg), tc.domain, tc.selector, tc.record)
			if got := fmt.Sprint(err); (err != nil || tc.want != "") && got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func FuzzVerifyMessage(f *testing.F) {
	signed := sign(f, message, "example.com", "s1", rsaKey())
	f.Add(signed, "v=DKIM1; p=")
	f.Add("DKIM-Signature: v=1; a=rsa-sha256; d=a; s=b; h=From; bh=; b=\r\nFrom: a@b\r\n\r\n", record(f, rsaKey()))
	f.Add("\r\n", "")
	f.Add("From\r\n \r\n", "k=ed25519; p=AAAA")
	f.Fuzz(func(t *testing.T, msg, txt string) {
		verdicts, err := VerifyMessage(strings.NewReader(msg), func(string) ([]string, error) { return []string{txt}, nil })
		if err != nil && verdicts != nil || len(verdicts) > maxSignatures {
			t.Fatalf("%d verdicts, %v", len(verdicts), err)
		}
		for _, v := range verdicts {
			if (v.Status == Pass) != (v.Err == nil) {
				t.Fatalf("%+v", v)
			}
		}
	})
}
