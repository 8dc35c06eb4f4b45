package auth_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// One message, checked while it arrives: the client, MAIL FROM, the header section,
// the body.
func ExampleAuthenticator() {
	a := &auth.Authenticator{
		Resolver: resolve.MustZone(`
1.2.0.192.in-addr.arpa PTR mx.example.com
mx.example.com A 192.0.2.1
example.com TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com TXT "v=DMARC1; p=reject"
`),
		SPF: true, DKIM: true, DMARC: true, IPRev: true,
		Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
	}
	ctx := context.Background()
	env := &auth.Envelope{
		Direction: auth.Inbound, ClientIP: netip.MustParseAddr("192.0.2.1"), Helo: "mx.example.com", MailFrom: "kim@example.com",
	}
	peer := a.Connect(ctx, env.ClientIP)
	defer peer.Close()
	check := a.Begin(ctx, env, peer)
	defer check.Cancel()
	check.Headers(header.Fields{{Name: "From", Value: " Kim <kim@example.com>"}, {Name: "Subject", Value: " hello"}})
	io.WriteString(check, "How are you?\r\n")
	results := check.Finish()

	fmt.Println(results.DMARC.Status, results.Author.Domain())
	field := auth.FormatResults("mx.example.net", results, env)
	fmt.Println("Authentication-Results:" + strings.ReplaceAll(field, "\r\n\t", "\n  "))
	// Output:
	// pass example.com
	// Authentication-Results: mx.example.net;
	//   iprev=pass policy.iprev=192.0.2.1;
	//   spf=pass smtp.mailfrom=example.com;
	//   dkim=none;
	//   dmarc=pass header.from=example.com policy.dmarc=reject
}

func ExampleParseAuthor() {
	for _, from := range []string{" Kim <kim@example.com>", " kim@example.com, lee@example.org", " root (Cron Daemon)"} {
		a := auth.ParseAuthor(header.Fields{{Name: "From", Value: from}})
		fmt.Println(a.Domains, a.Err)
	}
	// Output:
	// [example.com] <nil>
	// [example.com example.org] <nil>
	// [] no address in the From field
}
