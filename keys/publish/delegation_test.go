package publish

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/keys"
)

func pair(t *testing.T, domain, selector string) []*keys.Key {
	t.Helper()
	made, err := keys.Generate(t.TempDir(), domain, keys.GenerateOptions{Selector: selector})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func lines(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s %s %.24s | %s in %s\n", e.Need, e.Name, e.Type, e.Value, e.Relative, e.Zone)
	}
	return b.String()
}

func TestDelegate(t *testing.T) {
	p := Publication{Domain: "customer.example", Keys: pair(t, "customer.example", "s2")}
	slices.Reverse(p.Keys) // Ed25519 first
	owner, keeper, err := p.Delegate(Delegation{To: "dkim.hoster.example"})
	if err != nil {
		t.Fatal(err)
	}
	// Both pairs, though one has no keys yet: the owner is asked once.
	want := `required s1._domainkey.customer.example CNAME s1.customer.example.dkim | s1._domainkey in customer.example
required s2._domainkey.customer.example CNAME s2.customer.example.dkim | s2._domainkey in customer.example
optional s1e._domainkey.customer.example CNAME s1e.customer.example.dki | s1e._domainkey in customer.example
optional s2e._domainkey.customer.example CNAME s2e.customer.example.dki | s2e._domainkey in customer.example
advice customer.example TXT v=spf1 mx ~all | @ in customer.example
advice _dmarc.customer.example TXT v=DMARC1; p=none; rua=ma | _dmarc in customer.example
`
	if got := lines(owner); got != want {
		t.Errorf("owner:\n%s", got)
	}
	want = `required s2.customer.example.dkim.hoster.example TXT v=DKIM1; k=rsa; p=MIIBIj | s2.customer.example in dkim.hoster.example
optional s2e.customer.example.dkim.hoster.example TXT v=DKIM1; k=ed25519; p=` + Record(p.Keys[0])[22:24] + ` | s2e.customer.example in dkim.hoster.example
`
	if got := lines(keeper); got != want {
		t.Errorf("keeper:\n%s", got)
	}
	for _, e := range append(owner, keeper...) {
		if e.Domain != "customer.example" {
			t.Errorf("%+v", e)
		}
		if newer := strings.Contains(e.Why, "(RFC 8463)"); newer != (e.Need == Optional) {
			t.Errorf("%+v", e)
		}
	}
	for _, e := range keeper {
		s, _, _ := strings.Cut(e.Name, ".")
		if !strings.HasSuffix(e.Why, ". The alias "+s+"._domainkey.customer.example leads here") {
			t.Error(e.Why)
		}
	}
	// Selectors that milter.yaml lists are those that sign.
	owner, _, err = p.Delegate(Delegation{To: "dkim.hoster.example", Selectors: []string{"s2", "s2e", "apple"}})
	if got := lines(owner); err != nil || strings.Count(got, "CNAME") != 3 || !strings.Contains(got, "required apple._domainkey") || !strings.Contains(got, "optional s2e._domainkey") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestDelegateRefuses(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 60)+".", 3) + "example"
	for name, c := range map[string]struct {
		domain string
		d      Delegation
		keys   string
		want   string
	}{
		"a key that has no alias":   {"customer.example", Delegation{To: "h.example"}, "s20261121", "none of the selectors that are delegated (s1, s1e, s2, s2e)"},
		"two domains, one target":   {"customer.example", Delegation{To: "h.example", Selectors: []string{"a.b"}}, "", "has a dot"},
		"a target that is too long": {long, Delegation{To: strings.Repeat("b", 63) + ".hoster.example"}, "", "longer than 253 bytes"},
	} {
		p := Publication{Domain: c.domain}
		if c.keys != "" {
			p.Keys = pair(t, c.domain, c.keys)
		}
		owner, keeper, err := p.Delegate(c.d)
		if err == nil || !strings.Contains(err.Error(), c.want) || owner != nil || keeper != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDelegateToTheLast: a target may have 253 bytes.
func TestDelegateToTheLast(t *testing.T) {
	const domain = "customer.example"
	for more, good := range map[int]bool{0: true, 1: false} {
		to := strings.Repeat(strings.Repeat("b", 48)+".", 4)
		to += strings.Repeat("c", maxName-len("s1e."+domain+"."+to)+more)
		owner, _, err := Publication{Domain: domain}.Delegate(Delegation{To: to})
		if (err == nil) != good || good && len(owner[2].Value) != maxName {
			t.Errorf("%d more: %v", more, err)
		}
	}
}

func TestInside(t *testing.T) {
	d := Delegation{To: "dkim.hoster.example"}
	for domain, want := range map[string]bool{"hoster.example": true, "dkim.hoster.example": true, "ster.example": false, "customer.example": false, "mail.hoster.example": false} {
		if d.Inside(domain) != want {
			t.Error(domain)
		}
	}
}

// TestPlaces: relative names are those of the zone, whichever it is.
func TestPlaces(t *testing.T) {
	zone := func(string) string { return "example.com" }
	for domain, want := range map[string]string{"mail.example.com": "s1._domainkey.mail, mail, _dmarc.mail", "example.com": "s1._domainkey, @, _dmarc", "example.org": ", , "} {
		p := Publication{Domain: domain, Keys: pair(t, domain, "s1")[:1], Zone: zone}
		var got []string
		for _, e := range p.Records() {
			got = append(got, e.Relative)
			if (e.Relative == "") != (e.Zone == "") || e.Domain != domain || e.Type != TypeTXT {
				t.Errorf("%+v", e)
			}
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %s", domain, s)
		}
	}
}
