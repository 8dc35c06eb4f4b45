package doctor

import (
	"context"
	"fmt"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// ForeignKey looks at a selector whose private key somebody else holds: a
// newsletter service, Amazon SES. Its record is mostly a CNAME to theirs.
func ForeignKey(ctx context.Context, r resolve.Resolver, domain, selector string) Finding {
	name := selector + "._domainkey." + domain
	f := Finding{Level: Fail, Check: "dkim", Subject: name, Want: "the CNAME or TXT record that the service tells you"}
	if err := resolve.CheckName(name); err != nil {
		f.Message = "is no name that the DNS can hold: " + err.Error()
		return f
	}
	a, err := r.LookupTXT(ctx, name)
	switch {
	case resolve.Temporary(err):
		return unknown("dkim", name, err)
	case err != nil:
		f.Message, f.Seen = "there is no key: the service's signatures fail", voidWord(err)
		doubled := name + "." + domain
		if resolve.CheckName(doubled) == nil {
			if _, err := r.LookupTXT(ctx, doubled); err == nil {
				f.Message = "the record stands one domain too deep, because the DNS panel adds the domain to the name: type the name without ." + domain
			}
		}
		return f
	}
	f.Seen = clip(a.Records[0])
	rec, err := dkim.ParseKeyRecord(a.Records[0])
	switch {
	case len(a.Records) > 1:
		f.Message = fmt.Sprintf("%d TXT records at this name, so that receivers may take the wrong one", len(a.Records))
	case err != nil:
		f.Message = "the record cannot be read: " + clip(err.Error())
	case rec.Revoked:
		f.Message = "the record revokes the key (p= is empty)"
	case rec.Public == nil:
		f.Message = "a key of a type that nobody verifies with: " + clip(rec.Type)
	case rec.Type == "rsa" && rec.Bits < dkim.MinRSABits:
		f.Message = fmt.Sprintf("an RSA key of %d bits: too short for every receiver (RFC 8301 section 3.2)", rec.Bits)
	case rec.Testing:
		f.Level, f.Message = Warn, "t=y: receivers treat the signatures as if there were none"
	default:
		return Finding{Level: Pass, Check: "dkim", Subject: name, Message: fmt.Sprintf("a key (%s, %d bits) that somebody else holds", clip(rec.Type), rec.Bits)}
	}
	return f
}
