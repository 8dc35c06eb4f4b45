package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// gate is a Resolver that answers when it is told to.
type gate struct {
	*resolve.Zone
	mu      sync.Mutex
	waiting []chan struct{}
	widest  int // so many waited at a time
}

func gated[T any](ctx context.Context, g *gate, ask func() (resolve.Answer[T], error)) (resolve.Answer[T], error) {
	open := make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, open)
	g.mu.Unlock()
	select {
	case <-open:
		return ask()
	case <-ctx.Done():
		return resolve.Answer[T]{}, fmt.Errorf("%w: %w", resolve.ErrTemporary, ctx.Err())
	}
}

func (g *gate) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	return gated(ctx, g, func() (resolve.Answer[string], error) { return g.Zone.LookupTXT(ctx, name) })
}

func (g *gate) LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return gated(ctx, g, func() (resolve.Answer[netip.Addr], error) { return g.Zone.LookupA(ctx, name) })
}

func (g *gate) LookupAAAA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return gated(ctx, g, func() (resolve.Answer[netip.Addr], error) { return g.Zone.LookupAAAA(ctx, name) })
}

func (g *gate) LookupMX(ctx context.Context, name string) (resolve.Answer[resolve.MX], error) {
	return gated(ctx, g, func() (resolve.Answer[resolve.MX], error) { return g.Zone.LookupMX(ctx, name) })
}

func (g *gate) LookupPTR(ctx context.Context, ip netip.Addr) (resolve.Answer[string], error) {
	return gated(ctx, g, func() (resolve.Answer[string], error) { return g.Zone.LookupPTR(ctx, ip) })
}

// release answers one of the questions that wait, and says how many there were.
func (g *gate) release(choose func(n int) int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.waiting)
	g.widest = max(g.widest, n)
	if n > 0 {
		i := choose(n)
		close(g.waiting[i])
		g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
	}
	return n
}

// orderZone has questions for every method: a chain of SPF includes, walks of
// DMARC that meet, an existence question, names for iprev; %s is the key.
const orderZone = `
192.0.2.1                  PTR  mail.example.com
192.0.2.1                  PTR  other.example.com
mail.example.com           A    192.0.2.1
bounce.example.com         TXT  "v=spf1 include:one.example.com include:two.example.com a:mail.example.com -all"
one.example.com            TXT  "v=spf1 a:nowhere.example.com -all"
two.example.com            TXT  "v=spf1 mx -all"
two.example.com            MX   10 mx.example.com
mx.example.com             A    192.0.2.9
_dmarc.example.com         TXT  "v=DMARC1; p=reject; np=quarantine"
_dmarc.sub.example.com     TXT  "v=DMARC1; p=none; psd=n"
_dmarc.strict.test         TXT  "v=DMARC1; p=quarantine; adkim=s"
s._domainkey.example.com       TXT "%[1]s"
s._domainkey.a.sub.example.com TXT "%[1]s"
s._domainkey.b.strict.test     TXT "%[1]s"
`

// orderCases are messages: the author addresses, the domains that sign, and
// what DMARC says when every question is answered.
var orderCases = map[string]struct{ from, signers, want string }{
	"aligned by DKIM and SPF":      {"a@news.example.com", "example.com", "pass quarantine"},
	"aligned by SPF":               {"a@news.example.com", "b.strict.test", "pass quarantine"},
	"psd=n in between":             {"a@x.sub.example.com", "a.sub.example.com example.com", "pass none"},
	"psd=n, another's signature":   {"a@x.sub.example.com", "example.com", "fail none"},
	"strict":                       {"a@strict.test", "b.strict.test", "fail quarantine"},
	"a name that exists":           {"a@mail.example.com", "b.strict.test", "pass reject"},
	"several authors":              {"a@news.example.com, b@x.sub.example.com, c@strict.test", "example.com a.sub.example.com", "fail quarantine"},
	"several authors, one unknown": {"a@example.com, b@nobody.test", "example.com b.strict.test a.sub.example.com", "none "},
	"no record":                    {"a@nobody.test", "example.com", "none "},
}

var dmarcWords = regexp.MustCompile(`dmarc=(\w+)(?:.*policy\.dmarc=(\w+))?`)

// synctestEpoch is when time begins in synctest.
func synctestEpoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestOrderOfAnswers: what is found out does not depend on the order in which
// the DNS answers, with all questions answered and with each of them failing.
// (With a failure the reason may name one victim or another; the results,
// identities and policies are the same.)
func TestOrderOfAnswers(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	zoneText := fmt.Sprintf(orderZone, "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	for name, tc := range orderCases {
		t.Run(name, func(t *testing.T) {
			h := header.Fields{{Name: "From", Value: " " + tc.from}}
			for _, d := range strings.Fields(tc.signers) {
				g, err := dkim.NewSigning(h, []dkim.Signer{{Domain: d, Selector: "s", Key: key, Now: synctestEpoch}})
				if err != nil {
					t.Fatal(err)
				}
				v, err := g.Finish()
				if err != nil {
					t.Fatal(err)
				}
				h = append(header.Fields{{Name: "DKIM-Signature", Value: v[0]}}, h...)
			}
			z := resolve.MustZone(zoneText)
			first := inOrder(t, z, h, func(int) int { return 0 })
			questions := z.Asked()
			if m := dmarcWords.FindStringSubmatch(strings.ReplaceAll(first, "\r\n", "")); m == nil || m[1]+" "+m[2] != tc.want || strings.Count(first, "dkim=pass") != len(strings.Fields(tc.signers)) {
				t.Fatalf("want dmarc %s, and every signature good: %s", tc.want, first)
			}
			if len(questions) < 8 {
				t.Fatalf("only %d questions", len(questions))
			}
			rng := rand.New(rand.NewPCG(9989, 8601))
			orders := map[string]func(n int) int{"last first": func(n int) int { return n - 1 }}
			for i := range 10 {
				orders[fmt.Sprint("at random, ", i)] = rng.IntN
			}
			for order, choose := range orders {
				if d := cmp.Diff(first, inOrder(t, resolve.MustZone(zoneText), h, choose)); d != "" {
					t.Errorf("%s: %s", order, d)
				}
			}
			for _, q := range questions {
				typ, qname, _ := strings.Cut(q, " ")
				broken := zoneText + qname + " " + typ + " !servfail\n"
				first := results(inOrder(t, resolve.MustZone(broken), h, func(int) int { return 0 }))
				for _, choose := range []func(n int) int{func(n int) int { return n - 1 }, rng.IntN, rng.IntN} {
					if d := cmp.Diff(first, results(inOrder(t, resolve.MustZone(broken), h, choose))); d != "" {
						t.Errorf("without %s: %s", q, d)
					}
				}
			}
		})
	}
}

// inOrder checks a message, its questions answered in the order of choose, and
// returns the Authentication-Results.
func inOrder(t *testing.T, z *resolve.Zone, h header.Fields, choose func(n int) int) (value string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		g := &gate{Zone: z}
		a := &Authenticator{Resolver: g, SPF: true, DKIM: true, DMARC: true, IPRev: true,
			Receiver: "mx.example", Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8}
		ip := netip.MustParseAddr("192.0.2.1")
		env := &Envelope{Direction: Inbound, ClientIP: ip, Helo: "mail.example.com", MailFrom: "b@bounce.example.com"}
		done := make(chan struct{})
		go func() {
			defer close(done)
			peer := a.Connect(context.Background(), ip)
			defer peer.Close()
			c := a.Begin(context.Background(), env, peer)
			defer c.Cancel()
			c.Headers(h)
			value = FormatResults("mx.example", c.Finish(), env)
		}()
		for {
			synctest.Wait() // until everybody waits for an answer
			select {
			case <-done:
				if g.widest < 3 {
					t.Errorf("only %d questions side by side: there is no order", g.widest)
				}
				return
			default:
			}
			if g.release(choose) == 0 {
				t.Error("nobody asks, and nothing is decided")
				<-done // the message's deadline
				return
			}
		}
	})
	return value
}

// results is the field without the reasons.
func results(v string) string {
	p, err := parseResults(v)
	if err != nil {
		return err.Error() + " in " + v
	}
	for i := range p.results {
		p.results[i].reason = ""
	}
	return fmt.Sprintf("%+v", p)
}
