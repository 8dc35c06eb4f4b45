package dkim_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// A message is signed while its body goes by, and verified in the same way.
func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	message := header.Fields{
		{Name: "From", Value: " Kim <kim@example.com>"},
		{Name: "Subject", Value: " hello"},
	}
	const body = "How are you?\r\n"

	signing, err := dkim.NewSigning(message, []dkim.Signer{{
		Domain: "example.com", Selector: "s1", Key: key, Headers: []string{"From", "Subject"}, Oversign: []string{"From"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	io.WriteString(signing, body)
	signatures, err := signing.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}

	record := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	v := dkim.Verifier{Resolver: resolve.MustZone(`s1._domainkey.example.com TXT "` + record + `"`)}
	message = append(header.Fields{{Name: "DKIM-Signature", Value: signatures[0]}}, message...)
	for _, text := range []string{body, strings.ToUpper(body)} {
		verification := v.Start(context.Background(), message, []string{"example.com"})
		io.WriteString(verification, text)
		for _, r := range verification.Finish(context.Background()) {
			fmt.Println(r.Status, r.Domain, r.Algorithm, r.Err)
		}
	}
	// Output:
	// pass example.com ed25519-sha256 <nil>
	// fail example.com ed25519-sha256 body hash did not verify
}
