package setup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/secondopinion"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/milter/witness"
)

// proofBody exercises what canonicalisation does: white space, empty lines.
const proofBody = "This message proves a key.  \r\n\r\n two\t lines \r\n\r\n\r\n"

// testMessage is what proves a domain.
func testMessage(domain, token string, now time.Time) string {
	return strings.Join([]string{
		"From: sealmilter set-up <postmaster@" + domain + ">",
		"To: postmaster@" + domain,
		"Subject: test of  outbound mail",
		"Date: " + now.Format(time.RFC1123Z),
		"Message-ID: <" + token + "@" + domain + ">",
		witness.Field + ": " + token,
		"",
		proofBody,
	}, "\r\n")
}

// provesItself has a second implementation verify the signatures of the domain's
// keys in a message.
func provesItself(raw string, signing []*keys.Key) error {
	for _, k := range signing {
		if err := secondopinion.Prove([]byte(raw), k.Domain, k.Selector, publish.Record(k)); err != nil {
			return err
		}
	}
	return nil
}

// selfTest sends a message of each domain, and one of a stranger, through the
// socket as the MTA's user. It asks again while the daemon takes its new
// configuration up.
func selfTest(ctx context.Context, mta mtaSide, store *keys.Store, domains []string) error {
	for end := time.Now().Add(selfTestFor); ; {
		err := selfTestOnce(ctx, mta, store, domains)
		if err == nil || time.Now().After(end) || strings.Contains(err.Error(), "permission denied") {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func selfTestOnce(ctx context.Context, mta mtaSide, store *keys.Store, domains []string) error {
	for _, d := range domains {
		signing, _, err := store.PickTrial(d)
		if err != nil {
			return err
		}
		a, err := ownProbe(d, testMessage(d, "setup", time.Now())).as(ctx, mta)
		switch {
		case err != nil:
			return err
		case a.Code != 250:
			return fmt.Errorf("a message of %s is answered with %d %s", d, a.Code, a.Text)
		}
		if err := provesItself(a.Raw, signing); err != nil {
			return err
		}
	}
	a, err := foreignProbe(domains[0]).as(ctx, mta)
	if err == nil && a.Code >= 400 && a.Code < 500 { // to refuse it for good is a matter of policy
		err = fmt.Errorf("a stranger's message is answered with %d %s", a.Code, a.Text)
	}
	return err
}
