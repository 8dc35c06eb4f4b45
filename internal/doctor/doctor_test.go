package doctor

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// healthy is a domain with which nothing is wrong; RSA and ED stand for the
// records of its keys.
const healthy = `
s1._domainkey.example.com   TXT "RSA"
s1e._domainkey.example.com  TXT "ED"
example.com         TXT  "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"
example.com         MX   10 mail.example.com
_dmarc.example.com  TXT  "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
mail.example.com    TXT  "v=spf1 a -all"
mail.example.com    A    192.0.2.25
mail.example.com    AAAA 2001:db8::25
192.0.2.25          PTR  mail.example.com
2001:db8::25        PTR  mail.example.com
`

// sick is the healthy zone without the lines that begin with one of drop, and
// with the lines add.
func sick(t *testing.T, made []*keys.Key, drop []string, add string) *resolve.Zone {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(healthy) {
		keep := true
		for _, d := range drop {
			keep = keep && !strings.HasPrefix(strings.Join(strings.Fields(line), " "), d)
		}
		if keep {
			b.WriteString(line)
		}
	}
	text := strings.NewReplacer(`"RSA`, `"`+publish.Record(made[0]), `"ED"`, `"`+publish.Record(made[1])+`"`,
		"SHORT", publish.Record(made[0])[:255]).Replace(b.String() + add)
	z, err := resolve.ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestDNS(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		drop []string
		add  string
		// Every finding that is no PASS: "LEVEL check subject: part of the message |
		// part of the paste", "| nothing" where there is nothing to paste.
		want string
	}{
		{"healthy", nil, "", ""},
		{"rsa record missing", []string{"s1._"}, "", `FAIL dkim s1._domainkey.example.com: not in the DNS | s1._domainkey.example.com TXT "v=DKIM1; k=rsa; p=`},
		{"ed25519 record missing", []string{"s1e._"}, "", `WARN dkim s1e._domainkey.example.com: not in the DNS | k=ed25519`},
		{"panel added the domain", []string{"s1._"}, "s1._domainkey.example.com.example.com TXT \"RSA\"",
			`FAIL dkim s1._domainkey.example.com: one domain too deep`},
		{"another key", []string{"s1._"}, "s1._domainkey.example.com TXT \"" + publish.Record(other[0]) + `"`, `FAIL dkim s1._domainkey.example.com: another key`},
		{"two records", nil, `s1._domainkey.example.com TXT "v=DKIM1; p="`, `FAIL dkim s1._domainkey.example.com: 2 TXT records`},
		{"revoked", []string{"s1._"}, `s1._domainkey.example.com TXT "v=DKIM1; p="`, `FAIL dkim s1._domainkey.example.com: revokes`},
		{"cut off", []string{"s1._"}, `s1._domainkey.example.com TXT "SHORT"`, `FAIL dkim s1._domainkey.example.com: cut off after 255 bytes`},
		{"quoted", []string{"s1e._"}, `s1e._domainkey.example.com TXT "\"v=DKIM1; k=ed25519; p=x\""`, `FAIL dkim s1e._domainkey.example.com: quotation marks`},
		{"backslashes", []string{"s1e._"}, `s1e._domainkey.example.com TXT "v=DKIM1\\; k=ed25519\\; p=x"`, `FAIL dkim s1e._domainkey.example.com: backslashes`},
		{"test mode", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; t=y"`, `WARN dkim s1._domainkey.example.com: t=y`},
		{"wrong hash", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; h=sha1"`, `FAIL dkim s1._domainkey.example.com: sha256`},
		{"not for mail", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; s=web"`, `FAIL dkim s1._domainkey.example.com: does not allow mail`},
		{"wrong type", []string{"s1e._"}, `s1e._domainkey.example.com TXT "RSA"`, `FAIL dkim s1e._domainkey.example.com: for a rsa key`},
		{"dkim does not answer", []string{"s1._"}, "s1._domainkey.example.com TXT !servfail", `WARN dkim s1._domainkey.example.com: did not answer`},

		{"no spf", []string{"example.com TXT"}, "", `FAIL spf example.com: no SPF record | "v=spf1 mx`},
		{"spf refuses one", []string{"example.com TXT"}, `example.com TXT "v=spf1 mx:other.example ip4:192.0.2.25 -all"`,
			`FAIL spf example.com: 2001:db8::25 may not send: fail by -all | "v=spf1 ip6:2001:db8::25 mx:other.example ip4:192.0.2.25 -all"` +
				"\nWARN spf example.com: 1 of the two terms that may lead nowhere do (mx:other.example)"},
		{"two spf records", nil, `example.com TXT "v=spf1 include:_spf.example.net ~all"`,
			`FAIL spf example.com: 2 SPF records | "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 include:_spf.example.net ~all"`},
		{"spf broken", []string{"example.com TXT"}, `example.com TXT "v=spf1 ipv4:192.0.2.25 -all"`, "FAIL spf example.com: broken\nFAIL spf example.com: broken"},
		{"spf for everybody", []string{"example.com TXT"}, `example.com TXT "v=spf1 +all"`, `WARN spf example.com: everybody may send`},
		{"spf does not answer", []string{"example.com TXT"}, "example.com TXT !timeout", `WARN spf example.com: did not answer`},
		{"spf does not answer further on", []string{"example.com TXT"}, "example.com TXT \"v=spf1 include:slow.example -all\"\nslow.example TXT !servfail",
			"WARN spf example.com: did not answer\nWARN spf example.com: did not answer"},
		{"spf with nine look-ups", []string{"example.com TXT"}, "example.com TXT \"v=spf1" + includes(9) + " ip4:192.0.2.25 ip6:2001:db8::25 -all\"\ni.example TXT \"v=spf1 -all\"",
			"WARN spf example.com: 192.0.2.25 may send (ip4:192.0.2.25), but the record needs 9 of the 10 look-ups\n" +
				"WARN spf example.com: 2001:db8::25 may send (ip6:2001:db8::25), but the record needs 9 of the 10 look-ups"},
		{"spf with eight look-ups", []string{"example.com TXT"}, "example.com TXT \"v=spf1" + includes(8) + " ip4:192.0.2.25 ip6:2001:db8::25 -all\"\ni.example TXT \"v=spf1 -all\"", ""},
		{"helo does not answer", []string{"mail.example.com TXT"}, "mail.example.com TXT !servfail", "WARN spf mail.example.com: did not answer\nWARN spf mail.example.com: did not answer"},
		{"helo broken", []string{"mail.example.com TXT"}, `mail.example.com TXT "v=spf1 ipv4:192.0.2.25 -all"`,
			"FAIL spf mail.example.com: broken | ip4:192.0.2.25 ip6:2001:db8::25 -all\nFAIL spf mail.example.com: broken | ip4:192.0.2.25 ip6:2001:db8::25 -all"},
		{"helo without spf", []string{"mail.example.com TXT"}, "", "WARN spf mail.example.com: no SPF record | ip4:192.0.2.25 ip6:2001:db8::25 -all\nWARN spf mail.example.com: no SPF record"},
		{"helo refused", []string{"mail.example.com TXT"}, `mail.example.com TXT "v=spf1 -all"`, "FAIL spf mail.example.com: bounces | \"v=spf1 ip4:192.0.2.25 -all\"\nFAIL spf mail.example.com: bounces | \"v=spf1 ip6:2001:db8::25 -all\""},
		{"helo leads elsewhere", []string{"mail.example.com A 1"}, "mail.example.com A 192.0.2.99",
			"WARN helo mail.example.com: does not lead to 192.0.2.25 | mail.example.com A 192.0.2.25\nFAIL spf mail.example.com: bounces\nFAIL ptr 192.0.2.25: does not lead back"},
		{"helo unknown", []string{"mail.example.com AAAA"}, "",
			"FAIL helo mail.example.com: has no AAAA record\nFAIL spf mail.example.com: bounces\nFAIL ptr 2001:db8::25: does not lead back"},

		{"no ptr", []string{"192.0.2.25"}, "", "FAIL ptr 192.0.2.25: has no name | 25.2.0.192.in-addr.arpa PTR mail.example.com"},
		{"ptr elsewhere", []string{"192.0.2.25"}, "192.0.2.25 PTR host-25.isp.example", "FAIL ptr 192.0.2.25: does not lead back | host-25.isp.example A 192.0.2.25"},
		{"ptr does not answer", []string{"192.0.2.25"}, "192.0.2.25 PTR !servfail", "WARN ptr 192.0.2.25: did not answer"},

		{"no dmarc", []string{"_dmarc"}, "", `WARN dmarc _dmarc.example.com: no DMARC record | "v=DMARC1; p=none`},
		{"two dmarc records", nil, `_dmarc.example.com TXT "v=DMARC1; p=none"`, `FAIL dmarc _dmarc.example.com: 2 DMARC records | nothing`},
		{"dmarc broken", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=refuse"`, `FAIL dmarc _dmarc.example.com: the record is broken: policy record has an invalid p=`},
		{"dmarc broken, with reports", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=refuse; rua=mailto:dmarc@example.com"`, `FAIL dmarc _dmarc.example.com: the record is broken: policy`},
		{"no reports", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none"`, `WARN dmarc _dmarc.example.com: no rua=`},
		{"reports elsewhere", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@reports.example"`,
			`WARN dmarc example.com._report._dmarc.reports.example: has not agreed | TXT "v=DMARC1"`},
		{"reports elsewhere, agreed", []string{"_dmarc"}, "_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:a@reports.example\"\nexample.com._report._dmarc.reports.example TXT \"v=DMARC1;\"", ""},

		{"reports within the organisation", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@example.com,mailto:a@in.example.com,https://x.example/"`, ""},
		{"reports elsewhere, twice", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@reports.example,mailto:b@Reports.example"`,
			`WARN dmarc example.com._report._dmarc.reports.example: has not agreed`},
		{"reports elsewhere, another record", []string{"_dmarc"}, "_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:a@reports.example\"\nexample.com._report._dmarc.reports.example TXT \"v=spf1 -all\"",
			`WARN dmarc example.com._report._dmarc.reports.example: has not agreed`},
		{"reports elsewhere, no answer", []string{"_dmarc"}, "_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:a@reports.example\"\nexample.com._report._dmarc.reports.example TXT !servfail",
			`WARN dmarc example.com._report._dmarc.reports.example: did not answer`},
		{"reports to eleven domains", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=` + elsewhere(11) + `"`,
			strings.TrimSuffix(strings.Repeat("WARN dmarc *: has not agreed\n", 10), "\n")},

		{"no mx", []string{"example.com MX"}, "", "WARN mx example.com: no MX record | example.com MX 10 mail.example.com"},
		{"null mx", []string{"example.com MX"}, "example.com MX 0 .", "WARN mx example.com: null MX"},
		{"mx without address", []string{"example.com MX"}, "example.com MX 10 gone.example.com", "FAIL mx example.com: has no address"},
		{"mx is an address", []string{"example.com MX"}, "example.com MX 10 192.0.2.25", "FAIL mx example.com: not an address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Domain{Name: "example.com", SDID: "example.com", Keys: made, Helo: "mail.example.com",
				Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")}}
			found := DNS(context.Background(), sick(t, made, c.drop, c.add), d)
			compare(t, found, c.want)
		})
	}
}

func includes(n int) string { return strings.Repeat(" include:i.example", n) }

func elsewhere(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("mailto:a@r%d.example", i))
	}
	return strings.Join(all, ",")
}

// compare looks at every finding that is no PASS.
func compare(t *testing.T, found []Finding, want string) {
	t.Helper()
	var bad []Finding
	for _, f := range found {
		if f.Level != Pass {
			bad = append(bad, f)
			if f.Who == Nobody {
				t.Errorf("nobody has to do it: %+v", f)
			}
		} else if !f.Paste.Empty() || f.Message.Empty() || f.Who != Nobody {
			t.Errorf("a PASS with something to paste, or without a message: %+v", f)
		}
	}
	var lines []string
	if want != "" {
		lines = strings.Split(want, "\n")
	}
	if len(bad) != len(lines) {
		t.Fatalf("%d findings, want %d: %+v", len(bad), len(lines), bad)
	}
	for i, f := range bad {
		line, paste, _ := strings.Cut(lines[i], " | ")
		head, message, _ := strings.Cut(line, ": ")
		if paste == "nothing" && !f.Paste.Empty() {
			t.Errorf("%+v has something to paste", f)
		}
		paste = strings.TrimPrefix(paste, "nothing")
		head = strings.ReplaceAll(head, "*", f.Subject)
		if fmt.Sprintf("%s %s %s", f.Level, f.Check, f.Subject) != head || !strings.Contains(f.Message.String(), message) || !strings.Contains(f.Paste.String(), paste) {
			t.Errorf("%+v\nwant %s", f, lines[i])
		}
	}
}

func TestSubdomainsAlign(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	d := Domain{Name: "a.example.com", SDID: "example.com", Keys: made, Helo: "mail.example.com"}
	compare(t, dmarcRecord(context.Background(), sick(t, made, nil, ""), d), "")
	strict := sick(t, made, []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=reject; adkim=s; rua=mailto:d@example.com"`)
	compare(t, dmarcRecord(context.Background(), strict, d), "FAIL dmarc a.example.com: do not align | sealmilter keys new a.example.com")
}

// TestDMARCShown: what is looked at is the record that counts, which may be the
// one of the organisation.
func TestDMARCShown(t *testing.T) {
	const record = "v=DMARC1; p=refuse; rua=mailto:dmarc@example.com"
	z := resolve.MustZone(`_dmarc.example.com TXT "` + record + `"`)
	for _, f := range dmarcRecord(context.Background(), z, Domain{Name: "a.example.com", SDID: "example.com"}) {
		if f.Subject != "_dmarc.example.com" || f.Seen.String() != record {
			t.Errorf("%+v", f)
		}
	}
}

// TestWeakKey: RFC 8301 §3.2, signers should use 2048 bits.
func TestWeakKey(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "example.com"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	if err := os.WriteFile(filepath.Join(dir, "example.com", "s1.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	store, problems := keys.Load(dir, []keys.DomainSpec{{Name: "example.com"}}, nil)
	made := store.All()
	if len(made) != 1 {
		t.Fatalf("%d keys, %v", len(made), problems)
	}
	z := resolve.MustZone(`s1._domainkey.example.com TXT "` + publish.Record(made[0]) + `"`)
	got := dkimKey(context.Background(), z, Domain{Name: "example.com", SDID: "example.com"}, made[0])
	compare(t, []Finding{got}, "WARN dkim s1._domainkey.example.com: the key has only 1024 bits | sealmilter keys new example.com")
	if !strings.Contains(got.Want.String(), "2048 bits") {
		t.Errorf("want %q", got.Want)
	}
}

// TestHeloWithoutDot: such a name is nobody's in the DNS.
func TestHeloWithoutDot(t *testing.T) {
	for _, helo := range []string{"", "vm"} {
		d := Domain{Name: "example.com", Helo: helo, Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25")}}
		compare(t, spfHelo(context.Background(), resolve.MustZone(healthy), d), "FAIL helo "+helo+": is no full host name | myhostname = mail.example.com")
	}
}

func TestWithoutAddresses(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	d := Domain{Name: "example.com", SDID: "example.com", Keys: made, Helo: "mail.example.com"}
	compare(t, DNS(context.Background(), sick(t, made, nil, ""), d), "WARN spf example.com: public addresses are not known | egress:")
	d.ViaSES = true
	compare(t, DNS(context.Background(), sick(t, made, nil, ""), d), "")
	// This host's own address sends to SES only: its PTR and SPF do not matter.
	d.Egress = []netip.Addr{netip.MustParseAddr("198.51.100.99")}
	compare(t, DNS(context.Background(), sick(t, made, nil, ""), d), "")
	d.Egress = nil
	compare(t, DNS(context.Background(), sick(t, made, []string{"example.com TXT"}, ""), d), "WARN spf example.com: has no record | v=spf1 include:amazonses.com ~all")
}

func TestHostileTextIsTamed(t *testing.T) {
	if got := clip("a\x1b[31m\n" + strings.Repeat("x", 2000)); strings.ContainsAny(got, "\x1b\n") || len(got) > maxText+3 {
		t.Errorf("%q", got)
	}
}
