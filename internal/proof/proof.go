// Package proof has a second implementation of DKIM verify what a key signs,
// before the key is trusted with mail.
package proof

import (
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/internal/secondopinion"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// proofBody exercises what canonicalisation does: white space, empty lines.
const proofBody = "This message proves a key.  \r\n\r\n two\t lines \r\n\r\n\r\n"

// Key signs a sample message with the key, and has a second implementation
// verify it against the record that the key's owner is told to publish.
func Key(k *keys.Key) error {
	fields := header.Fields{
		{Name: "From", Value: " <postmaster@" + k.Domain + ">"},
		{Name: "To", Value: " <postmaster@" + k.Domain + ">"},
		{Name: "Subject", Value: " proof  of\r\n\tkey " + k.Name()},
	}
	run, err := dkim.NewSigning(fields, []dkim.Signer{{
		Domain: k.Domain, Selector: k.Selector, Key: k,
		Headers: []string{"From", "To", "Subject"}, Oversign: []string{"From", "Subject"},
	}})
	if err != nil {
		return fmt.Errorf("the key cannot sign: %w", err)
	}
	run.Write([]byte(proofBody))
	values, err := run.Finish()
	if err != nil {
		return fmt.Errorf("the key cannot sign: %w", err)
	}
	var msg strings.Builder
	msg.WriteString("DKIM-Signature:" + values[0] + "\r\n")
	for _, f := range fields {
		msg.WriteString(f.Raw())
	}
	msg.WriteString("\r\n" + proofBody)
	return secondopinion.Prove([]byte(msg.String()), k.Domain, k.Selector, publish.Record(k))
}
