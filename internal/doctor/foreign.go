package doctor

import (
	"context"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// ForeignKey looks at a selector whose private key somebody else holds: a
// newsletter service, Amazon SES. Its record is mostly a CNAME to theirs.
func ForeignKey(ctx context.Context, r resolve.Resolver, domain, selector string) Finding {
	name := selector + "._domainkey." + domain
	f := Finding{Level: Fail, Check: "dkim", Subject: name, Want: words.Say("the CNAME or TXT record that the service tells you"), Who: Zone}
	if err := resolve.CheckName(name); err != nil {
		f.Message, f.Who = words.Say("is no name that the DNS can hold: %s", err.Error()), You
		return f
	}
	a, err := r.LookupTXT(ctx, name)
	switch {
	case resolve.Temporary(err):
		return unknown("dkim", name, err)
	case err != nil:
		f.Message, f.Seen = words.Say("there is no key: the service's signatures fail"), voidWord(err)
		doubled := name + "." + domain
		if resolve.CheckName(doubled) == nil {
			if _, err := r.LookupTXT(ctx, doubled); err == nil {
				f.Message = tooDeep(domain)
			}
		}
		return f
	}
	f.Seen = show(a.Records[0])
	rec, err := dkim.ParseKeyRecord(a.Records[0])
	switch {
	case len(a.Records) > 1:
		f.Message = words.Say("%d TXT records at this name, so that receivers may take the wrong one", len(a.Records))
	case err != nil:
		f.Message = words.Say("the record cannot be read: %s", clip(err.Error()))
	case rec.Revoked:
		f.Message = words.Say("the record revokes the key (p= is empty)")
	case rec.Public == nil:
		f.Message, f.Who = words.Say("a key of a type that nobody verifies with: %s", clip(rec.Type)), Service
	case rec.Type == "rsa" && rec.Bits < dkim.MinRSABits:
		f.Message, f.Who = words.Say("an RSA key of %d bits: too short for every receiver (RFC 8301 section 3.2)", rec.Bits), Service
	case rec.Testing:
		f.Level, f.Message, f.Who = Warn, testMode(), Service
	case rec.Type == "rsa" && rec.Bits < goodRSABits:
		f.Level, f.Message, f.Who = Warn, words.Say("the key has only %d bits", rec.Bits), Service
		f.Want = words.Say("an RSA key of 2048 bits (RFC 8301 section 3.2)")
	default:
		return Finding{Level: Pass, Check: "dkim", Subject: name, Message: words.Say("a key (%s, %d bits) that somebody else holds", clip(rec.Type), rec.Bits)}
	}
	return f
}
