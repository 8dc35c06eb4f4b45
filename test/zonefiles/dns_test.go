package zonefiles

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

const (
	customer = "customer.example"
	hoster   = "hoster.example"
	keeper   = "dkim." + hoster
)

// domains are ours, some of them as odd as a domain can be.
func domains() map[string]keys.GenerateOptions {
	label := strings.Repeat("a", 63)
	return map[string]keys.GenerateOptions{
		"example.com":           {Selector: "s1", Bits: 4096}, // a record of three strings
		"mail.example.org":      {Selector: "x.y_z"},          // in the zone of its parent
		"xn--bcher-kva.example": {Selector: "s1"},
		label + ".example":      {Selector: "s1"},
		// s1e._domainkey. and this have 253 bytes.
		label + "." + label + "." + label + "." + strings.Repeat("b", 238-3*64): {Selector: "s1"},
		customer: {Selector: "s1"},
		hoster:   {Selector: "s1"},
	}
}

// printed is what the command prints for our domains.
type printed struct {
	zones   zones
	records []publish.Entry
}

// print has everything printed, and follows the advice as it says.
func print(t *testing.T) printed {
	t.Helper()
	cfg := config.Default()
	cfg.Sign.Keys = filepath.Join(t.TempDir(), "keys")
	for i := range 20 { // an SPF record of several strings
		cfg.Egress = append(cfg.Egress, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
	}
	cfg.Egress = append(cfg.Egress, netip.MustParseAddr("2001:db8::25"))
	var specs []keys.DomainSpec
	for domain, o := range domains() {
		if _, err := keys.Generate(cfg.Sign.Keys, domain, o); err != nil {
			t.Fatal(err)
		}
		cfg.Sign.Domains = append(cfg.Sign.Domains, config.SignDomain{Name: domain})
		specs = append(specs, keys.DomainSpec{Name: domain})
	}
	store, problems := keys.Load(cfg.Sign.Keys, specs, nil)
	for _, p := range problems {
		if p.Severity == keys.Error {
			t.Fatal(p)
		}
	}
	d := inspect.DNSText{Config: cfg, Store: store, Leaving: inspect.Leaving{Helo: "mail.example.com"}}
	p := printed{zones: zones{}}
	for domain := range domains() {
		d.Domains = []string{domain}
		if d.To = ""; domain == customer {
			d.To = keeper
		}
		var list []publish.Entry
		if err := json.Unmarshal([]byte(write(t, d, publish.JSON, "")), &list); err != nil {
			t.Fatal(err)
		}
		p.records = append(p.records, list...)
		p.zones[config.Zone(domain)] += follow(write(t, d, publish.BIND, inspect.SideCustomer))
		if domain == customer {
			p.zones[hoster] += follow(write(t, d, publish.BIND, inspect.SideHoster))
		}
	}
	return p
}

func write(t *testing.T, d inspect.DNSText, form publish.Form, side string) string {
	t.Helper()
	var b strings.Builder
	d.Form, d.Side = form, side
	if done, err := d.Write(t.Context(), &b); err != nil || len(done.Failed) > 0 {
		t.Fatalf("%s: %v, %v", form, err, done.Failed)
	}
	return b.String()
}

// follow removes the "; " in front of the records that are advice.
func follow(text string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "; "); ok && (inside || strings.Contains(rest, ". 3600 IN TXT ")) {
			line = rest
			inside = !strings.HasPrefix(rest, ")") && (inside || strings.HasSuffix(rest, "(\n"))
		}
		out.WriteString(line)
	}
	return out.String()
}

// TestZoneFiles: the checkers take the zones, the servers load them, and asked through our
// own resolver each record is published.
func TestZoneFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("starts name servers")
	}
	p := print(t)
	t.Run("checkers", p.checkers)
	for name, start := range map[string]func(*testing.T, zones) *dnsclient.Client{"bind": bind, "nsd": nsd} {
		t.Run(name, func(t *testing.T) { p.shown(t, start(t, p.zones)) })
	}
}

func (p printed) checkers(t *testing.T) {
	bindCheck, nsdCheck := program(t, "named-checkzone"), program(t, "nsd-checkzone")
	found := map[string]string{}
	for name, text := range p.zones {
		file := filepath.Join(t.TempDir(), "zone")
		if err := os.WriteFile(file, []byte(head+text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(nsdCheck, name, file).CombinedOutput(); err != nil {
			t.Errorf("nsd-checkzone: %v: %s\n%s", err, out, text)
		}
		// Read by BIND, written again by BIND, and read by a third reader.
		out, err := exec.Command(bindCheck, "-q", "-D", "-o", "-", name, file).Output()
		if err != nil {
			t.Errorf("named-checkzone %s: %v: %s\n%s", name, err, out, text)
			continue
		}
		parse(t, string(out), found)
	}
	compare(t, p.records, found)
}

// parse adds the TXT and CNAME records of a zone file to found, by type and name.
func parse(t *testing.T, text string, found map[string]string) {
	t.Helper()
	z := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := z.Next(); ok; rr, ok = z.Next() {
		key, value := dns.TypeToString[rr.Header().Rrtype]+" "+strings.TrimSuffix(rr.Header().Name, "."), ""
		switch rr := rr.(type) {
		case *dns.TXT:
			value = strings.Join(rr.Txt, "")
			for _, s := range rr.Txt {
				if len(s) > 255 {
					t.Errorf("%s: a string of %d bytes", key, len(s))
				}
			}
		case *dns.CNAME:
			value = strings.TrimSuffix(rr.Target, ".")
		default:
			continue
		}
		if found[key] != "" {
			t.Errorf("%s is there twice", key)
		}
		found[key] = value
	}
	if err := z.Err(); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

func compare(t *testing.T, records []publish.Entry, found map[string]string) {
	t.Helper()
	want := map[string]string{}
	for _, e := range records {
		want[e.Type+" "+e.Name] = e.Value
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

// shown asks for all.
func (p printed) shown(t *testing.T, r *dnsclient.Client) {
	records := append([]publish.Entry{}, p.records...)
	inspect.Published(t.Context(), r, records)
	long, aliases := 0, 0
	for _, e := range records {
		// The alias of the customer's second pair too: nothing is behind it yet.
		if e.State != publish.Published {
			t.Errorf("%s %s: %q", e.Type, e.Name, e.State)
		}
		if len(e.Chunks()) > 2 {
			long++
		}
		if e.Type == publish.TypeCNAME {
			aliases++
		}
	}
	if long == 0 || aliases != 4 {
		t.Errorf("%d records of more than two strings, %d aliases", long, aliases)
	}
	// What the daemon and receivers ask for leads over the alias to the key.
	for _, s := range []string{"s1", "s1e"} {
		at := s + "._domainkey." + customer
		a, err := r.LookupTXT(t.Context(), at)
		if err != nil || len(a.Records) != 1 || !strings.HasPrefix(a.Records[0], "v=DKIM1; k=") {
			t.Errorf("%s: %q, %v", at, a.Records, err)
		}
	}
	if a, err := r.LookupTXT(t.Context(), "s2._domainkey."+customer); err == nil {
		t.Errorf("a key that nobody has made: %q", a.Records)
	}
}

// changeBatch is what Amazon documents of ChangeResourceRecordSets.
type changeBatch struct {
	Comment string
	Changes []struct {
		Action            string
		ResourceRecordSet struct {
			Name, Type      string
			TTL             int
			ResourceRecords []struct{ Value string }
		}
	}
}

// TestChangeBatchIsAZone: Amazon writes values as zone files do, so that BIND can read
// them.
func TestChangeBatchIsAZone(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a large key")
	}
	check := program(t, "named-checkzone")
	cfg := config.Default()
	cfg.Sign.Keys = filepath.Join(t.TempDir(), "keys")
	if _, err := keys.Generate(cfg.Sign.Keys, customer, keys.GenerateOptions{Selector: "s1", Bits: 4096}); err != nil {
		t.Fatal(err)
	}
	cfg.Sign.Domains = []config.SignDomain{{Name: customer}}
	store, _ := keys.Load(cfg.Sign.Keys, []keys.DomainSpec{{Name: customer}}, nil)
	for side, zone := range map[string]string{"": customer, inspect.SideCustomer: customer, inspect.SideHoster: keeper} {
		d := inspect.DNSText{Config: cfg, Store: store, Domains: []string{customer}}
		if side != "" {
			d.To = keeper
		}
		dec := json.NewDecoder(strings.NewReader(write(t, d, publish.Route53, side)))
		dec.DisallowUnknownFields()
		var batch changeBatch
		if err := dec.Decode(&batch); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		text.WriteString(head)
		for _, c := range batch.Changes {
			s := c.ResourceRecordSet
			if c.Action != "UPSERT" || len(s.ResourceRecords) != 1 || len(s.ResourceRecords[0].Value) > 4000 { // Amazon's limit
				t.Errorf("%+v", c)
			}
			fmt.Fprintf(&text, "%s %d IN %s %s\n", s.Name, s.TTL, s.Type, s.ResourceRecords[0].Value)
		}
		file := filepath.Join(t.TempDir(), "zone")
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(check, "-q", "-D", "-o", "-", zone, file).Output()
		if err != nil {
			t.Fatalf("%v: %s\n%s", err, out, &text)
		}
		found := map[string]string{}
		parse(t, string(out), found)
		var list, want []publish.Entry
		if err := json.Unmarshal([]byte(write(t, d, publish.JSON, side)), &list); err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Need != publish.Advice {
				want = append(want, e)
			}
		}
		compare(t, want, found)
	}
}
