package doctor

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// goodRSABits is what RFC 8301 §3.2 wants of signers.
const goodRSABits = 2048

// dkimKey compares a key on disk with what the DNS shows (RFC 6376 §3.6).
func dkimKey(ctx context.Context, r resolve.Resolver, d Domain, k *keys.Key) Finding {
	f := Finding{Level: Fail, Check: "dkim", Subject: k.Name(), Want: words.Data(publish.Record(k)), Paste: txt(k.Name(), publish.Record(k)), Who: Zone}
	if k.Domain == d.Name && slices.Contains(d.Foreign, k.Selector) {
		f.Message = words.Say("%s has the selector of somebody else's key, and a name holds one key: signatures with ours fail", k.Path())
		f.Want, f.Paste, f.Who = words.Say("another selector for ours, and its record"), words.Data("sealmilter keys new "+k.Domain+" && rm "+k.Path()), You
		return f
	}
	missing := Fail
	if k.Algorithm() == keys.Ed25519SHA256 {
		missing = Warn // receivers then rely on the RSA signature
	}
	a, err := r.LookupTXT(ctx, k.Name())
	switch {
	case resolve.Temporary(err):
		return unknown("dkim", k.Name(), err)
	case err != nil:
		f.Level = missing
		f.Message = words.Say("the record of %s is not in the DNS: signatures with it fail", k.Path())
		f.Seen = voidWord(err)
		if sentence, seen := misplaced(ctx, r, d, k); !sentence.Empty() {
			f.Level, f.Message, f.Seen = Fail, sentence, seen
		}
		return f
	}
	f.Seen = show(strings.Join(a.Records, "  and  "))
	if len(a.Records) > 1 {
		// RFC 6376 §3.6.2.2: with several records the results are undefined.
		if severalStrings(a.Records, publish.Record(k)) {
			f.Message = words.Say("the panel made two records of one value: enter both pieces as strings of one record, or the value in one piece")
			return f
		}
		f.Message = words.Say("%d TXT records at this name, so that receivers may take the wrong one: leave only ours", len(a.Records))
		return f
	}
	rec, err := dkim.ParseKeyRecord(a.Records[0])
	if err != nil {
		f.Message = words.Say("the record cannot be read: %s", clip(err.Error())).And(mangled(a.Records[0], publish.Record(k)))
		return f
	}
	return judgeRecord(f, rec, a.Records[0], k)
}

func judgeRecord(f Finding, rec *dkim.KeyRecord, text string, k *keys.Key) Finding {
	typ, _, _ := strings.Cut(k.Algorithm(), "-")
	switch {
	case rec.Revoked:
		f.Message = words.Say("the record revokes the key (p= is empty)")
	case rec.Type != typ:
		f.Message = words.Say("the record is for a %s key, ours is %s", clip(rec.Type), typ)
	case !samePublic(rec, k):
		f.Message = words.Say("the record holds another key than %s", k.Path()).And(mangled(text, publish.Record(k)))
	case rec.Hashes != nil && !slices.Contains(rec.Hashes, "sha256"):
		f.Message = words.Say("h= of the record does not allow sha256")
	case rec.Services != nil && !slices.Contains(rec.Services, "*") && !slices.Contains(rec.Services, "email"):
		f.Message = words.Say("s= of the record does not allow mail")
	case rec.Testing:
		// §3.6.1 t=y: such mail is treated like unsigned mail.
		f.Level, f.Message = Warn, testMode()
	case typ == "rsa" && k.Bits() < goodRSABits:
		f.Level, f.Want, f.Who = Warn, words.Say("an RSA key of 2048 bits (RFC 8301 section 3.2)"), You
		f.Message, f.Paste = words.Say("the key has only %d bits", k.Bits()), words.Data("sealmilter keys new "+k.Domain)
	default:
		return Finding{Level: Pass, Check: f.Check, Subject: f.Subject, Message: words.Say("the record holds the key of %s (%s, %d bits)", k.Path(), typ, k.Bits())}
	}
	return f
}

func samePublic(rec *dkim.KeyRecord, k *keys.Key) bool {
	if rec.Public == nil {
		return false
	}
	a, errA := x509.MarshalPKIXPublicKey(rec.Public)
	b, errB := x509.MarshalPKIXPublicKey(k.Public())
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// mangled names what DNS panels commonly do to a long record.
func mangled(seen, want string) words.Text {
	switch {
	case strings.Count(strings.ToLower(seen), "v=dkim1") > 1:
		return words.Say("; the value stands in it twice: enter it once")
	case seen != "" && strings.HasPrefix(want, seen):
		return words.Say("; it is cut off after %d bytes: enter it as several strings of at most 255 bytes each", len(seen))
	case strings.ContainsAny(seen, `"`):
		return words.Say("; quotation marks are part of it: enter the value without them")
	case strings.Contains(seen, `\`):
		return words.Say("; backslashes are part of it: enter ; without a backslash")
	}
	return words.Text{}
}

// testMode is RFC 6376 §3.6.1's t=y.
func testMode() words.Text {
	return words.Say("t=y: receivers treat the signatures as if there were none")
}

func voidWord(err error) words.Text {
	if errors.Is(err, resolve.ErrNXDomain) {
		return words.Say("no such name (NXDOMAIN)")
	}
	return words.Say("the name has no such record")
}
