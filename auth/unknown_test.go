package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// mute is a resolver that gives up after three seconds on names below one suffix.
type mute struct {
	*resolve.Zone
	suffix string
}

func (m mute) fails(ctx context.Context, name string) bool {
	if !strings.HasSuffix(name, m.suffix) {
		return false
	}
	select {
	case <-time.After(3 * time.Second): // synctest's
	case <-ctx.Done():
	}
	return true
}

func (m mute) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	if m.fails(ctx, name) {
		return resolve.Answer[string]{}, resolve.ErrTemporary
	}
	return m.Zone.LookupTXT(ctx, name)
}

func (m mute) LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	if m.fails(ctx, name) {
		return resolve.Answer[netip.Addr]{}, resolve.ErrTemporary
	}
	return m.Zone.LookupA(ctx, name)
}

// Names that the sender chose and that answer too late leave the verdict open,
// and the policy known: whoever decides can tell them from a resolver of ours
// that is away.
func TestSlowNamesLeaveThePolicyKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		mailFrom, from, slow string
		policy               dmarc.Policy
	}{
		"MAIL FROM below the author":   {"x@slow.bank.example", "ceo@bank.example", "slow.bank.example", dmarc.PolicyReject},
		"author below the policy":      {"x@attacker.test", "ceo@slow.bank.example", "slow.bank.example", dmarc.PolicyReject},
		"author deep below the policy": {"x@attacker.test", "ceo@a.b.c.d.e.f.g.slow.bank.example", "slow.bank.example", dmarc.PolicyReject},
		"nothing answers":              {"x@attacker.test", "ceo@bank.example", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := spoof(mute{resolve.MustZone(spoofZone), tc.slow}, tc.mailFrom, tc.from)
				if r.DMARC.Status != dmarc.TempError || r.DMARC.Policy != tc.policy {
					t.Errorf("dmarc=%s policy=%q (%v), want temperror policy=%q", r.DMARC.Status, r.DMARC.Policy, r.DMARC.Err, tc.policy)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("after %v", took)
				}
			})
		})
	}
}

// The time that a message has may end before a key server's silence does. That
// is the sender's doing as well.
func TestDeadlineLeavesThePolicyKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := spoof(slowly{resolve.MustZone(spoofZone), "slow.bank.example", time.Hour}, "x@slow.bank.example", "ceo@bank.example")
		if r.DMARC.Status != dmarc.TempError || r.DMARC.Policy != dmarc.PolicyReject {
			t.Errorf("dmarc=%s policy=%q (%v)", r.DMARC.Status, r.DMARC.Policy, r.DMARC.Err)
		}
	})
}

// TestDomainless: which From fields are in nobody's name.
func TestDomainless(t *testing.T) {
	for from, want := range map[string]bool{
		" root (Cron Daemon)":                   true,
		" root":                                 true,
		" <>":                                   true,
		" Mail Delivery <>":                     true,
		" undisclosed:;":                        true,
		" a@[192.0.2.1]":                        true,
		" Scanner <a@[IPv6:2001:db8::1]>":       true,
		" kim@example.com":                      false,
		" a@[192.0.2.1], ceo@bank.example":      false,
		" a@[192.0.2.1] (x), <b@[192.0.2.2]>":   true,
		" ceo@bank.example <>":                  false,
		" =?us-ascii?q?ceo=40bank.example?= <>": false,
		" =?us-ascii?q?=3Cceo=40bank.example=3E?= <a@[192.0.2.1]>": false,
		" ceo@":                  true,
		" a@[192.0.2.1":          true,
		" ceo@xn--bank-.example": false,
		" ceo@bank..example":     false,
	} {
		a := ParseAuthor(header.Fields{{Name: "From", Value: from}})
		if a.Domainless() != want {
			t.Errorf("%q: %v (%v, shown %v), want %v", from, !want, a.Err, a.Shown, want)
		}
		if want && !errors.Is(a.Err, ErrNoAuthor) {
			t.Errorf("%q: %v", from, a.Err)
		}
	}
	for _, h := range []header.Fields{nil, {{Name: "From", Value: " root"}, {Name: "From", Value: " <>"}}} {
		if ParseAuthor(h).Domainless() {
			t.Errorf("%d From fields", len(h))
		}
	}
}

// More author domains than are evaluated are none, those counted that only some
// readers see (RFC 9989 §11.5).
func TestTooManyAuthors(t *testing.T) {
	for name, tc := range map[string]struct {
		from string
		fine bool
	}{
		"five":                     {"x@a.example, x@b.example, x@c.example, x@d.example, ceo@bank.example", true},
		"six":                      {"x@a.example, x@b.example, x@c.example, x@d.example, x@e.example, ceo@bank.example", false},
		"five and a route's":       {"x@a.example, x@b.example, x@c.example, x@d.example, <@e.example:ceo@bank.example>", false},
		"six that are the same":    {"x@a.example, y@a.example, x@b.example, x@c.example, x@d.example, ceo@bank.example", true},
		"five and a route's again": {"x@a.example, x@b.example, x@c.example, x@d.example, <@a.example:ceo@bank.example>", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := spoof(resolve.MustZone(spoofZone), "x@attacker.test", tc.from)
			if tc.fine && (r.Author.Err != nil || r.DMARC.Status != dmarc.Fail || r.DMARC.Policy != dmarc.PolicyReject) {
				t.Errorf("%s: %v, dmarc=%s policy=%s", name, r.Author.Err, r.DMARC.Status, r.DMARC.Policy)
			}
			if !tc.fine && (r.Author.Err == nil || !strings.Contains(r.Author.Err.Error(), "more than 5 author domains") || r.Author.Domains != nil || r.Author.Domainless()) {
				t.Errorf("%s: %v %v", name, r.Author.Err, r.Author.Domains)
			}
		})
	}
}
