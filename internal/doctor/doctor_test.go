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
	"unicode"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// sick is the healthy zone without the lines that begin with one of drop, and
// with the lines add.
func sick(t *testing.T, made []*keys.Key, drop []string, add string) *resolve.Zone {
	t.Helper()
	z, err := resolve.ParseZone(sickText(made, drop, add))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func sickText(made []*keys.Key, drop []string, add string) string {
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
	return strings.NewReplacer(`"RSA`, `"`+publish.Record(made[0]), `"ED"`, `"`+publish.Record(made[1])+`"`,
		"; RSA", "; "+publish.Record(made[0]), "SHORT", publish.Record(made[0])[:255], "REST", publish.Record(made[0])[255:]).Replace(b.String() + add)
}

func includes(n int) string { return strings.Repeat(" include:i.example", n) }

func elsewhere(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("mailto:a@r%d.example", i))
	}
	return strings.Join(all, ",")
}

func hangul(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Hangul, r) })
}

// compare looks at every finding that is no PASS.
func compare(t *testing.T, found []Finding, want string) {
	t.Helper()
	var bad []Finding
	for _, f := range found {
		if !hangul(f.Message.In(words.Korean)) || f.Who != Nobody && !hangul(f.Who.Text().In(words.Korean)) {
			t.Errorf("not in Korean: %+v", f)
		}
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
