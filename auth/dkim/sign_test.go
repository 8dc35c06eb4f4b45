package dkim

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/tagvalue"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// testSigners are the two that every message gets, RSA on top.
func testSigners(t testing.TB) []Signer {
	s := Signer{Domain: "example.com", Selector: "r", Key: rsaKey(t), Now: clock,
		Headers: []string{"From", "To", "Subject", "Date", "MIME-Version"}, Oversign: []string{"From", "Subject"}}
	e := s
	e.Selector, e.Key = "e", edKey(t)
	return []Signer{s, e}
}

func testZone(t testing.TB) *resolve.Zone {
	t.Helper()
	z := zone(t, "r._domainkey.example.com", record(t, rsaKey(t)))
	if err := z.Add("e._domainkey.example.com", "TXT", record(t, edKey(t))); err != nil {
		t.Fatal(err)
	}
	return z
}

// TestSignGolden shows the field: folding, tag order, oversigning.
func TestSignGolden(t *testing.T) {
	h, body := message("From: a@example.com\nReceived: x\nTo: b@example.net\nto: c@example.net\nSubject: hi\n\nHi.\n")
	s := testSigners(t)
	s[0].Expire, s[0].AUID = 48*time.Hour, "조 a@mail.Example.com"
	s[1].HeaderCanon, s[1].BodyCanon = Simple, Simple
	few := s[1]
	few.Headers, few.Oversign = []string{"From"}, nil
	s = append(s, few)
	got := sign(t, h, body, s...)
	want := []string{
		" v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=r;\r\n" +
			" i==EC=A1=B0=20a@mail.example.com; t=1767323045; x=1767495845;\r\n" +
			" h=From:From:To:To:Subject:Subject;\r\n" +
			" bh=UrA8rmgY3eNBotmDWtzAmHyn5RyZv8Gea45sNGsP0zw=;\r\n b=",
		" v=1; a=ed25519-sha256; c=simple/simple; d=example.com; s=e;\r\n" +
			" t=1767323045;\r\n h=From:From:To:To:Subject:Subject;\r\n" +
			" bh=UrA8rmgY3eNBotmDWtzAmHyn5RyZv8Gea45sNGsP0zw=;\r\n b=",
		// What would fit behind the names has a line of its own all the same.
		" v=1; a=ed25519-sha256; c=simple/simple; d=example.com; s=e;\r\n" +
			" t=1767323045;\r\n h=From;\r\n" +
			" bh=UrA8rmgY3eNBotmDWtzAmHyn5RyZv8Gea45sNGsP0zw=;\r\n b=",
	}
	for i, w := range want {
		v := got[i].Value
		if at := strings.Index(v, " b=") + 3; v[:at] != w {
			t.Errorf("signature %d:\n%q\nwant\n%q", i, v[:at], w)
		}
		checkLines(t, v)
	}
	for _, r := range verify(t, testZone(t), got, body) {
		if r.Status != Pass {
			t.Errorf("%+v", r)
		}
	}
}

func checkLines(t *testing.T, value string) {
	t.Helper()
	for i, line := range strings.Split(fieldName+":"+value, "\r\n") {
		if len(line) > 77 || strings.TrimSpace(line) == "" || i > 0 && line[0] != ' ' || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line %d: %q", i, line)
		}
	}
}

// TestSignedNames: RFC 6376 §5.4, §5.4.2.
func TestSignedNames(t *testing.T) {
	h, _ := message("Received: 1\nFrom: a@example.com\nTo: x\nTO : y\nDKIM-Signature: old\nX-Long: 1\n\n")
	tests := []struct {
		name           string
		names, oversig []string
		want           string
	}{
		{"only from by default", nil, nil, "From"},
		{"absent ones are left out", []string{"From", "Cc", "Subject"}, nil, "From"},
		{"as often as present", []string{"to", "From"}, nil, "to:to:From"},
		{"oversigned", []string{"From", "To"}, []string{"from", "TO", "Cc"}, "From:From:To:To:To:Cc"},
		{"oversigned only", []string{"From"}, []string{"Subject"}, "From:Subject"},
		{"from is always signed", []string{"To"}, nil, "From:To:To"},
		{"named twice", []string{"From", "FROM", "To", "to"}, []string{"To", "to"}, "From:To:To:To"},
		{"older signatures may be signed", []string{"From", "DKIM-Signature"}, nil, "From:DKIM-Signature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testSigners(t)[0]
			s.Headers, s.Oversign = tt.names, tt.oversig
			out := sign(t, h, "", s)
			tags, err := tagvalue.Parse(out[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := tags.Get("h"); got != tt.want {
				t.Errorf("h=%s, want %s", got, tt.want)
			}
			if r := verify(t, testZone(t), out, "")[0]; r.Status != Pass {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestSignErrors(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := rsaKey(t).PublicKey
	n := *long.N
	long.N = n.Lsh(&n, 4000)
	short := rsaKey(t).PublicKey
	m := *short.N
	short.N = m.Rsh(&m, 1)
	tests := []struct {
		name string
		edit func(*Signer)
		want string
	}{
		{"no key", func(s *Signer) { s.Key = nil }, "no key"},
		{"another key", func(s *Signer) { s.Key = ec }, "key of type *ecdsa.PublicKey"},
		{"short key", func(s *Signer) { s.Key = publicOnly{&short} }, "rsa key of 1023 bits, want 1024 to 4096"},
		{"long key", func(s *Signer) { s.Key = publicOnly{&long} }, "rsa key of 5024 bits, want 1024 to 4096"},
		{"no domain", func(s *Signer) { s.Domain = "" }, "empty domain name"},
		{"one label", func(s *Signer) { s.Domain = "com" }, "one label"},
		{"no selector", func(s *Signer) { s.Selector = "" }, "empty domain name"},
		{"selector with a semicolon", func(s *Signer) { s.Selector = "a;b" }, "byte ';'"},
		{"unknown canonicalization", func(s *Signer) { s.BodyCanon = "nowsp" }, `unknown canonicalization "nowsp"`},
		{"field name with a colon", func(s *Signer) { s.Headers = []string{"From:"} }, `"From:" is no field name`},
		{"empty field name", func(s *Signer) { s.Oversign = []string{""} }, `"" is no field name`},
		{"expired", func(s *Signer) { s.Expire = -time.Hour }, "expires before it is made"},
		{"expires at once", func(s *Signer) { s.Expire = time.Millisecond }, "expires before it is made"},
		{"auid elsewhere", func(s *Signer) { s.AUID = "@example.org" }, "is not in example.com"},
		{"auid without @", func(s *Signer) { s.AUID = "example.com" }, "is no address"},
		{"auid with a bad domain", func(s *Signer) { s.AUID = "x@a b" }, "byte ' '"},
		{"auid too long", func(s *Signer) { s.AUID = strings.Repeat(";", 300) + "@example.com" }, "i= is too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := message(plainText)
			s := testSigners(t)
			tt.edit(&s[1])
			if _, err := NewSigning(h, s); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "dkim: signer ") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	for name, edit := range map[string]func(*Signer){
		"expires in a second": func(s *Signer) { s.Expire = time.Second },
		"the longest auid":    func(s *Signer) { s.AUID = strings.Repeat("x", 900-len("@example.com")) + "@example.com" },
	} {
		h, _ := message(plainText)
		s := testSigners(t)
		edit(&s[0])
		if _, err := NewSigning(h, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s[0].AUID = strings.Repeat("x", 901-len("@example.com")) + "@example.com"
		if _, err := NewSigning(h, s); err == nil {
			t.Errorf("%s: an auid of 901 bytes", name)
		}
	}
	for _, bits := range []uint{1024, 4096} { // RFC 8301 §3.2: both may sign
		pub := rsaKey(t).PublicKey
		n := *pub.N
		pub.N = n.Lsh(&n, bits-1024)
		h, _ := message(plainText)
		s := testSigners(t)
		s[0].Key = publicOnly{&pub}
		if _, err := NewSigning(h, s); err != nil {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	h, _ := message("To: x\nX-From: a@example.com\n\n")
	if _, err := NewSigning(h, testSigners(t)); !errors.Is(err, ErrNoFrom) {
		t.Errorf("without From: %v", err)
	}
	h, _ = message(plainText)
	s := testSigners(t)
	s[0].Key = publicOnly{&rsaKey(t).PublicKey}
	g, err := NewSigning(h, s)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := g.Finish(); err == nil || v != nil || err.Error() != "dkim: signer r._domainkey.example.com: no private key" {
		t.Errorf("%v %v", v, err)
	}
}

// testMessages are the shapes that MTAs hand over.
var testMessages = map[string]string{
	"plain":          plainText,
	"empty body":     "From: a@example.com\n\n",
	"only lines":     "From: a@example.com\n\n\n\n\n",
	"no final line":  "From: a@example.com\n\nHi.\n  \nBye",
	"white space":    "From: a@example.com\nSubject: a \t b  \nTo:\n\n  x \t y \n\t\n z\n \n\n",
	"folded":         "From: \"Joe\n  of\n\tFoo\" <a@example.com>\nSubject:\n =?utf-8?q?x?=\n =?utf-8?q?y?=\n\nHi.\n",
	"no space":       "From:a@example.com\nSubject:hi\n\nHi.\n",
	"eight bit":      "From: a@example.com\nSubject: 안녕  하세요\n\n안녕\n\xff\xfe\x80\n",
	"many instances": "From: a@example.com\nTo: 1\nTo: 2\nSubject: 1\nSubject: 2\nTo: 3\n\nHi.\n",
	"long lines":     "From: a@example.com\nSubject: " + strings.Repeat("word ", 400) + "\n\n" + strings.Repeat("long ", 4000) + "\n",
	"empty field":    "From: a@example.com\nSubject:\nTo: \n\nHi.\n",
}

// TestRoundTrip: what we sign verifies, in all four forms, with both keys, on
// every message, and a changed byte breaks it.
func TestRoundTrip(t *testing.T) {
	z := testZone(t)
	for name, text := range testMessages {
		for _, hc := range []Canonicalization{Simple, Relaxed} {
			for _, bc := range []Canonicalization{Simple, Relaxed} {
				h, body := message(text)
				s := testSigners(t)
				for i := range s {
					s[i].HeaderCanon, s[i].BodyCanon = hc, bc
				}
				signed := sign(t, h, body, s...)
				for _, r := range verify(t, z, signed, body) {
					if r.Status != Pass {
						t.Errorf("%s %s/%s: %+v", name, hc, bc, r)
					}
				}
				for _, r := range verify(t, z, signed, "x"+body) {
					if r.Status != Fail {
						t.Errorf("%s %s/%s, changed body: %+v", name, hc, bc, r)
					}
				}
				signed[2].Value += "x"
				for _, r := range verify(t, z, signed, body) {
					if r.Status != Fail {
						t.Errorf("%s %s/%s, changed from: %+v", name, hc, bc, r)
					}
				}
			}
		}
	}
}

func TestSigningHashesOnce(t *testing.T) {
	h, _ := message(plainText)
	g, err := NewSigning(h, testSigners(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := g.bodies.Len(); n != 1 {
		t.Errorf("%d hashers for two signers", n)
	}
	chunk := bytes.Repeat([]byte("a line of text \r\n"), 4000)
	if n := testing.AllocsPerRun(10, func() { g.Write(chunk) }); n != 0 {
		t.Errorf("%v allocations a chunk", n)
	}
}

func TestNoSigners(t *testing.T) {
	h, _ := message(plainText)
	g, err := NewSigning(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := g.Finish(); len(v) != 0 || err != nil {
		t.Errorf("%v %v", v, err)
	}
}

// FuzzRoundTrip signs any message and verifies it with the body cut elsewhere.
func FuzzRoundTrip(f *testing.F) {
	for _, text := range testMessages {
		h, body := message(text)
		f.Add(h[0].Value, strings.Join(h.All("Subject"), ""), body, uint16(7), true)
	}
	key := edKey(f)
	z := testZone(f)
	f.Fuzz(func(t *testing.T, from, subject, body string, cut uint16, simple bool) {
		h := header.Fields{{Name: "From", Value: from}, {Name: "subject ", Value: subject}}
		s := Signer{Domain: "example.com", Selector: "e", Key: key, Now: clock, Headers: []string{"Subject"}, Oversign: []string{"Subject"}}
		if simple {
			s.HeaderCanon, s.BodyCanon = Simple, Simple
		}
		signed := sign(t, h, body, s)
		r := (&Verifier{Resolver: z, Now: clock}).Start(context.Background(), signed, nil)
		n := min(int(cut), len(body))
		r.Write([]byte(body[:n]))
		r.Write([]byte(body[n:]))
		if got := r.Finish(context.Background()); len(got) != 1 || got[0].Status != Pass {
			t.Errorf("%+v", got)
		}
	})
}
