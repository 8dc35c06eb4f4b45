package inspect

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// texts signs for domains with s1 keys, but for those whose name begins with "no".
func texts(t *testing.T, form publish.Form, domains ...string) DNSText {
	t.Helper()
	cfg := config.Default()
	cfg.Sign.Keys = filepath.Join(t.TempDir(), "keys")
	cfg.Egress = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	var specs []keys.DomainSpec
	for _, d := range domains {
		cfg.Sign.Domains = append(cfg.Sign.Domains, config.SignDomain{Name: d, Subdomains: true})
		specs = append(specs, keys.DomainSpec{Name: d, Subdomains: true})
		if !strings.HasPrefix(d, "no") {
			if _, err := keys.Generate(cfg.Sign.Keys, d, keys.GenerateOptions{Selector: "s1"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	store, problems := keys.Load(cfg.Sign.Keys, specs, nil)
	for _, p := range problems {
		if p.Severity == keys.Error {
			t.Fatal(p)
		}
	}
	return DNSText{Config: cfg, Store: store, Domains: domains, Form: form, NewKey: func(d string) string { return "sealmilter keys new " + d }}
}

// rows are what is written as CSV, without its first line.
func rows(t *testing.T, d DNSText) ([][]string, Written) {
	t.Helper()
	var b strings.Builder
	d.Form = publish.CSV
	done, err := d.Write(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:], done
}

func names(rows [][]string) string {
	var all []string
	for _, r := range rows {
		all = append(all, r[2]+"="+r[6])
	}
	return strings.Join(all, " ")
}

func TestDNSTextOfAll(t *testing.T) {
	d := texts(t, publish.CSV, "b.example", "no.example", "a.example")
	d.KeysOnly = true
	k := d.Store.Keys("a.example")[0]
	if k.Algorithm() != keys.RSASHA256 {
		k = d.Store.Keys("a.example")[1]
	}
	d.Resolver = resolve.MustZone(k.Name() + ` TXT "` + publish.Record(k) + `"` + "\nb.example * !timeout\ns1._domainkey.b.example * !timeout\n")
	got, done := rows(t, d)
	if n := names(got); n != "s1._domainkey.b.example=unknown s1e._domainkey.b.example=missing s1._domainkey.a.example=published s1e._domainkey.a.example=missing" {
		t.Error(n)
	}
	if len(done.Failed) != 1 || done.Failed[0].Error() != "there are no keys for no.example" || problem.Hint(done.Failed[0]) != "make them with: sealmilter keys new no.example" || len(done.Problems) != 0 {
		t.Errorf("%v, %v", done.Failed, done.Problems)
	}
	d.Skip = true
	got, done = rows(t, d)
	if n := names(got); n != "s1._domainkey.b.example=unknown s1e._domainkey.b.example=missing s1e._domainkey.a.example=missing" {
		t.Error(n)
	}
	if len(done.Problems) != 1 || !strings.Contains(done.Problems[0].Message, "no answer about 1 of 4 records") {
		t.Errorf("%v", done.Problems)
	}
}

// TestDNSTextFollowsAliases: a customer's alias counts by where it leads, the key
// behind it as if it stood there.
func TestDNSTextFollowsAliases(t *testing.T) {
	d := texts(t, publish.CSV, "customer.example", "hoster.example")
	d.To, d.KeysOnly = "dkim.hoster.example", true
	k := d.Store.Keys("customer.example")[0]
	zone := `
s1._domainkey.customer.example CNAME s1.customer.example.dkim.hoster.example.
s1e._domainkey.customer.example CNAME S1E.customer.example.dkim.hoster.example
s2._domainkey.customer.example CNAME s2.customer.dkim.hoster.example
` + k.Selector + `.customer.example.dkim.hoster.example TXT "` + publish.Record(k) + `"`
	z := resolve.MustZone(zone)
	d.Resolver = z
	got, done := rows(t, d)
	want := "s1._domainkey.customer.example=published s2._domainkey.customer.example=differs s1e._domainkey.customer.example=published s2e._domainkey.customer.example=missing"
	if n := names(got); !strings.HasPrefix(n, want+" customer.example=missing _dmarc.customer.example=missing s1.customer") || !strings.Contains(n, k.Selector+".customer.example.dkim.hoster.example=published") ||
		!strings.HasSuffix(n, " s1._domainkey.hoster.example=missing s1e._domainkey.hoster.example=missing") || len(done.Failed) != 0 {
		t.Errorf("%s, %v", n, done.Failed)
	}
	// What the daemon and doctor ask finds the key behind the alias.
	a, err := z.LookupTXT(t.Context(), k.Name())
	if err != nil || !publish.Shows(k, a.Records) {
		t.Errorf("%q, %v", a.Records, err)
	}
	d.Side = SideHoster
	got, _ = rows(t, d)
	if n := names(got); strings.Count(n, " ") != 1 || strings.Contains(n, "_domainkey") {
		t.Error(n)
	}
	d.Side = SideCustomer
	got, _ = rows(t, d)
	if n := names(got); !strings.HasPrefix(n, want) || strings.Contains(n, ".dkim.") {
		t.Error(n)
	}
}

// TestRecordGoesBehindTheAlias: nothing can stand where a customer's alias stands, so what
// is missing is missing at its end, wherever the question comes from.
func TestRecordGoesBehindTheAlias(t *testing.T) {
	d := texts(t, publish.CSV, "customer.example")
	d.KeysOnly, d.Skip = true, true
	for zone, want := range map[string]string{
		"": "s1._domainkey.customer.example=missing s1e._domainkey.customer.example=missing",
		"s1._domainkey.customer.example CNAME S1.customer.example.dkim.hoster.example.":       "s1.customer.example.dkim.hoster.example=missing s1e._domainkey.customer.example=missing",
		"s1._domainkey.customer.example CNAME s1.hoster.example\ns1.hoster.example TXT other": "s1.hoster.example=differs s1e._domainkey.customer.example=missing",
		"s1._domainkey.customer.example CNAME =cmd|x.example":                                 "s1._domainkey.customer.example=missing s1e._domainkey.customer.example=missing",
	} {
		d.Resolver = resolve.MustZone(zone)
		got, _ := rows(t, d)
		if n := names(got); n != want {
			t.Errorf("%s: %s", zone, n)
		}
		if at := got[0]; strings.HasSuffix(at[2], "hoster.example") && (at[7] != "hoster.example" || at[3]+".hoster.example" != at[2]) {
			t.Errorf("%q", at)
		}
	}
}

// TestAdviceStays: what others keep behind an alias is theirs to change.
func TestAdviceStays(t *testing.T) {
	d := texts(t, publish.CSV, "customer.example")
	d.Resolver = resolve.MustZone("_dmarc.customer.example CNAME customer.example.dmarc.vendor.example")
	got, _ := rows(t, d)
	if n := names(got); !strings.HasSuffix(n, " _dmarc.customer.example=missing") {
		t.Error(n)
	}
}

// TestDelegatedBeforeTheKeys: the owner can be asked before anything else is done.
func TestDelegatedBeforeTheKeys(t *testing.T) {
	d := texts(t, publish.Plain, "no.example")
	d.To, d.Side = "dkim.hoster.example", ""
	var b strings.Builder
	done, err := d.Write(t.Context(), &b)
	if err != nil || len(done.Failed) != 0 || strings.Count(b.String(), "CNAME\n") != 4 || !strings.Contains(b.String(), "# dkim.hoster.example: there are no keys for no.example yet; make them with: sealmilter keys new no.example --selector s1\n") {
		t.Errorf("%v, %v\n%s", done, err, &b)
	}
	d = texts(t, publish.Plain, "customer.example")
	if _, err := keys.Generate(d.Config.Sign.Keys, "customer.example", keys.GenerateOptions{Selector: "s20991231"}); err != nil {
		t.Fatal(err)
	}
	d.Store, _ = keys.Load(d.Config.Sign.Keys, []keys.DomainSpec{{Name: "customer.example"}}, nil)
	d.To = "dkim.hoster.example"
	done, err = d.Write(t.Context(), &b)
	d.Config.Sign.Domains[0].Selectors = []string{"s1", "s20991231"}
	if got, more := rows(t, d); len(more.Failed) != 1 || len(got) != 0 { // s20991231e signs and has no alias
		t.Errorf("%v, %q", more.Failed, got)
	}
	d.Config.Sign.Domains[0].Selectors = []string{"s1", "s1e", "s20991231", "s20991231e"}
	if got, more := rows(t, d); len(more.Failed) != 0 || !strings.Contains(names(got), " s20991231._domainkey.customer.example=") || strings.Contains(names(got), " s2._domainkey") {
		t.Errorf("%v, %q", more.Failed, got)
	}
	if err != nil || len(done.Failed) != 1 || !strings.Contains(done.Failed[0].Error(), "the key s20991231") || !strings.Contains(problem.Hint(done.Failed[0]), "keys new customer.example --selector s1") {
		t.Errorf("%v, %v", done.Failed, err)
	}
}

// TestHeloOnce: its record is one of the host's, not one a domain.
func TestHeloOnce(t *testing.T) {
	d := texts(t, publish.CSV, "no-a.example", "no-b.example", "no-c.example")
	d.Config.Sign.Domains = append(d.Config.Sign.Domains, config.SignDomain{Name: "unasked.other"})
	d.To = "dkim.hoster.example" // so that keys are not wanted
	for helo, want := range map[string]string{
		"mail.no-b.example":    "no-b.example",
		"mx.mail.no-b.example": "no-b.example",
		"mail.hoster.test":     "", // not theirs to publish
		"no-c.example":         "", // has a record as a domain
		"mail.unasked.other":   "", // listed, and not asked for
		"":                     "",
	} {
		d.Leaving.Helo = helo
		got, _ := rows(t, d)
		at := ""
		for _, r := range got {
			if r[2] == helo && strings.HasSuffix(r[4], " -all") {
				at += r[0]
			}
		}
		if at != want {
			t.Errorf("%q: at %q, want %q", helo, at, want)
		}
	}
	// Nobody's: where it is read first, but not among what customers are to publish.
	d = texts(t, publish.CSV, "a.example")
	d.Leaving.Helo = "mail.hoster.test"
	got, _ := rows(t, d)
	if n := names(got); !strings.Contains(n, " mail.hoster.test=unknown") {
		t.Error(n)
	}
	d.Domains = []string{"www.a.example", "a.example"} // the second is the one above it
	d.Leaving.Helo = "mail.a.example"
	got, _ = rows(t, d)
	if n := names(got); strings.Count(n, " mail.a.example=unknown") != 1 {
		t.Error(n)
	}
}

func TestIPv6IsToldWhereNoReasonsAre(t *testing.T) {
	d := texts(t, publish.CSV, "a.example")
	for form, want := range map[publish.Form]int{publish.CSV: 1, publish.Route53: 1, publish.Plain: 0, publish.BIND: 0} {
		d.Form = form
		d.Leaving.IPv6 = []netip.Addr{netip.MustParseAddr("2001:db8::1")}
		var b strings.Builder
		done, err := d.Write(t.Context(), &b)
		if err != nil || len(done.Problems) != want || strings.Contains(b.String(), "WARNING") != (want == 0) {
			t.Errorf("%s: %v, %v", form, done.Problems, err)
		}
	}
}

func TestNamesThatAreTooLong(t *testing.T) {
	label := strings.Repeat("a", 63)
	long := "no" + label[2:] + "." + label + "." + label + "."
	for tail, want := range map[string]string{strings.Repeat("b", 45): "there are no keys", strings.Repeat("b", 47): "is too long"} {
		d := texts(t, publish.Plain, long+tail)
		var b strings.Builder
		done, err := d.Write(t.Context(), &b)
		if err != nil || b.Len() > 0 || len(done.Failed) != 1 || !strings.Contains(done.Failed[0].Error(), want) || problem.Hint(done.Failed[0]) == "" {
			t.Errorf("%d bytes: %v, %v, %q", len(long+tail), done.Failed, err, &b)
		}
		_, err = keys.Generate(d.Config.Sign.Keys, long+tail, keys.GenerateOptions{Selector: "s1"})
		if (err == nil) != (want == "there are no keys") {
			t.Errorf("%d bytes: keys new says %v", len(long+tail), err)
		}
	}
}

// silent never answers, as a resolver that is not there, and counts.
type silent struct {
	resolve.Resolver
	asked atomic.Int32
}

func (s *silent) LookupTXT(context.Context, string) (resolve.Answer[string], error) {
	s.asked.Add(1)
	return resolve.Answer[string]{}, fmt.Errorf("%w: no server", resolve.ErrTemporary)
}

// TestSilenceIsNoticed: a thousand domains do not wait for a resolver that is not there.
func TestSilenceIsNoticed(t *testing.T) {
	d := texts(t, publish.CSV, "a.example")
	for range 999 {
		d.Domains = append(d.Domains, "a.example")
	}
	s := &silent{}
	d.Resolver, d.KeysOnly, d.Skip = s, true, true
	got, done := rows(t, d)
	if n := s.asked.Load(); len(got) != 2000 || n > 2*(maxSilent+askedAtOnce) || n < 2*maxSilent {
		t.Errorf("%d rows, %d questions", len(got), n)
	}
	if len(done.Problems) != 1 || !strings.Contains(done.Problems[0].Message, "2000 of 2000") {
		t.Errorf("%v", done.Problems)
	}
}

// TestNoBatchOfNothing: Amazon takes none, and there is nothing wrong.
func TestNoBatchOfNothing(t *testing.T) {
	d := texts(t, publish.Route53, "a.example")
	zone := &resolve.Zone{}
	for _, k := range d.Store.Keys("a.example") {
		if err := zone.Add(k.Name(), "TXT", publish.Record(k)); err != nil {
			t.Fatal(err)
		}
	}
	d.Resolver, d.Skip = zone, true
	var b strings.Builder
	if done, err := d.Write(t.Context(), &b); err != nil || b.Len() > 0 || len(done.Failed) > 0 {
		t.Errorf("%v, %v, %s", done, err, &b)
	}
	d = texts(t, publish.Route53, "no.example")
	if done, err := d.Write(t.Context(), &b); err != nil || b.Len() > 0 || len(done.Failed) != 1 || errors.Is(done.Failed[0], problem.ErrShown) {
		t.Errorf("%v, %v, %s", done, err, &b)
	}
}
