package siege

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/test/hostile"
)

// costly is mail that wants the daemon to do as much as possible for it: SPF
// records, client names, signatures and authors up to every limit.
type costly struct{ key *rsa.PrivateKey }

var bomber = netip.MustParseAddr("203.0.113.77")

func newCostly(t *testing.T) costly {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, pick(2048, dkim.MaxRSABits)) // the large one takes a while to find
	if err != nil {
		t.Fatal(err)
	}
	return costly{k}
}

// deep is a name with as many labels as a DMARC walk looks at, and more.
func deep(domain string) string { return "a.b.c.d.e.f.g.h.i." + domain }

// zone publishes what costs the most.
func (c costly) zone(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&c.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var z strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&z, format+"\n", args...) }
	var mechanisms []string
	for i := range 9 {
		mechanisms = append(mechanisms, fmt.Sprintf("mx:m%d.bomb.example", i))
		for j := range 10 {
			line("m%d.bomb.example MX %d h%d.m%d.bomb.example", i, j, j, i)
			line("h%d.m%d.bomb.example A 198.18.%d.%d", j, i, i, j)
		}
	}
	line(`bomb.example TXT "v=spf1 %s ptr -all"`, strings.Join(mechanisms, " "))
	for i := range 30 {
		line("%s PTR p%d.bomb.example", bomber, i)
		line("p%d.bomb.example A 198.18.99.%d", i, i)
	}
	for i := range 20 {
		line(`k%d._domainkey.%s TXT "v=DKIM1; p=%s"`, i, deep(fmt.Sprintf("d%d.bomb.example", i)), base64.StdEncoding.EncodeToString(der))
	}
	line(`macro.example TXT %q`, "v=spf1 exists:"+strings.Repeat("%{l1r-}", 9000)+".macro.example -all")
	var many []string
	for i := range 9 {
		many = append(many, fmt.Sprintf("include:i%d.many.example", i))
		line(`i%d.many.example TXT %q`, i, "v=spf1 exists:"+strings.Repeat("%{l1r-}", 499)+"i.many.example "+strings.Repeat("?ip6::: ", 500)+"?all")
	}
	line("i.many.example A 127.0.0.2")
	line(`many.example TXT %q`, "v=spf1 "+strings.Join(many, " ")+" exp=exp.many.example -all")
	line(`exp.many.example TXT %q`, strings.Repeat("%{l1r-}", 499))
	return z.String()
}

// messages are a few of the most expensive kinds.
func (c costly) messages(t *testing.T) []hostile.Case {
	t.Helper()
	m := hostile.Message{Peer: hostile.Peer{IP: bomber, Helo: "p0.bomb.example"}, MailFrom: "x@bomb.example", RcptTo: "box@ours.example"}
	fields := func(from string) header.Fields {
		return header.Fields{
			{Name: "From", Value: " " + from}, {Name: "To", Value: " box@ours.example"}, {Name: "Subject", Value: " bomb"},
		}
	}
	authors := "ceo@bank.example"
	for i := range 9 {
		authors += fmt.Sprintf(", x@%s", deep(fmt.Sprintf("d%d.bomb.example", i)))
	}
	body := strings.Repeat(strings.Repeat(" \t", 400)+"x\r\n", 300) // 240 KB that relaxed canonicalization shrinks
	var out []hostile.Case
	add := func(name string, h header.Fields, body string) {
		m := m
		m.Fields, m.Body = h, body
		out = append(out, hostile.Case{Name: name, Message: m})
	}
	add("20 signatures", c.sign(t, fields("ceo@bank.example"), body), body)
	add("20 signatures and 10 authors", c.sign(t, fields(authors), "x\r\n"), "x\r\n")
	many := fields("ceo@bank.example")
	for i := range 900 {
		many = append(many, header.Field{Name: fmt.Sprintf("X-%d", i), Value: strings.Repeat(" x\r\n", 100) + " y"})
	}
	add("900 fields of 400 bytes", c.sign(t, many, "x\r\n"), "x\r\n")
	long := fields(strings.Repeat("(", 40_000) + strings.Repeat(")", 40_000) + " ceo@bank.example")
	add("comments 40,000 deep", append(long, header.Field{Name: "Authentication-Results", Value: strings.Repeat(" (", 50_000)}), body)
	hiding := fields("ceo@bank.example")
	for range 3 { // a field behind a bare CR, folded as often as fits
		hiding = append(hiding, header.Field{Name: "X-Note", Value: " x\rX-Hidden:" + strings.Repeat("\r\n x", 25_000)})
	}
	add("hidden fields of 25,000 lines", hiding, "x\r\n")
	// The results of nobody, and ours, hidden behind bare CRs.
	const results = "\rAuthentication-Results: " + hostile.AuthservID + "; dmarc=pass"
	one := func(n int, name, value string) header.Fields {
		h := fields("ceo@bank.example")
		for range n {
			h = append(h, header.Field{Name: name, Value: value})
		}
		return h
	}
	add("one field of 40,000 hidden ones", one(1, "X-Note", strings.Repeat("\rX:", 40_000)), "x\r\n")
	add("four fields of 16,000 hidden MIME fields", c.sign(t, one(4, "X-Note", strings.Repeat("\rMIME-X:", 15_000)), "x\r\n"), "x\r\n")
	add("900 fields with hidden results", one(900, "X-Note", results), "x\r\n")
	add("5,000 fields with hidden results", one(5_000, "X-Note", results), "x\r\n")
	add("5,000 fields with others' results", one(5_000, "Authentication-Results", " x"+strings.Repeat("\r\n (", 20)), "x\r\n")
	add("a header section of 4 MB", one(40, "X-Note", strings.Repeat("\rX:", 30_000)), "x\r\n")
	// From fields at their limit, in each charset that shifts or encodes.
	for _, k := range encodedKinds {
		add("From of "+k.name, fields(k.field(4*fieldUnit)), "x\r\n")
	}
	// SPF records of macros.
	for _, domain := range []string{"macro.example", "many.example"} {
		add("SPF of "+domain, fields("ceo@bank.example"), "x\r\n")
		out[len(out)-1].MailFrom = strings.Repeat("-", 1000) + "@" + domain
	}
	// Signatures whose names and domains are dear.
	h := one(900, "DKIM-Signature", " v=1; d="+strings.Repeat(strings.Repeat("\ufdfa", 60)+".", 2)+"example")
	add("900 signatures of U-labels", h, "x\r\n")
	h = one(900, "DKIM-Signature", " x")
	add("signatures of 900 signatures", c.signAs(t, h, "x\r\n", []string{"From", "DKIM-Signature"}), "x\r\n")
	return out
}

// sign puts 20 right signatures of different domains on top, in all the forms
// of canonicalization, so that no hash serves two of them where that can be helped.
func (c costly) sign(t *testing.T, h header.Fields, body string) header.Fields {
	t.Helper()
	return c.signAs(t, h, body, []string{"From", "To", "Subject"})
}

func (c costly) signAs(t *testing.T, h header.Fields, body string, names []string) header.Fields {
	t.Helper()
	var signers []dkim.Signer
	forms := []dkim.Canonicalization{dkim.Simple, dkim.Relaxed}
	for i := range 20 {
		signers = append(signers, dkim.Signer{
			Domain: deep(fmt.Sprintf("d%d.bomb.example", i)), Selector: fmt.Sprintf("k%d", i), Key: c.key,
			HeaderCanon: forms[i%2], BodyCanon: forms[i/2%2], Headers: names,
		})
	}
	g, err := dkim.NewSigning(h, signers)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = g.Write([]byte(body))
	values, err := g.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var out header.Fields
	for _, v := range values {
		out = append(out, header.Field{Name: "DKIM-Signature", Value: v})
	}
	return append(out, h...)
}
