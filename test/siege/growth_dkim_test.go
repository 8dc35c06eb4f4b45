package siege

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/test/growth"
)

// emptyBody is the SHA-256 of an empty body in simple form (RFC 6376 §3.4.3).
const emptyBody = "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="

// signatureReaders read signatures, their keys, and what they sign.
func signatureReaders(t testing.TB) []reader {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	zone := resolve.MustZone(`k._domainkey.b.example TXT "v=DKIM1; k=ed25519; p=` + base64.StdEncoding.EncodeToString(pub) + `"`)
	v := dkim.Verifier{Resolver: zone, Now: time.Now}
	verify := func(h header.Fields) {
		r := v.Start(context.Background(), h, []string{"b.example"})
		for _, res := range r.Finish(context.Background()) {
			if res.Status == dkim.Pass {
				t.Error("passed")
			}
		}
	}
	// tags is a signature whose body hash is right, so that its header is hashed.
	tags := func(canon, names string) string {
		return " v=1; a=ed25519-sha256; c=" + canon + "; d=b.example; s=k; bh=" + emptyBody + "; h=from" + names + "; b=" +
			base64.StdEncoding.EncodeToString(make([]byte, 64))
	}
	signed := func(canon, name string, f func(i int) header.Field) growth.Work {
		return func(x int) func() {
			h := header.Fields{}
			for range 8 {
				h = append(h, header.Field{Name: "DKIM-Signature", Value: tags(canon, strings.Repeat(":"+name, 249*x))})
			}
			for size := h.Len(); len(h) < countUnit*x-1; {
				next := f(len(h))
				if size += next.Len(); size > unit*x {
					break
				}
				h = append(h, next)
			}
			h = append(h, header.Field{Name: "From", Value: " a@b.example"})
			return func() { verify(h) }
		}
	}
	one := func(name, value string) func(int) header.Field {
		return func(int) header.Field { return header.Field{Name: name, Value: value} }
	}
	keyRecord := func(head, piece, tail string) growth.Work {
		return func(x int) func() {
			s := head + fill(piece, (16<<10-200)*x) + tail
			return func() { _, _ = dkim.ParseKeyRecord(s) }
		}
	}
	wholeKeyRecord := func(s string) func() { return func() { _, _ = dkim.ParseKeyRecord(s) } }
	list := func(head, piece string) growth.Work {
		return func(x int) func() {
			var h header.Fields
			for range 8 {
				h = append(h, header.Field{Name: "DKIM-Signature", Value: head + fill(piece, (16<<10-200)*x)})
			}
			return func() { verify(h) }
		}
	}
	return []reader{
		{"dkim.Start of signatures", many(verify, one("DKIM-Signature", tags("simple/simple", "")))},
		{"dkim.Start of U-labels", many(verify, func(i int) header.Field { return header.Field{Name: "DKIM-Signature", Value: " d=" + longName(i)} })},
		{"dkim.Start of tags before d=", many(verify, one("DKIM-Signature", strings.Repeat(";", 1000)+"d=b.example"))},
		{"dkim.Start of hidden fields", many(verify, func(i int) header.Field {
			return header.Field{Name: "DKIM-Signature", Value: tags("simple/simple", "") + strings.Repeat(fmt.Sprintf("\rMIME-%d:", i), 100)}
		})},
		{"dkim.Start of hidden names", list(tags("simple/simple", ""), "\rMIME-X:")},
		{"dkim.parse of empty tags", list(" v=1; ", "; ")},
		{"dkim.parse of broken tags", list(" v=1; ", "=x;")},
		{"dkim.parse of white space", list(" v=1; b=", "\r\n ")},
		{"dkim.parse of long names", list(tags("simple/simple", "")+"; ", strings.Repeat("a", 255)+";")},
		{"dkim.parse of quoted-printable", list(" v=1; a=rsa-sha256; d=b.example; s=k; h=from; bh="+emptyBody+"; b=AAAA; i=", "=41")},
		{"dkim.parse of queries", list(" v=1; a=rsa-sha256; d=b.example; s=k; h=from; bh="+emptyBody+"; b=AAAA; q=", "x:")},
		{"dkim.parse of digits", list(" v=1; a=rsa-sha256; d=b.example; s=k; h=from; bh="+emptyBody+"; b=AAAA; t=", "9")},
		{"dkim.hash of signatures", signed("relaxed/simple", "dkim-signature", one("DKIM-Signature", " x"))},
		{"dkim.hash of one name", signed("relaxed/simple", "x", one("X", " x"))},
		{"dkim.hash of large fields", signed("relaxed/simple", "x", one("X", " "+strings.Repeat("x \t", 700)))},
		{"dkim.hash of simple fields", signed("simple/simple", "x", one("X", " "+strings.Repeat("x \t", 700)))},
		{"dkim.hash of folds", signed("relaxed/simple", "x", one("X", strings.Repeat("\r\n ", 700)))},
		{"dkim.hash of absent names", signed("relaxed/simple", "y", one("X", " x"))},
		{"dkim.body of blanks", func(x int) func() {
			return bodyOf(v, tags("relaxed/relaxed", ""), fill(" \t", unit*x))
		}},
		{"dkim.body of line ends", func(x int) func() { return bodyOf(v, tags("relaxed/relaxed", ""), fill("\r\n", unit*x)+"x") }},
		{"dkim.body of CR", func(x int) func() { return bodyOf(v, tags("simple/relaxed", ""), fill("\r", unit*x)) }},
		{"dkim.body of spaced text", func(x int) func() {
			return bodyOf(v, tags("simple/relaxed", ""), fill(strings.Repeat("x", 127)+"  ", unit*x))
		}},
		{"dkim.ParseKeyRecord of tags", keyRecord("v=DKIM1; ", "a=b;", "p=")},
		{"dkim.ParseKeyRecord of hashes", keyRecord("v=DKIM1; h=", "x:", "; p=")},
		{"dkim.ParseKeyRecord of base64", keyRecord("v=DKIM1; p=", "A ", "")},
		{"dkim.ParseKeyRecord of a long key", func(x int) func() { return wholeKeyRecord("v=DKIM1; p=" + longKey((12<<10-200)*x)) }},
		{"dkim.NewSigning", many(func(h header.Fields) {
			g, err := dkim.NewSigning(h, []dkim.Signer{{Domain: "b.example", Selector: "k", Key: key, Headers: []string{"From", "X"}}})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := g.Finish(); err != nil {
				t.Error(err)
			}
		}, one("X", " "+strings.Repeat("x \t", 150)))},
	}
}

// bodyOf verifies one signature of a body, which comes in pieces.
func bodyOf(v dkim.Verifier, tags, body string) func() {
	h := header.Fields{{Name: "DKIM-Signature", Value: tags}, {Name: "From", Value: " a@b.example"}}
	return func() {
		r := v.Start(context.Background(), h, nil)
		for rest := body; rest != ""; {
			n := min(len(rest), 1000)
			_, _ = r.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		r.Finish(context.Background())
	}
}
