package dkim

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
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
		{name: "h= has a thousand names", tags: []string{"h=from:to:subject", "h=from" + strings.Repeat(":x", 999)}, status: Pass},
		{name: "h= has a thousand names and one", tags: []string{"h=from:to:subject", "h=from" + strings.Repeat(":x", 1000)}, status: Neutral, err: ErrSyntax},
		{name: "h= folded, any case", tags: []string{"h=from:to:subject", "h=FROM :\r\n\t To: Subject"}, status: Pass},
		{name: "from not signed", tags: []string{"h=from:", "h=x-from:"}, status: PermError, err: ErrFromNotSigned},
		{name: "h= names the signature itself", tags: []string{"h=from:", "h=dkim-signature:from:"}, status: Pass},
		{name: "no i=", tags: []string{"i=@example.com; ", ""}, status: Pass},
		{name: "i= in a subdomain", tags: []string{"i=@example.com", "i=joe@a.B.example.com"}, status: Pass},
		{name: "i= elsewhere", tags: []string{"i=@example.com", "i=@example.org"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= in a parent", tags: []string{"i=@example.com", "i=@com"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= as long as one below d=", tags: []string{"i=@example.com", "i=@a.example.org"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= ends like d=", tags: []string{"i=@example.com", "i=@notexample.com"}, status: PermError, err: ErrDomainMismatch},
		{name: "i= without @", tags: []string{"i=@example.com", "i=example.com"}, status: Neutral, err: ErrSyntax},
		{name: "i= quoted-printable and folded", tags: []string{"i=@example.com", "i=jo=\r\n 40e=40\r\n ex=61mple.com"}, status: Pass},
		{name: "i= quoted-printable to its end", tags: []string{"i=@example.com", "i=@example.co=6D"}, status: Pass},
		{name: "i= broken quoted-printable", tags: []string{"i=@example.com", "i==4@example.com"}, status: Neutral, err: ErrSyntax},
		{name: "i= in utf-8 (RFC 8616)", tags: []string{"i=@example.com", "i=조@example.com"}, status: Pass},
		{name: "i= as long as it may be", tags: []string{"i=@example.com", "i=" + strings.Repeat("x", 1000-len("@example.com")) + "@example.com"}, status: Pass},
		{name: "i= too long", tags: []string{"i=@example.com", "i=" + strings.Repeat("x", 1001-len("@example.com")) + "@example.com"}, status: Neutral, err: ErrSyntax},
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
		{name: "second subject, a control character in its name", after: []string{"From: Joe", "Sub\x01ject: no\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "second subject, behind a bare CR", after: []string{"From: Joe", "X: y\rSubject: no\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "second subject, behind a bare CR and another field", after: []string{"From: Joe", "X: y\rX-Y: z\rSubject: no\r\nFrom: Joe"}, status: Policy, err: ErrDuplicates},
		{name: "subject in a fold", after: []string{"From: Joe", "X: y\r\n Subject: no\r\nFrom: Joe"}, status: Pass},
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

// TestReportedAlgorithm: a report names the a= of a signature that was not
// tried, too, when it is a word that can stand there (RFC 6376 §3.5 a=).
func TestReportedAlgorithm(t *testing.T) {
	word := strings.Repeat("x", 40)
	for a, want := range map[string]string{
		"rsa-sha1": "rsa-sha1", "DSA-SHA512": "dsa-sha512", word: word, word + "x": "", "rsa_sha256": "", "rsa sha256": "", "": "",
	} {
		got := verify(t, zone(t, plainName, record(t, rsaKey(t))), header.Fields{{Name: fieldName, Value: " a=" + a}}, "")
		if len(got) != 1 || got[0].Algorithm != want {
			t.Errorf("a=%s: %+v, want %q", a, got, want)
		}
	}
}

// TestFieldLength: a field of 64 KiB is read, one byte more is not.
func TestFieldLength(t *testing.T) {
	for length, want := range map[int]error{64 << 10: ErrMissingTag, 64<<10 + 1: ErrSyntax} {
		value := " v=1; n="
		value += strings.Repeat("x", length-len(value))
		if _, err := parseSignature(header.Field{Name: fieldName, Value: value}, 0); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", length, err, want)
		}
	}
}
