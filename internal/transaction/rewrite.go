package transaction

import (
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/internal/transaction/sendmailform"
)

// Sendmail parses the address fields of every message again when it delivers
// it, after the milters, and writes them anew: `a@x,b@y` leaves as `a@x, b@y`,
// `Kim G. Dong <a@x>` as `"Kim G. Dong" <a@x>`, `app` as `app@host.example`.
// Any of these breaks a signature, relaxed canonicalisation or not. So what we
// sign is put into a form that Sendmail leaves alone, and then signed. The
// forms were measured with Sendmail 8.17; test/e2e asks the real one.

// rewritten are the fields that Sendmail treats so.
var rewritten = []string{"From", "Sender", "Reply-To", "To", "Cc", "Errors-To", "Disposition-Notification-To", "Apparently-To",
	"Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Reply-To"}

// rewriteAddresses replaces the address fields among names that Sendmail would
// change. It returns the new fields, the edits, and the names of fields that it
// does not understand: Sendmail may do anything to those. host completes
// addresses without a domain, as Sendmail does (the j macro). The fields
// given stay as they are.
func rewriteAddresses(fields header.Fields, names []string, host string) (header.Fields, []Edit, []string) {
	var edits []Edit
	var unclear []string
	seen := map[string]int{}
	out := fields
	for i, f := range fields {
		name := strings.TrimRight(f.Name, " \t\r\n")
		if !containsFold(rewritten, name) || !containsFold(names, name) {
			continue
		}
		key := strings.ToLower(name)
		seen[key]++
		value, ok := sendmailform.Form(f.Value, host)
		if ok && f.Is("From") {
			ok = sameAuthors(f.Value, value)
		}
		switch {
		case !ok:
			if !containsFold(unclear, name) {
				unclear = append(unclear, name)
			}
		case value != f.Value:
			if len(edits) == 0 {
				out = slices.Clone(fields)
			}
			out[i].Value = value
			edits = append(edits, Edit{Op: Change, Index: seen[key], Name: name, Value: value})
		}
	}
	return out, edits, unclear
}

// sameAuthors: no author may get lost, and a From that a receiver can read must
// not become one that it cannot.
func sameAuthors(before, after string) bool {
	b := auth.ParseAuthor(header.Fields{{Name: "From", Value: before}})
	a := auth.ParseAuthor(header.Fields{{Name: "From", Value: after}})
	if b.Err != nil {
		return true
	}
	for _, d := range b.Written() {
		if !slices.Contains(a.Domains, d) && d != "localhost" {
			return false
		}
	}
	return a.Err == nil
}
