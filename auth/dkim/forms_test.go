package dkim

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestEveryFormEverySplit: both canonicalizations of header and body, both
// algorithms, and a body with all that they treat differently, cut into chunks
// in every possible way. Both algorithms are deterministic, so that a signature
// either is the one over the body in one piece or is wrong.
func TestEveryFormEverySplit(t *testing.T) {
	z := testZone(t)
	h, _ := message("From: a@example.com\nSubject:  two \t words \n folded\n\n")
	var signers []Signer
	for _, hc := range []Canonicalization{Simple, Relaxed} {
		for _, bc := range []Canonicalization{Simple, Relaxed} {
			for _, s := range testSigners(t) {
				s.HeaderCanon, s.BodyCanon = hc, bc
				signers = append(signers, s)
			}
		}
	}
	for _, body := range []string{" \tA \r\n\r\n", "a\r\r\n\t\r\n", "\r\nx\n\r"} {
		whole := sign(t, h, body, signers...)
		v := &Verifier{Resolver: z, Now: clock, MaxSignatures: len(signers)}
		for cuts := range 1 << (len(body) - 1) { // a bit for each place between two bytes
			chunks := cut(body, cuts)
			g, err := NewSigning(h, signers)
			if err != nil {
				t.Fatal(err)
			}
			r := v.Start(context.Background(), whole, nil)
			for _, c := range chunks {
				g.Write([]byte(c))
				r.Write([]byte(c))
			}
			for i, res := range r.Finish(context.Background()) {
				if res.Status != Pass {
					t.Fatalf("%q, %s %s/%s: %v", chunks, res.Algorithm, signers[i].HeaderCanon, signers[i].BodyCanon, res.Err)
				}
			}
			// Signing with RSA takes its time, and hashes as verifying does.
			if cuts%8 != 1 {
				continue
			}
			values, err := g.Finish()
			if err != nil {
				t.Fatal(err)
			}
			for i, value := range values {
				if value != whole[i].Value {
					t.Fatalf("%q, signer %d: %q, want %q", chunks, i, value, whole[i].Value)
				}
			}
		}
	}
}

// cut cuts s behind byte i where bit i of cuts is set.
func cut(s string, cuts int) []string {
	var out []string
	from := 0
	for i := range len(s) {
		if i == len(s)-1 || cuts&(1<<i) != 0 {
			out = append(out, s[from:i+1])
			from = i + 1
		}
	}
	return out
}

// TestNoKeyRecord: a name without TXT records is as good as none (RFC 6376
// §6.1.2 step 3), and each kind of failure is temporary (step 2).
func TestNoKeyRecord(t *testing.T) {
	for zone, want := range map[string]error{
		"":                                       ErrNoKey,
		"sel._domainkey.example.com A 192.0.2.1": ErrNoKey,
		"x.sel._domainkey.example.com A 192.0.2.1":                    ErrNoKey,
		"sel._domainkey.example.com TXT !timeout":                     ErrKeyUnavailable,
		"sel._domainkey.example.com TXT !servfail":                    ErrKeyUnavailable,
		"sel._domainkey.example.com CNAME sel._domainkey.example.com": ErrKeyUnavailable,
		`*.example.com TXT "v=spf1 -all"`:                             ErrKeySyntax,
		`sel._domainkey.example.com TXT ""`:                           ErrKeySyntax,
		`sel._domainkey.example.com TXT "v=DKIM1; k=rsa"`:             ErrKeySyntax,
		`sel._domainkey.example.com TXT "v=DKIM1; p=*"`:               ErrKeySyntax,
		`sel._domainkey.example.com TXT "v=DKIM1; p=AAAA"`:            ErrKeySyntax,
		`sel._domainkey.example.com TXT "v=DKIM1; p=; p="`:            ErrKeySyntax,
		`sel._domainkey.example.com TXT "v=DKIM2; p=AAAA"`:            ErrKeySyntax,
		`sel._domainkey.example.com TXT "v=DKIM1; k=ed25519; p=AAAA"`: ErrKeySyntax,
	} {
		h, body := message(plainText)
		got := verify(t, resolve.MustZone(zone), forge(t, h, body, plainTags, rsaKey(t)), body)
		status := PermError
		if want == ErrKeyUnavailable {
			status = TempError
		}
		if len(got) != 1 || got[0].Status != status || !errors.Is(got[0].Err, want) {
			t.Errorf("%q: %+v", zone, got)
		}
	}
}

// TestGoodAmongBad: RFC 6376 §6.1: a bad signature is ignored, and the next one
// is tried. Neither their number nor their place matters to the good one.
func TestGoodAmongBad(t *testing.T) {
	h, body := message(plainText)
	good := forge(t, h, body, plainTags, rsaKey(t))[0]
	change := func(oldnew ...string) header.Field {
		return header.Field{Name: fieldName, Value: strings.NewReplacer(oldnew...).Replace(good.Value)}
	}
	bad := []header.Field{
		change("v=1", "v=2"), change("a=rsa-sha256", "a=rsa-sha1"), change(" b=", " b=AAAA"), change("bh=", "bh=AAAA"),
		change("s=sel", "s=gone"), change("d=example.com", "d=slow.example", "i=@example.com", "i=@slow.example"), {Name: fieldName, Value: " "},
	}
	z := zone(t, plainName, record(t, rsaKey(t)))
	if err := z.Add("sel._domainkey.slow.example", "TXT", "!timeout"); err != nil {
		t.Fatal(err)
	}
	for place := range len(bad) + 1 {
		got := verify(t, z, append(slices.Insert(slices.Clone(bad), place, good), h...), body)
		if len(got) != len(bad)+1 {
			t.Fatalf("%d results", len(got))
		}
		for i, r := range got {
			if (r.Status == Pass) != (i == place) {
				t.Errorf("good one at %d, result %d: %+v", place, i, r)
			}
		}
	}
}

// TestInternationalizedForms: RFC 8616 §5: U-labels and A-labels in d=, i= and
// s=, UTF-8 local-parts as they are or quoted, in both canonicalizations and
// with both algorithms. The key is found under A-labels in all of them.
func TestInternationalizedForms(t *testing.T) {
	z := &resolve.Zone{}
	for name, key := range map[string]crypto.Signer{"xn--9ca.": rsaKey(t), "xn--8ca.": edKey(t)} {
		if err := z.Add(name+"_domainkey.xn--bcher-kva.example", "TXT", record(t, key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"bücher.example", "xn--bcher-kva.example", "BÜCHER.example", "XN--BCHER-KVA.Example"} {
		for _, i := range []string{"", "@bücher.example", "@xn--bcher-kva.example", "jörg@Bücher.example", "j=C3=B6rg@bücher.example", "jörg@post.bücher.example", "@b=C3=BCcher.example"} {
			for _, c := range []string{"simple/simple", "relaxed/relaxed"} {
				for algorithm, s := range map[string]struct {
					key     crypto.Signer
					ulabel  string
					alabels string
				}{"rsa-sha256": {rsaKey(t), "é", "xn--9ca"}, "ed25519-sha256": {edKey(t), "è", "xn--8ca"}} {
					for _, sel := range []string{s.ulabel, s.alabels} {
						h, body := message("From: Jörg <jörg@bücher.example>\nSubject: Grüße\n\nÄ\n")
						tags := "v=1; a=" + algorithm + "; c=" + c + "; d=" + d + "; s=" + sel + "; "
						if i != "" {
							tags += "i=" + i + "; "
						}
						got := verify(t, z, forge(t, h, body, tags+"h=From:Subject; bh=@BH@;", s.key), body)
						if len(got) != 1 || got[0].Status != Pass || got[0].Domain != "xn--bcher-kva.example" || got[0].Selector != s.alabels {
							t.Errorf("%s: %+v", tags, got)
						}
					}
				}
			}
		}
	}
	// The hash takes the name as it stands: another spelling of the same name is
	// another text.
	h, body := message("From: a@bücher.example\n\n")
	h = forge(t, h, body, "v=1; a=rsa-sha256; d=bücher.example; s=é; h=From; bh=@BH@;", rsaKey(t))
	h[0].Value = strings.Replace(h[0].Value, "bücher", "xn--bcher-kva", 1)
	if got := verify(t, z, h, body); got[0].Status != Fail || !errors.Is(got[0].Err, ErrSignature) {
		t.Errorf("spelling changed: %+v", got[0])
	}
}
