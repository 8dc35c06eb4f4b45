package dkim

import (
	"bytes"
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// The second opinion: go-msgauth, which shares no code with us.

func theirLookup(z *resolve.Zone) *msgauth.VerifyOptions {
	return &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		a, err := z.LookupTXT(context.Background(), name)
		return a.Records, err
	}}
}

// TestTheyVerifyOurs: our signatures on every shape of message, in all forms.
func TestTheyVerifyOurs(t *testing.T) {
	z := testZone(t)
	for name, text := range testMessages {
		for _, hc := range []Canonicalization{Simple, Relaxed} {
			for _, bc := range []Canonicalization{Simple, Relaxed} {
				h, body := message(text)
				s := testSigners(t)
				for i := range s {
					s[i].HeaderCanon, s[i].BodyCanon = hc, bc
					s[i].AUID = "@example.com"
					s[i].Now, s[i].Expire = time.Now, time.Hour // they have no clock to set
				}
				msg := raw(sign(t, h, body, s...), body)
				got, err := msgauth.VerifyWithOptions(strings.NewReader(msg), theirLookup(z))
				if err != nil || len(got) != 2 {
					t.Fatalf("%s: %v, %v", name, got, err)
				}
				for i, v := range got {
					if v.Err != nil {
						t.Errorf("%s %s/%s, signature %d: %v", name, hc, bc, i, v.Err)
					}
				}
			}
		}
	}
}

// TestWeVerifyTheirs is the other way round.
func TestWeVerifyTheirs(t *testing.T) {
	z := testZone(t)
	for name, text := range testMessages {
		for selector, key := range map[string]crypto.Signer{"r": rsaKey(t), "e": edKey(t)} {
			for _, hc := range []msgauth.Canonicalization{"simple", "relaxed"} {
				for _, bc := range []msgauth.Canonicalization{"simple", "relaxed"} {
					h, body := message(text)
					var out bytes.Buffer
					err := msgauth.Sign(&out, strings.NewReader(raw(h, body)), &msgauth.SignOptions{
						Domain: "example.com", Selector: selector, Signer: key, Identifier: "joe@example.com",
						HeaderCanonicalization: hc, BodyCanonicalization: bc, Expiration: testNow.Add(1e6 * time.Hour),
					})
					if err != nil {
						t.Fatal(err)
					}
					h, body = message(out.String())
					v := &Verifier{Resolver: z}
					r := v.Start(context.Background(), h, nil)
					r.Write([]byte(body))
					if got := r.Finish(context.Background()); len(got) != 1 || got[0].Status != Pass {
						t.Errorf("%s %s %s/%s: %+v", name, selector, hc, bc, got)
					}
				}
			}
		}
	}
}

// TestWeAgree: both sides say pass or not pass to the same damaged messages.
func TestWeAgree(t *testing.T) {
	z := testZone(t)
	h, body := message(testMessages["folded"] + "More  text. \n\n\n")
	s := testSigners(t)
	for i := range s {
		s[i].Now = time.Now
	}
	good := raw(sign(t, h, body, s...), body)
	compared, agreedOnPass := 0, 0
	for i := range len(good) {
		if good[i] == '\r' || good[i] == '\n' {
			continue // their reader repairs line ends before they look
		}
		bad := good[:i] + string([]byte{good[i] ^ 1}) + good[i+1:]
		if strings.IndexByte("\r\n\x00", bad[i]) >= 0 {
			continue
		}
		theirs, err := msgauth.VerifyWithOptions(strings.NewReader(bad), theirLookup(z))
		if err != nil {
			continue // no header section any more
		}
		h, body := message(bad)
		r := (&Verifier{Resolver: z}).Start(context.Background(), h, nil)
		r.Write([]byte(body))
		ours := r.Finish(context.Background())
		if len(ours) != len(theirs) {
			t.Errorf("byte %d: %d results, they %d", i, len(ours), len(theirs))
			continue
		}
		for j := range ours {
			compared++
			if ours[j].Status == Pass {
				agreedOnPass++
			}
			if (ours[j].Status == Pass) != (theirs[j].Err == nil) {
				t.Errorf("byte %d %q, signature %d: %s (%v), they %v", i, good[max(0, i-10):min(len(good), i+10)], j, ours[j].Status, ours[j].Err, theirs[j].Err)
			}
		}
	}
	if compared < len(good) || agreedOnPass < 100 { // one signature survives what is done to the other
		t.Errorf("only %d compared, %d passed", compared, agreedOnPass)
	}
}
