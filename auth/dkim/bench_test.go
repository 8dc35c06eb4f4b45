package dkim

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/sealmilter/sealmilter/auth/header"
)

// The benchmarks sign and verify a mail of text, HTML and base64 of 20 KB and
// 1 MiB, relaxed/relaxed, RSA-2048 and Ed25519, beside go-msgauth on the same
// message:
//
//	go test -run xxx -bench . -benchmem ./auth/dkim

func benchMessage(size int) (header.Fields, string) {
	h, _ := message("From: Joe SixPack <joe@example.com>\nTo: Suzie Q <suzie@example.net>\nSubject: Is dinner ready?\n" +
		"Date: Fri, 11 Jul 2003 21:00:37 -0700\nMessage-ID: <20030712040037.46341@example.com>\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/mixed; boundary=xyz\nReceived: from a by b;\n Fri, 11 Jul 2003 21:00:37 -0700\n\n")
	var b strings.Builder
	for b.Len() < size/10 {
		b.WriteString("We lost the game.  Are you hungry yet? It is a line of seventy-two or so.\r\n")
	}
	for b.Len() < size/4 {
		b.WriteString("    <td class=\"x\">\r\n\t<b>words and words</b> \r\n")
	}
	for b.Len() < size {
		b.WriteString("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gVGhlIHF1aWNrIGJy\r\n")
	}
	return h, b.String()[:size-2] + "\r\n"
}

func benchKeys(b *testing.B) map[string]crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	return map[string]crypto.Signer{"rsa2048": k, "ed25519": edKey(b)}
}

var benchSizes = []struct {
	name string
	size int
}{{"20KB", 20_000}, {"1MiB", 1 << 20}}

var benchNames = []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}

// feed writes in chunks as MTAs cut them.
func feed(w io.Writer, body []byte) {
	for len(body) > 0 {
		n := min(65535, len(body))
		w.Write(body[:n])
		body = body[n:]
	}
}

func BenchmarkSign(b *testing.B) {
	for alg, key := range benchKeys(b) {
		for _, sz := range benchSizes {
			h, body := benchMessage(sz.size)
			text, head := []byte(body), []byte(raw(h, ""))
			b.Run(fmt.Sprintf("%s/%s/sealmilter", alg, sz.name), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				s := []Signer{{Domain: "example.com", Selector: "s", Key: key, Headers: benchNames}}
				for b.Loop() {
					g, err := NewSigning(h, s)
					if err != nil {
						b.Fatal(err)
					}
					feed(g, text)
					if _, err := g.Finish(); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%s/go-msgauth", alg, sz.name), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					s, err := msgauth.NewSigner(&msgauth.SignOptions{Domain: "example.com", Selector: "s", Signer: key, HeaderKeys: benchNames,
						HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed"})
					if err != nil {
						b.Fatal(err)
					}
					feed(s, head)
					feed(s, text)
					if err := s.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for alg, key := range benchKeys(b) {
		z := zone(b, "s._domainkey.example.com", record(b, key))
		for _, sz := range benchSizes {
			h, body := benchMessage(sz.size)
			h = sign(b, h, body, Signer{Domain: "example.com", Selector: "s", Key: key, Headers: benchNames, Now: func() time.Time { return testNow }})
			text, whole := []byte(body), raw(h, body)
			b.Run(fmt.Sprintf("%s/%s/sealmilter", alg, sz.name), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				v := &Verifier{Resolver: z, Now: clock}
				for b.Loop() {
					r := v.Start(context.Background(), h, nil)
					feed(r, text)
					if got := r.Finish(context.Background()); got[0].Status != Pass {
						b.Fatal(got[0].Err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%s/go-msgauth", alg, sz.name), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					got, err := msgauth.VerifyWithOptions(strings.NewReader(whole), theirLookup(z))
					if err != nil || got[0].Err != nil {
						b.Fatal(err, got)
					}
				}
			})
		}
	}
}

// BenchmarkManySignatures is a header of 5,000 signatures, of which eight are
// parsed.
func BenchmarkManySignatures(b *testing.B) {
	h, body := message(plainText)
	one := forge(b, h, body, plainTags, rsaKey(b))[0]
	var many header.Fields
	for i := range 5000 {
		many = append(many, header.Field{Name: fieldName, Value: strings.Replace(one.Value, "example.com", fmt.Sprintf("d%d.example", i), 2)})
	}
	many = append(many, h...)
	v := &Verifier{Resolver: zone(b, plainName, record(b, rsaKey(b))), Now: clock}
	b.ReportAllocs()
	for b.Loop() {
		r := v.Start(context.Background(), many, []string{"example.com"})
		if got := r.Finish(context.Background()); len(got) != 9 {
			b.Fatal(got)
		}
	}
}
