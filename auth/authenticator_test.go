package auth

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// slowly answers questions about names below one suffix late, as an
// attacker's own name server may. The time is synctest's.
type slowly struct {
	*resolve.Zone
	suffix string
	delay  time.Duration
}

func (s slowly) wait(ctx context.Context, name string) error {
	if !strings.HasSuffix(name, s.suffix) {
		return nil
	}
	select {
	case <-time.After(s.delay):
		return nil
	case <-ctx.Done():
		return resolve.ErrTemporary
	}
}

func (s slowly) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	if err := s.wait(ctx, name); err != nil {
		return resolve.Answer[string]{}, err
	}
	return s.Zone.LookupTXT(ctx, name)
}

func (s slowly) LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	if err := s.wait(ctx, name); err != nil {
		return resolve.Answer[netip.Addr]{}, err
	}
	return s.Zone.LookupA(ctx, name)
}

const spoofZone = `
bank.example          TXT "v=spf1 -all"
_dmarc.bank.example   TXT "v=DMARC1; p=reject"
old.example           TXT "v=spf1 ptr -all"
_dmarc.old.example    TXT "v=DMARC1; p=reject"
attacker.test         TXT "v=spf1 +all"
192.0.2.66            PTR a.attacker.test
192.0.2.66            PTR b.attacker.test
192.0.2.66            PTR c.attacker.test
192.0.2.66            PTR d.attacker.test
192.0.2.66            PTR e.attacker.test
`

// spoof runs one message of 192.0.2.66 through all checks.
func spoof(r resolve.Resolver, mailFrom, from string) Results {
	a := &Authenticator{
		Resolver: r, SPF: true, DKIM: true, DMARC: true, IPRev: true,
		Receiver: "mx.example", Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
	}
	ip := netip.MustParseAddr("192.0.2.66")
	peer := a.Connect(context.Background(), ip)
	defer peer.Close()
	env := &Envelope{Direction: Inbound, ClientIP: ip, Helo: "x.attacker.test", MailFrom: mailFrom}
	c := a.Begin(context.Background(), env, peer)
	defer c.Cancel()
	c.Headers(header.Fields{{Name: "From", Value: " " + from}})
	return c.Finish()
}

// An attacker's own names and name servers must not turn the failure of a
// p=reject domain into a temperror, which is let through.
func TestSpoofsStayFailures(t *testing.T) {
	deep := func(s string) string { return "x@a.b.c.d.e.f." + s + ".test" }
	long := deep("e.t1") + "," + deep("e.t2") + "," + deep("e.t3") + "," + deep("e.t4")
	for name, tc := range map[string]struct{ mailFrom, from, slow string }{
		"alone":                          {"x@attacker.test", "ceo@bank.example", ""},
		"behind authors with long walks": {"x@a.b.c.d.e.f.g.attacker.test", strings.ReplaceAll(long, ".test", "") + ",ceo@bank.example", ""},
		"behind a slow author":           {"x@attacker.test", deep("attacker") + ",ceo@bank.example", "attacker.test"},
		"behind slow authors":            {"x@attacker.test", "a@a.attacker.test,b@b.attacker.test,c@c.attacker.test,d@d.attacker.test,ceo@bank.example", "attacker.test"},
		"before a slow author":           {"x@attacker.test", "ceo@bank.example," + deep("attacker"), "attacker.test"},
		"slow names of the client, ptr":  {"x@old.example", "ceo@old.example", "attacker.test"},
		"slow mail from of another":      {"x@a.b.c.d.e.f.g.attacker.test", "ceo@bank.example", "attacker.test"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := spoof(slowly{resolve.MustZone(spoofZone), cmp.Or(tc.slow, "nobody"), 2900 * time.Millisecond}, tc.mailFrom, tc.from)
				if r.DMARC.Status != dmarc.Fail || r.DMARC.Policy != dmarc.PolicyReject {
					t.Errorf("dmarc=%s policy=%s (%v), spf=%s (%v) after %v", r.DMARC.Status, r.DMARC.Policy, r.DMARC.Err, r.SPF.Status, r.SPF.Err, time.Since(start))
				}
			})
		})
	}
}

// Relayed mail: a host of ours that does not tell who handed it over leaves SPF
// open only when nobody did; a client that cannot be told is not believed, and
// not rejected either.
func TestOriginOfRelayedMail(t *testing.T) {
	a := &Authenticator{
		Resolver: resolve.MustZone(spoofZone), SPF: true, DKIM: true, DMARC: true,
		Receiver: "mx.example", Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
	}
	for name, tc := range map[string]struct {
		find     func(*Check)
		dmarc    dmarc.Status
		indirect string
	}{
		"no hop outside":   {func(*Check) {}, dmarc.TempError, ""},
		"unknown":          {(*Check).OriginUnknown, dmarc.Fail, "unknown-origin"},
		"not the sender's": {func(c *Check) { c.Origin(netip.MustParseAddr("192.0.2.66"), "x") }, dmarc.Fail, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := a.Begin(t.Context(), &Envelope{Direction: Relayed, MailFrom: "ceo@bank.example"}, nil)
			defer c.Cancel()
			tc.find(c)
			c.Headers(header.Fields{{Name: "From", Value: " ceo@bank.example"}})
			if r := c.Finish(); r.DMARC.Status != tc.dmarc || r.Indirect != tc.indirect {
				t.Errorf("dmarc=%s (%v), indirect %q", r.DMARC.Status, r.DMARC.Err, r.Indirect)
			}
		})
	}
}

// TestHeaders: what Headers takes is what DKIM, the author and the marks of
// indirect mail are read from; a From field that an MTA may hide is not called
// missing.
func TestHeaders(t *testing.T) {
	a := &Authenticator{Resolver: resolve.MustZone(spoofZone), DKIM: true, DMARC: true, Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8}
	for name, tc := range map[string]struct {
		hidden   bool
		header   string
		author   string
		domains  []string
		indirect string
	}{
		"a From field":                   {false, "From: ceo@bank.example", "", []string{"bank.example"}, ""},
		"a From field behind the hidden": {true, "From: ceo@bank.example", "", []string{"bank.example"}, ""},
		"none":                           {false, "To: ceo@bank.example", "no From field", nil, ""},
		"none, the first is hidden":      {true, "To: ceo@bank.example", "no From field among those that this MTA shows, and it may hide the first", nil, ""},
		"a mark":                         {false, "Resent-From: x@example.net|From: ceo@bank.example", "", []string{"bank.example"}, "resent"},
	} {
		t.Run(name, func(t *testing.T) {
			c := a.Begin(t.Context(), &Envelope{Direction: Inbound, FirstHidden: tc.hidden}, nil)
			defer c.Cancel()
			c.Headers(fields(tc.header + "|DKIM-Signature: v=1"))
			r := c.Finish()
			author := ""
			if r.Author.Err != nil {
				author = r.Author.Err.Error()
			}
			if author != tc.author || !slices.Equal(r.Author.Domains, tc.domains) || r.Indirect != tc.indirect || len(r.DKIM) != 1 {
				t.Errorf("%+v, indirect %q, %d signatures", r.Author, r.Indirect, len(r.DKIM))
			}
		})
	}
}

// A panic in DKIM is our fault: it must end neither the session nor the message
// in a 5xx (docs/design.md, "What may fail").
func TestPanicInDKIM(t *testing.T) {
	panics := 0
	a := &Authenticator{
		Resolver: resolve.MustZone(spoofZone), SPF: true, DKIM: true, DMARC: true, Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
		Now:   func() time.Time { panic("test") },
		Panic: func(method string, _ any, _ []byte) { panics++ },
	}
	env := &Envelope{Direction: Inbound, ClientIP: netip.MustParseAddr("192.0.2.66"), Helo: "x", MailFrom: "x@attacker.test"}
	c := a.Begin(context.Background(), env, nil)
	defer c.Cancel()
	sig := " v=1; a=rsa-sha256; d=bank.example; s=s; h=from; b=YQ==; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	c.Headers(header.Fields{{Name: "DKIM-Signature", Value: sig}, {Name: "From", Value: " a@bank.example"}})
	c.Write([]byte("x"))
	r := c.Finish()
	if panics != 1 || len(r.DKIM) != 1 || r.DKIM[0].Status != dkim.TempError || r.DMARC.Status != dmarc.TempError {
		t.Errorf("%d panics, %+v, dmarc=%s", panics, r.DKIM, r.DMARC.Status)
	}
}

// sharing notes for whom it is asked.
type sharing struct {
	resolve.Resolver
	asked []netip.Addr
}

func (s *sharing) For(ip netip.Addr) resolve.Resolver {
	s.asked = append(s.asked, ip)
	return s.Resolver
}

// Every question is asked on behalf of the client whose mail makes us ask.
func TestQuestionsCountForTheirClient(t *testing.T) {
	s := &sharing{Resolver: resolve.MustZone(spoofZone)}
	ip := netip.MustParseAddr("192.0.2.66")
	a := &Authenticator{Resolver: nobodys{share: s}, SPF: true, DKIM: true, DMARC: true, IPRev: true, Questions: 120, Timeout: 10 * time.Second}
	peer := a.Connect(t.Context(), ip)
	defer peer.Close()
	c := a.Begin(t.Context(), &Envelope{Direction: Inbound, ClientIP: ip, Helo: "x.example", MailFrom: "a@attacker.test"}, peer)
	defer c.Cancel()
	c.Headers(header.Fields{{Name: "From", Value: " <a@bank.example>"}})
	if got := c.Finish(); got.SPF == nil || got.DMARC == nil || got.DMARC.Status != dmarc.Fail {
		t.Errorf("%+v", got)
	}
	if want := []netip.Addr{ip, ip}; !slices.Equal(s.asked, want) {
		t.Errorf("asked for %v, want %v", s.asked, want)
	}
}

// Relayed mail counts for the host that gave it to our relay, from the first
// question on.
func TestRelayedQuestionsCountForTheirOrigin(t *testing.T) {
	zone := resolve.MustZone(spoofZone)
	s := &sharing{Resolver: zone}
	relay, origin := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.66")
	a := &Authenticator{Resolver: nobodys{share: s}, SPF: true, DMARC: true, Questions: 120, Timeout: 10 * time.Second}
	c := a.Begin(t.Context(), &Envelope{Direction: Relayed, ClientIP: relay, MailFrom: "a@attacker.test"}, nil)
	defer c.Cancel()
	if len(c.warm) > 0 || c.spf != nil {
		t.Error("something is asked already")
	}
	c.Origin(origin, "x.example")
	c.Headers(header.Fields{{Name: "From", Value: " <a@bank.example>"}})
	if got := c.Finish(); got.SPF == nil || got.DMARC.Status != dmarc.Fail {
		t.Errorf("%+v", got)
	}
	if got := s.asked[len(s.asked)-1]; got != origin || len(zone.Asked()) < 2 {
		t.Errorf("asked for %v: %v", s.asked, zone.Asked())
	}
}

// nobodys has no resolver of its own: only what For gives out may be asked.
type nobodys struct {
	resolve.Resolver // nil
	share            *sharing
}

func (n nobodys) For(ip netip.Addr) resolve.Resolver { return n.share.For(ip) }
