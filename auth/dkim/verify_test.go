package dkim

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	plainText = "From: Joe <joe@example.com>\nTo: sue@example.net\nSubject: hi\nContent-Type: text/plain\n\nHi.\n\nBye.\n"
	plainTags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=sel; i=@example.com; h=from:to:subject; bh=@BH@;"
	plainName = "sel._domainkey.example.com"
)

// TestFailures has a row for each way in which RFC 6376 §6.1 says that a
// signature does not pass, and for those of RFC 8301, RFC 8463 and our own.
// Unless the signature field cannot be read at all, it is a right signature
// over what the row says.
func TestFailures(t *testing.T) {
	k, rec := rsaKey(t), record(t, rsaKey(t))
	now := testNow.Unix()
	tests := []struct {
		name   string
		tags   []string // old, new, ... in plainTags
		key    string   // the TXT record, "" for the right one
		after  []string // old, new, ... in the signed message
		body   string   // the body that arrives, "" for the signed one
		status Status
		err    error
	}{
		{name: "verifies", status: Pass},

		// §6.1.1
		{name: "no tag-list", tags: []string{"v=1;", "v=1; nonsense;"}, status: Neutral, err: ErrSyntax},
		{name: "duplicate tag", tags: []string{"v=1;", "v=1; v=1;"}, status: Neutral, err: ErrSyntax},
		{name: "unknown tags are ignored", tags: []string{"v=1;", "v=1; zz=top; z=From:x|To:y;"}, status: Pass},
		{name: "tags in upper case are unknown", tags: []string{"i=@example.com", "I=@example.org"}, status: Pass},
		{name: "version 2", tags: []string{"v=1", "v=2"}, status: Neutral, err: ErrVersion},
		{name: "version 1.0", tags: []string{"v=1", "v=1.0"}, status: Neutral, err: ErrVersion},
		{name: "no v=", tags: []string{"v=1; ", ""}, status: PermError, err: ErrMissingTag},
		{name: "no a=", tags: []string{"a=rsa-sha256; ", ""}, status: PermError, err: ErrMissingTag},
		{name: "no d=", tags: []string{"d=example.com; ", ""}, status: PermError, err: ErrMissingTag},
		{name: "no s=", tags: []string{"s=sel; ", ""}, status: PermError, err: ErrMissingTag},
		{name: "no h=", tags: []string{"h=from:to:subject; ", ""}, status: PermError, err: ErrMissingTag},
		{name: "no bh=", tags: []string{"bh=@BH@;", ""}, status: PermError, err: ErrMissingTag},
		{name: "no b=", after: []string{" b=", " xb="}, status: PermError, err: ErrMissingTag},
		{name: "empty b=", after: []string{" b=", " b=; xb="}, status: Neutral, err: ErrSyntax},
		{name: "b= is not base64", after: []string{" b=", " b=*"}, status: Neutral, err: ErrSyntax},
		{name: "bh= is not base64", after: []string{" bh=", " bh=*"}, status: Neutral, err: ErrSyntax},
		{name: "bh= too long", after: []string{" bh=", " bh=AAAA"}, status: Neutral, err: ErrSyntax},
		{name: "rsa-sha1 (RFC 8301)", tags: []string{"rsa-sha256", "rsa-sha1"}, status: PermError, err: ErrSHA1},
		{name: "unknown algorithm", tags: []string{"rsa-sha256", "dsa-sha512"}, status: Neutral, err: ErrUnsupported},
		{name: "algorithm in upper case", tags: []string{"rsa-sha256", "RSA-SHA256"}, status: Pass},
		{name: "unknown canonicalization", tags: []string{"relaxed/relaxed", "nowsp/relaxed"}, status: Neutral, err: ErrUnsupported},
		{name: "unknown body canonicalization", tags: []string{"relaxed/relaxed", "relaxed/x"}, status: Neutral, err: ErrUnsupported},
		{name: "c= with one word", tags: []string{"relaxed/relaxed", "relaxed"}, status: Pass},
		{name: "no c=", tags: []string{"c=relaxed/relaxed; ", ""}, status: Pass},
		{name: "q=dns/txt among others", tags: []string{"v=1;", "v=1; q=http/x : DNS/TXT;"}, status: Pass},
		{name: "q= without dns/txt", tags: []string{"v=1;", "v=1; q=dns/foo:http;"}, status: Neutral, err: ErrUnsupported},
		{name: "d= has one label", tags: []string{"d=example.com", "d=com"}, status: Neutral, err: ErrSyntax},
		{name: "d= ends in a dot", tags: []string{"d=example.com", "d=example.com."}, status: Neutral, err: ErrSyntax},
		{name: "d= is an address", tags: []string{"d=example.com", "d=192.0.2.1"}, status: Neutral, err: ErrSyntax},
		{name: "d= has white space", tags: []string{"d=example.com", "d=exam ple.com"}, status: Neutral, err: ErrSyntax},
		{name: "d= has a slash", tags: []string{"d=example.com", "d=exam/ple.com"}, status: Neutral, err: ErrSyntax},
		{name: "d= has a nul", tags: []string{"d=example.com", "d=example\x00.com"}, status: Neutral, err: ErrSyntax},
		{name: "d= in upper case", tags: []string{"d=example.com", "d=EXAMPLE.Com"}, status: Pass},
		{name: "s= in upper case", tags: []string{"s=sel", "s=SEL"}, status: Pass},
		{name: "s= ends in a dot", tags: []string{"s=sel", "s=sel."}, status: Neutral, err: ErrSyntax},
		{name: "s= is empty", tags: []string{"s=sel", "s="}, status: Neutral, err: ErrSyntax},
		{name: "s= label too long", tags: []string{"s=sel", "s=" + strings.Repeat("x", 64)}, status: Neutral, err: ErrSyntax},
		{name: "h= is empty", tags: []string{"h=from:to:subject", "h="}, status: Neutral, err: ErrSyntax},
		{name: "h= has an empty name", tags: []string{"h=from:to:subject", "h=from::to"}, status: Neutral, err: ErrSyntax},
		{name: "h= has a thousand names and one", tags: []string{"h=from:to:subject", "h=from" + strings.Repeat(":x", 1000)}, status: Neutral, err: ErrSyntax},
		{name: "h= folded, any case", tags: []string{"h=from:to:subject", "h=FROM :\r\n\t To: Subject"}, status: Pass},
		{name: "from not signed", tags: []string{"h=from:", "h=x-from:"}, status: PermError, err: ErrFromNotSigned},
		{name: "h= names the signature itself", tags: []string{"h=from:", "h=dkim-signature:from:"}, status: Pass},
		{name: "no i=", tags: []string{"i=@example.com; ", ""}, status: Pass},
		{name: "i= in a subdomain", tags: []string{"i=@example.com", "i=joe@a.B.example.com"}, status: Pass},
		{name: "i= elsewhere", tags: []string{"i=@example.com", "i=@example.org"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= in a parent", tags: []string{"i=@example.com", "i=@com"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= ends like d=", tags: []string{"i=@example.com", "i=@notexample.com"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= without @", tags: []string{"i=@example.com", "i=example.com"}, status: Neutral, err: ErrSyntax},
		{name: "i= quoted-printable and folded", tags: []string{"i=@example.com", "i=jo=\r\n 40e=40\r\n ex=61mple.com"}, status: Pass},
		{name: "i= broken quoted-printable", tags: []string{"i=@example.com", "i==4@example.com"}, status: Neutral, err: ErrSyntax},
		{name: "i= in utf-8 (RFC 8616)", tags: []string{"i=@example.com", "i=조@example.com"}, status: Pass},
		{name: "i= too long", tags: []string{"i=@example.com", "i=" + strings.Repeat("x", 1000) + "@example.com"}, status: Neutral, err: ErrSyntax},
		{name: "expired", tags: []string{"v=1;", fmt.Sprintf("v=1; x=%d;", now-1)}, status: PermError, err: ErrExpired},
		{name: "not yet expired", tags: []string{"v=1;", fmt.Sprintf("v=1; t=%d; x=%d;", now-5, now)}, status: Pass},
		{name: "x= is not after t=", tags: []string{"v=1;", fmt.Sprintf("v=1; t=%d; x=%d;", now-5, now-5)}, status: Neutral, err: ErrSyntax},
		{name: "x= beyond all numbers", tags: []string{"v=1;", "v=1; t=1; x=" + strings.Repeat("9", 40) + ";"}, status: Pass},
		{name: "x= is negative", tags: []string{"v=1;", "v=1; x=-1;"}, status: Neutral, err: ErrSyntax},
		{name: "t= is a word", tags: []string{"v=1;", "v=1; t=now;"}, status: Neutral, err: ErrSyntax},
		{name: "l= is a word", tags: []string{"v=1;", "v=1; l=1e9;"}, status: Neutral, err: ErrSyntax},
		{name: "l= with 77 digits", tags: []string{"v=1;", "v=1; l=" + strings.Repeat("0", 77) + ";"}, status: Neutral, err: ErrSyntax},
		{name: "field too long", tags: []string{"v=1;", "v=1; n=" + strings.Repeat("x", 64<<10) + ";"}, status: Neutral, err: ErrSyntax},

		// §6.1.2
		{name: "key query fails", key: "!servfail", status: TempError, err: ErrKeyUnavailable},
		{name: "no key", key: "!nxdomain", status: PermError, err: ErrNoKey},
		{name: "key is another record", key: "v=spf1 -all", status: PermError, err: ErrKeySyntax},
		{name: "key with another version", key: strings.Replace(rec, "DKIM1", "DKIM1.0", 1), status: PermError, err: ErrKeySyntax},
		{name: "key with v= not first", key: strings.Replace(rec, "v=DKIM1; k=rsa", "k=rsa; v=DKIM1", 1), status: PermError, err: ErrKeySyntax},
		{name: "key without v= and k=", key: strings.Replace(rec, "v=DKIM1; k=rsa;", "", 1), status: Pass},
		{name: "key for sha1 only", key: rec + "; h=sha1", status: PermError, err: ErrKeyHash},
		{name: "key for sha1 and sha256", key: rec + "; h=sha1 : SHA256", status: Pass},
		{name: "key for other services", key: rec + "; s=tlsrpt", status: PermError, err: ErrKeyService},
		{name: "key for all services", key: rec + "; s=tlsrpt:*", status: Pass},
		{name: "key for email", key: rec + "; s=Email", status: Pass},
		{name: "key revoked", key: "v=DKIM1; p=", status: PermError, err: ErrKeyRevoked},
		{name: "key of another type", key: record(t, edKey(t)), status: PermError, err: ErrKeyAlgorithm},
		{name: "key of an unknown type", key: "v=DKIM1; k=dilithium; p=AAAA", status: PermError, err: ErrKeyAlgorithm},
		{name: "ed25519 for an rsa key (RFC 8463)", tags: []string{"rsa-sha256", "ed25519-sha256"}, status: PermError, err: ErrKeyAlgorithm},
		{name: "t=s with i= in a subdomain", tags: []string{"i=@example.com", "i=@a.example.com"}, key: rec + "; t=y:s", status: PermError, err: ErrDomainMismatch},
		{name: "t=s with i= in d=", tags: []string{"i=@example.com", "i=joe@Example.com"}, key: rec + "; t=s", status: Pass},
		{name: "t=s without i=", tags: []string{"i=@example.com; ", ""}, key: rec + "; t=s", status: Pass},
		{name: "t=y", key: rec + "; t=y", status: Pass},

		// §6.1.3
		{name: "body changed", body: "Hi.\r\n\r\nBye!\r\n", status: Fail, err: ErrBodyHash},
		{name: "body changed, white space only", body: "Hi. \r\n \r\nBye.\t\r\n\r\n", status: Pass},
		{name: "body changed, simple", tags: []string{"relaxed/relaxed", "relaxed/simple"}, body: "Hi. \r\n\r\nBye.\r\n", status: Fail, err: ErrBodyHash},
		{name: "subject changed", after: []string{"Subject: hi", "Subject: Hi"}, status: Fail, err: ErrSignature},
		{name: "subject refolded", after: []string{"Subject: hi", "SUBJECT:\r\n\thi "}, status: Pass},
		{name: "subject refolded, simple", tags: []string{"relaxed/relaxed", "simple/relaxed"}, after: []string{"Subject: hi", "Subject:  hi"}, status: Fail, err: ErrSignature},
		{name: "unsigned field changed", after: []string{"text/plain", "text/html"}, status: Pass},
		{name: "signature field changed", after: []string{"i=@", "i=x@"}, status: Fail, err: ErrSignature},
		{name: "signature cut", after: []string{" b=", " b=A"}, status: Fail, err: ErrSignature},
		{name: "body changed and no key now", body: "Bye.\r\n", key: "!timeout", status: Fail, err: ErrBodyHash},
		{name: "body changed and key revoked", body: "Bye.\r\n", key: "v=DKIM1; p=", status: PermError, err: ErrKeyRevoked},

		// what we do not accept
		{name: "l= of the whole body", tags: []string{"v=1;", "v=1; l=13;"}, status: Policy, err: ErrBodyLength},
		{name: "l= of half the body", tags: []string{"v=1;", "v=1; l=5;"}, body: "Hi.\r\nSpam!\r\n", status: Policy, err: ErrBodyLength},
		{name: "l= and more body", tags: []string{"v=1;", "v=1; l=13;"}, body: "Hi.\r\n\r\nBye.\r\nSpam!\r\n", status: Policy, err: ErrBodyLength},
		{name: "l= and a changed body", tags: []string{"v=1;", "v=1; l=13;"}, body: "Ho.\r\n\r\nBye.\r\n", status: Fail, err: ErrBodyHash},
		{name: "l=0", tags: []string{"v=1;", "v=1; l=0;"}, status: Policy, err: ErrBodyLength},
		{name: "l= larger than the body", tags: []string{"v=1;", "v=1; l=14;"}, status: Fail, err: ErrBodyHash},
		{name: "l= beyond all numbers", tags: []string{"v=1;", "v=1; l=" + strings.Repeat("9", 76) + ";"}, status: Fail, err: ErrBodyHash},
		{name: "l= and no key now", tags: []string{"v=1;", "v=1; l=13;"}, key: "!timeout", status: Policy, err: ErrBodyLength},
		{name: "t= an hour ahead", tags: []string{"v=1;", fmt.Sprintf("v=1; t=%d;", now+3600)}, status: Pass},
		{name: "t= more than an hour ahead", tags: []string{"v=1;", fmt.Sprintf("v=1; t=%d;", now+3601)}, status: Policy, err: ErrFuture},
		{name: "t= beyond all numbers", tags: []string{"v=1;", "v=1; t=" + strings.Repeat("9", 40) + ";"}, status: Policy, err: ErrFuture},
		{name: "t= ahead and the subject changed", tags: []string{"v=1;", fmt.Sprintf("v=1; t=%d;", now+9999)}, after: []string{"Subject: hi", "Subject: ho"}, status: Fail, err: ErrSignature},
		{name: "second from on top", after: []string{"From: Joe", "From: Boss <boss@example.com>\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "second from, obsolete spelling", after: []string{"From: Joe", "fROM : Boss <boss@example.com>\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "second subject on top", after: []string{"From: Joe", "Subject: no\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "second content-type, signed", tags: []string{"h=from:", "h=content-type:from:"}, after: []string{"From: Joe", "Content-Type: text/html\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "second content-type, not signed", after: []string{"From: Joe", "Content-Type: text/html\r\nFrom: Joe"}, status: Pass},
		{name: "second from below", after: []string{"Subject: hi", "Subject: hi\r\nFrom: Boss <boss@example.com>"}, status: Fail, err: ErrSignature},
		{name: "second from, oversigned", tags: []string{"h=from:", "h=from:from:"}, after: []string{"From: Joe", "From: Boss <boss@example.com>\r\nFrom: Joe"}, status: Fail, err: ErrSignature},
		{name: "oversigned", tags: []string{"h=from:", "h=from:from:cc:"}, status: Pass},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, body := message(plainText)
			h = forge(t, h, body, strings.NewReplacer(tt.tags...).Replace(plainTags), k)
			h, body = message(strings.NewReplacer(tt.after...).Replace(raw(h, body)))
			if tt.body != "" {
				body = tt.body
			}
			key := tt.key
			if key == "" {
				key = rec
			}
			got := verify(t, zone(t, plainName, key), h, body)
			if len(got) != 1 || got[0].Status != tt.status || !errors.Is(got[0].Err, tt.err) || (got[0].Err == nil) != (tt.err == nil) {
				t.Fatalf("%+v, want %s (%v)", got, tt.status, tt.err)
			}
			if got[0].Err != nil && (len(got[0].Err.Error()) > 300 || strings.ContainsAny(got[0].Err.Error(), "\r\n\x00")) {
				t.Errorf("error text %q", got[0].Err)
			}
			if got[0].Testing != strings.Contains(key, "t=y") {
				t.Errorf("testing is %v", got[0].Testing)
			}
		})
	}
}

// TestKeySizes: RFC 8301 §3.2, and our upper limit.
func TestKeySizes(t *testing.T) {
	for _, tt := range []struct {
		bits   int
		status Status
		err    error
	}{{512, PermError, ErrKeyTooShort}, {1023, PermError, ErrKeyTooShort}, {1024, Pass, nil}, {4097, Policy, ErrKeyTooLong}} {
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

// TestChoice: DESIGN §10, which signatures are verified when there are many.
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
			if fmt.Sprint(chosen) != tt.want || len(chosen)+len(rest) != len(h) {
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
		if strings.ContainsAny(got[0].Err.Error(), "\r\n") {
			t.Errorf("error text %q", got[0].Err)
		}
	})
}

// publicOnly lends record a key that nobody can sign with.
type publicOnly struct{ pub *rsa.PublicKey }
