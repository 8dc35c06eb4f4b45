package dkim

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestKeySizes: RFC 8301 §3.2, and our upper limit.
func TestKeySizes(t *testing.T) {
	for _, tt := range []struct {
		bits   int
		status Status
		err    error
	}{{512, PermError, ErrKeyTooShort}, {1023, PermError, ErrKeyTooShort}, {1024, Pass, nil}, {4096, Fail, ErrSignature}, {4097, Policy, ErrKeyTooLong}} {
		t.Run(fmt.Sprint(tt.bits), func(t *testing.T) {
			h, body := message(plainText)
			key := rsaKey(t)
			h, rec := forge(t, h, body, plainTags, key), record(t, key)
			if tt.bits != 1024 {
				pub := key.PublicKey
				n := *pub.N
				pub.N = n.SetBit(n.Rsh(&n, uint(max(0, 1024-tt.bits))), tt.bits-1, 1)
				rec = record(t, publicOnly{&pub})
			}
			got := verify(t, zone(t, plainName, rec), h, body)
			if got[0].Status != tt.status || !errors.Is(got[0].Err, tt.err) || got[0].KeyBits != tt.bits {
				t.Errorf("%+v", got[0])
			}
		})
	}
}

// TestSeveralRecords: RFC 6376 §6.1.2 step 4.
func TestSeveralRecords(t *testing.T) {
	right, other := record(t, rsaKey(t)), record(t, pemKey(t, "testdata/rfc8463-rsa.pem"))
	tests := []struct {
		name    string
		records []string
		status  Status
		err     error
	}{
		{"junk first", []string{"v=spf1 -all", "hello", right}, Pass, nil},
		{"revoked first", []string{"v=DKIM1; p=", right}, Pass, nil},
		{"another key first", []string{other, right}, Pass, nil},
		{"another algorithm first", []string{record(t, edKey(t)), right}, Pass, nil},
		{"only another key", []string{"junk", other}, Fail, ErrSignature},
		{"junk and revoked", []string{"junk", "v=DKIM1; p=", "more junk"}, PermError, ErrKeyRevoked},
		{"behind too many", append(strings.Split(strings.Repeat("junk ", 9), " "), right), PermError, ErrKeySyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := &resolve.Zone{}
			for _, r := range tt.records {
				if err := z.Add(plainName, "TXT", r); err != nil {
					t.Fatal(err)
				}
			}
			h, body := message(plainText)
			got := verify(t, z, forge(t, h, body, plainTags, rsaKey(t)), body)
			if got[0].Status != tt.status || !errors.Is(got[0].Err, tt.err) {
				t.Errorf("%+v", got[0])
			}
		})
	}
}

// TestOperationsAreBounded: with as many signatures as are allowed, each gets
// one key; the order of records may then matter.
func TestOperationsAreBounded(t *testing.T) {
	z := zone(t, plainName, record(t, pemKey(t, "testdata/rfc8463-rsa.pem")))
	if err := z.Add(plainName, "TXT", record(t, rsaKey(t))); err != nil {
		t.Fatal(err)
	}
	h, body := message(plainText)
	one := forge(t, h, body, plainTags, rsaKey(t))
	all := append(header.Fields{one[0], one[0], one[0]}, h...)
	v := &Verifier{Resolver: z, Now: clock, MaxSignatures: 4}
	r := v.Start(context.Background(), all, nil)
	r.Write([]byte(body))
	got := r.Finish(context.Background())
	if got[0].Status != Pass || got[1].Status != Fail || got[2].Status != Fail {
		t.Errorf("one spare operation: %v %v %v", got[0].Status, got[1].Status, got[2].Status)
	}
	if n := len(z.Asked()); n != 1 {
		t.Errorf("%d questions for one key", n)
	}
}

func TestCNAMESelector(t *testing.T) {
	z := resolve.MustZone(plainName + " CNAME k1.esp.example\n" + `k1.esp.example TXT "` + record(t, rsaKey(t)) + `"`)
	h, body := message(plainText)
	if got := verify(t, z, forge(t, h, body, plainTags, rsaKey(t)), body); got[0].Status != Pass {
		t.Error(got[0].Err)
	}
}

// TestInternationalized: RFC 8616 §5, a U-label in d= and i=, a UTF-8
// local-part; the hash takes them as they stand.
func TestInternationalized(t *testing.T) {
	z := zone(t, "sel._domainkey.xn--3e0b707e.example", record(t, edKey(t)))
	h, body := message("From: 조 <조@한국.example>\nSubject: 안녕\n\n안녕\n")
	h = forge(t, h, body, "v=1; a=ed25519-sha256; c=simple/simple; d=한국.example; i=조@한국.example; s=sel; h=From:Subject; bh=@BH@;", edKey(t))
	got := verify(t, z, h, body)
	if got[0].Status != Pass || got[0].Domain != "xn--3e0b707e.example" || got[0].AUID != "조@한국.example" {
		t.Errorf("%+v", got[0])
	}
}

func TestNoSignatures(t *testing.T) {
	h, body := message(plainText)
	if got := verify(t, resolve.MustZone(""), h, body); got != nil {
		t.Errorf("%+v", got)
	}
	if got := verify(t, resolve.MustZone(""), nil, ""); got != nil {
		t.Errorf("empty message: %+v", got)
	}
}

// TestOwnFieldIsNeverSigned: other signatures may be in h=, the field itself is
// passed over even when the message's order puts it lowest (§3.5 h=).
func TestOwnFieldIsNeverSigned(t *testing.T) {
	z := zone(t, plainName, record(t, rsaKey(t)))
	h, body := message("DKIM-Signature: v=1; older=yes\n" + plainText)
	tags := strings.Replace(plainTags, "h=from", "h=dkim-signature:dkim-signature:from", 1)
	h = forge(t, h, body, tags, rsaKey(t))
	for name, h := range map[string]header.Fields{"on top": h, "below": append(append(header.Fields{}, h[1:]...), h[0])} {
		passed := 0
		for _, r := range verify(t, z, h, body) {
			if r.Status == Pass {
				passed++
			}
		}
		if passed != 1 {
			t.Errorf("%s: %d pass", name, passed)
		}
	}
}

// TestChoice: which signatures are verified when there are many.
func TestChoice(t *testing.T) {
	var h header.Fields
	for _, d := range []string{"a.example", "com", "b.example", "EXAMPLE.com", "c.example", "mail.example.com", "d.example", "", "news.example.com"} {
		h = append(h, header.Field{Name: "DKIM-signature ", Value: " v=1; bd=x; d= " + d + "\r\n ;b=x"})
	}
	tests := []struct {
		name    string
		authors []string
		limit   int
		want    string
	}{
		{"no author domain: topmost", nil, 3, "[0 1 2]"},
		{"the author's, then its children", []string{"example.com"}, 2, "[3 5]"},
		{"then the topmost others", []string{"example.com"}, 4, "[0 3 5 8]"},
		{"equal before related", []string{"news.example.com"}, 1, "[8]"},
		{"parents", []string{"x.mail.example.com"}, 2, "[3 5]"},
		{"several authors", []string{"d.example", "c.example"}, 2, "[4 6]"},
		{"room for all", []string{"example.com"}, 9, "[0 1 2 3 4 5 6 7 8]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chosen, rest := choose(h, tt.authors, tt.limit)
			if fmt.Sprint(chosen) != tt.want || len(chosen)+len(rest) != len(h) || !slices.IsSorted(rest) {
				t.Errorf("%v and %v, want %s", chosen, rest, tt.want)
			}
		})
	}
}

// TestThousandsOfSignatures: eight are verified, one Result counts the rest,
// and no more than eight keys are asked for.
func TestThousandsOfSignatures(t *testing.T) {
	z := zone(t, plainName, record(t, rsaKey(t)))
	h, body := message(plainText)
	own := forge(t, h, body, plainTags, rsaKey(t))
	var many header.Fields
	for i := range 5000 {
		v := strings.NewReplacer("s=sel", fmt.Sprintf("s=s%d", i), "d=example.com", "d=evil.example", "i=@example.com", "").Replace(own[0].Value)
		many = append(many, header.Field{Name: fieldName, Value: v})
	}
	got := verify(t, z, append(many, own...), body, "example.com")
	if len(got) != DefaultMaxSignatures+1 {
		t.Fatalf("%d results", len(got))
	}
	if r := got[7]; r.Status != Pass || r.Index != 5000 {
		t.Errorf("the author's signature: %+v", r)
	}
	if r := got[8]; r.Status != Policy || !errors.Is(r.Err, ErrTooMany) || r.Err.Error() != "too many signatures: 4993 of 5001 not verified" || r.Index != 7 {
		t.Errorf("the rest: %+v", r)
	}
	if n := len(z.Asked()); n != 8 {
		t.Errorf("%d questions", n)
	}
}

// TestSignaturesOfUnicodeDomains: what others put in front of the author's
// signature is not converted without end, and does not keep it from being found.
func TestSignaturesOfUnicodeDomains(t *testing.T) {
	field := func(d string) header.Field { return header.Field{Name: fieldName, Value: " v=1; d=" + d} }
	var many header.Fields
	for i := range 50 - 1 { // U+0080 is in no domain name, which takes a conversion to know
		many = append(many, field(fmt.Sprintf("\u0080%d.example", i)))
	}
	for name, tc := range map[string]struct {
		more []header.Field
		want int // place of the author's, or of the topmost where it is not seen
	}{
		"ASCII":                   {[]header.Field{field("bücher.example"), field("grün.example"), field("xn--bcher-kva.example")}, 50 - 1},
		"the last converted":      {[]header.Field{field("grün.example"), field("xn--bcher-kva.example")}, 50},
		"beyond the limit":        {[]header.Field{field("grün.example"), field("bücher.example")}, 0},
		"ASCII, beyond the limit": {[]header.Field{field("grün.example"), field("grün.example"), field("xn--bcher-kva.example")}, 50 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := append(slices.Clone(many), tc.more...)
			chosen, rest := choose(h, []string{"xn--bcher-kva.example"}, 1)
			if len(rest) != len(h)-1 || chosen[0] != tc.want {
				t.Errorf("chose %d of %d, want %d", chosen, len(h), tc.want)
			}
		})
	}
}

// stuck is a resolver that answers when its context ends.
type stuck struct{ resolve.Zone }

func (*stuck) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	<-ctx.Done()
	return resolve.Answer[string]{}, &resolve.Error{Type: "TXT", Name: name, Err: resolve.ErrTemporary}
}

type broken struct{ resolve.Zone }

func (*broken) LookupTXT(context.Context, string) (resolve.Answer[string], error) {
	panic("nobody home")
}

func TestDeadline(t *testing.T) {
	h, body := message(plainText)
	h = forge(t, h, body, plainTags, rsaKey(t))
	v := &Verifier{Resolver: &stuck{}, Now: clock}
	r := v.Start(context.Background(), h, nil)
	r.Write([]byte(body))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got := r.Finish(ctx) // also ends the look-up: goleak would see it
	if got[0].Status != TempError || !errors.Is(got[0].Err, ErrKeyUnavailable) || got[0].Domain != "example.com" {
		t.Errorf("%+v", got[0])
	}
}

func TestCancel(t *testing.T) {
	h, body := message(plainText)
	h = forge(t, h, body, plainTags, rsaKey(t))
	v := &Verifier{Resolver: &stuck{}}
	r := v.Start(context.Background(), h, nil)
	r.Cancel()
	r.Cancel()
	r.Write([]byte(body))
	if got := r.Finish(context.Background()); got[0].Status != TempError {
		t.Errorf("%+v", got[0])
	}
	r.Cancel()
}

func TestResolverPanics(t *testing.T) {
	h, body := message(plainText)
	h = forge(t, h, body, plainTags, rsaKey(t))
	for name, r := range map[string]resolve.Resolver{"panic": &broken{}, "nil": nil} {
		if got := verify(t, r, h, body); got[0].Status != TempError || !errors.Is(got[0].Err, ErrKeyUnavailable) {
			t.Errorf("%s: %+v", name, got[0])
		}
	}
}

// TestBodyIsHashedOnce: eight signatures of two kinds, two hashers.
func TestBodyIsHashedOnce(t *testing.T) {
	h, body := message(plainText)
	var all header.Fields
	for i := range 8 {
		c := []string{"relaxed/relaxed", "simple/simple"}[i%2]
		all = append(all, forge(t, h, body, strings.Replace(plainTags, "relaxed/relaxed", c, 1), rsaKey(t))[0])
	}
	v := &Verifier{Resolver: zone(t, plainName, record(t, rsaKey(t))), Now: clock}
	r := v.Start(context.Background(), append(all, h...), nil)
	defer r.Cancel()
	if n := r.bodies.Len(); n != 2 {
		t.Errorf("%d hashers", n)
	}
	if n := testing.AllocsPerRun(10, func() { r.Write([]byte(body)) }); n > 1 { // the conversion
		t.Errorf("%v allocations a chunk", n)
	}
}

func TestZeroVerifierHasAClock(t *testing.T) {
	h, body := message(plainText)
	h = forge(t, h, body, strings.Replace(plainTags, "v=1;", fmt.Sprintf("v=1; t=%d; x=%d;", time.Now().Unix()-60, time.Now().Unix()+600), 1), rsaKey(t))
	v := &Verifier{Resolver: zone(t, plainName, record(t, rsaKey(t)))}
	r := v.Start(context.Background(), h, nil)
	r.Write([]byte(body))
	if got := r.Finish(context.Background()); got[0].Status != Pass {
		t.Error(got[0].Err)
	}
}

// FuzzParseSignature: nothing panics, and what is reported stays bounded.
func FuzzParseSignature(f *testing.F) {
	h, _ := message(readVector(f, "rfc8463-a3.eml"))
	f.Add(h[0].Value)
	f.Add(strings.Replace(plainTags, "@BH@", strings.Repeat("A", 43), 1) + " b=AA==; l=1; t=1; x=2; q=dns/txt; z=a|b")
	f.Add("i==@==;d=\xff.;s=.")
	f.Add(strings.Replace(plainTags, "@example", "@.!", 1) + " b=AA==")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	z := &resolve.Zone{}
	if err := z.Add("*.example", "TXT", record(f, key)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s, err := parseSignature(header.Field{Name: fieldName, Value: value}, 0)
		if err == nil && (s.domain == "" || s.selector == "" || len(s.names) == 0 || len(s.bodyHash) != 32 || len(s.sig) == 0 || !isOrBelow(s.auidHost, s.domain)) {
			t.Errorf("%+v", s)
		}
		if len(s.domain) > 253 || len(s.selector) > 253 || len(s.auid) > maxAUIDLen || len(s.algorithm) > 40 {
			t.Errorf("unbounded: %+v", s)
		}
		got := verify(t, z, header.Fields{{Name: fieldName, Value: value}, {Name: "From", Value: " a@b.example"}}, "x")
		if len(got) != 1 || got[0].Status == Pass || got[0].Err == nil {
			t.Errorf("%+v", got)
		}
		if text := got[0].Err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 1000 {
			t.Errorf("error text %q", text)
		}
	})
}

// publicOnly lends record a key that nobody can sign with.
type publicOnly struct{ pub *rsa.PublicKey }
