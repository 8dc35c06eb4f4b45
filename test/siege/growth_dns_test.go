package siege

import (
	"context"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/test/growth"
)

// longKey is an RSA public key with a modulus of n bytes.
func longKey(n int) string {
	modulus := new(big.Int).SetBytes([]byte(strings.Repeat("\xff", n)))
	der, err := asn1.Marshal(struct{ N, E *big.Int }{modulus, big.NewInt(65537)})
	if err != nil {
		panic(err) // two numbers
	}
	return base64.StdEncoding.EncodeToString(der)
}

// txtUnit is a quarter of what one TXT record holds.
const txtUnit = 16 << 10

// recordReaders read what the DNS says, and names.
func recordReaders(t testing.TB) []reader {
	all := []reader{
		{"resolve.CanonicalName of U-labels", names(longName)},
		{"resolve.CanonicalName of expanding letters", names(func(i int) string { return strings.Repeat(strings.Repeat("\ufdfa\u3300", 60)+".", 2) + fmt.Sprint(i) })},
		{"resolve.CanonicalName of combining marks", names(func(i int) string { return strings.Repeat("a\u0323\u0307\u0301", 31) + fmt.Sprint(i) })},
		{"resolve.CanonicalName of bidi letters", names(func(i int) string { return strings.Repeat(strings.Repeat("א1", 60)+".", 3) + fmt.Sprint(i) })},
		{"resolve.CanonicalName of one long label", name("ü")},
		{"resolve.CanonicalName of many labels", name("ü.")},
		{"resolve.CanonicalName of ASCII", name("a.")},
		{"dmarc.ParseRecord of tags", dmarcRecord("x=y;", "")},
		{"dmarc.ParseRecord of URIs", dmarcRecord(",mailto:!", "")},
		{"dmarc.ParseRecord of sizes", dmarcRecord("9", "")},
		{"dmarc.ParseRecord of options", dmarcRecord(":0", "fo=")},
		{"dmarc.EvaluateAll of records", walks(t)},
		{"iprev.Check of names", func(x int) func() {
			z := &resolve.Zone{}
			ip := netip.MustParseAddr("192.0.2.1")
			for i := range 64 * x {
				_ = z.Add(ip.String(), "PTR", fmt.Sprintf("%s%d.example", strings.Repeat("ü.", 60), i))
			}
			c := iprev.Checker{Resolver: z}
			return func() { c.Check(context.Background(), ip) }
		}},
		{"publish.Write", func(x int) func() {
			k := publish.TXT{Name: "k.example", Value: fill(`"\é`, txtUnit*x), Why: fill("a ", txtUnit*x)}
			return func() {
				var b strings.Builder
				for _, f := range publish.Forms() {
					_ = publish.Write(&b, f, []publish.TXT{k})
				}
			}
		}},
		{"postfix.Expand of open braces", expand("${", "")},
		{"postfix.Expand of one late brace", expand("${", "}")},
		{"postfix.Expand of references", expand("$a", "")},
	}
	return append(all, spfReaders(t)...)
}

// names reads as many names as fit into a From field.
func names(name func(i int) string) growth.Work {
	return func(x int) func() {
		var all []string
		for size := 0; size < fieldUnit*x; {
			n := name(len(all))
			all = append(all, n)
			size += len(n)
		}
		return func() {
			for _, n := range all {
				_, _ = resolve.CanonicalName(n)
			}
		}
	}
}

// name reads one name, up to the length from which on none is read.
func name(piece string) growth.Work {
	return func(x int) func() {
		s := fill(piece, 256*x)
		return func() { _, _ = resolve.CanonicalName(s) }
	}
}

func dmarcRecord(piece, tag string) growth.Work {
	return func(x int) func() {
		s := "v=DMARC1; p=none; " + tag + fill(piece, txtUnit*x)
		if tag == "" {
			s = "v=DMARC1; p=none; rua=" + fill(piece, txtUnit*x)
		}
		return func() { _, _ = dmarc.ParseRecord(s) }
	}
}

func expand(piece, tail string) growth.Work {
	return reading("", piece, tail, func(s string) {
		postfix.Values{"a": strings.Repeat("$b", 20), "b": "$a$a"}.Expand(s)
	})
}

// walks: five authors of nine labels, a long record at each step.
func walks(t testing.TB) growth.Work {
	return func(x int) func() {
		z := &resolve.Zone{}
		var authors []string
		for i := range dmarc.MaxAuthors {
			d := fmt.Sprintf("a.b.c.d.e.f.g.d%d.example", i)
			authors = append(authors, d)
			for n := d; n != "example"; _, n, _ = strings.Cut(n, ".") {
				if err := z.Add("_dmarc."+n, "TXT", "v=DMARC1; p=none; rua="+fill(",mailto:!", txtUnit*x/5)); err != nil {
					t.Fatal(err)
				}
			}
		}
		var ids []dmarc.Identifier
		for i := range 8 {
			ids = append(ids, dmarc.Identifier{Method: "dkim", Domain: fmt.Sprintf("x.a.b.c.d.e.f.g.d%d.example", i%5)})
		}
		e := dmarc.Evaluator{Resolver: z}
		return func() { e.EvaluateAll(context.Background(), authors, ids) }
	}
}

var hostileIP = netip.MustParseAddr("2001:db8::1")

// spfReaders read an SPF record, or all eleven of a check.
func spfReaders(t testing.TB) []reader {
	dots, dashes := strings.Repeat(".", 1000), strings.Repeat("-", 1000)
	// check asks for as many includes of the same record as count; local is a
	// local-part, and so on.
	check := func(local, helo, record string, more ...string) func() {
		z := &resolve.Zone{}
		add := func(name, txt string) {
			if err := z.Add(name, "TXT", txt); err != nil {
				t.Fatal(err)
			}
		}
		var top strings.Builder
		for i := range 9 {
			fmt.Fprintf(&top, " include:i%d.b.example", i)
			add(fmt.Sprintf("i%d.b.example", i), record)
		}
		add("b.example", "v=spf1"+top.String()+" exp=exp.b.example -all")
		for _, m := range more {
			add("exp.b.example", m)
		}
		c := spf.Checker{Resolver: z, Receiver: "mx.ours.example"}
		return func() { c.Check(context.Background(), hostileIP, helo, local+"@b.example") }
	}
	macros := func(local, helo, macro string) growth.Work {
		return func(x int) func() {
			return check(local, helo, "v=spf1 exists:"+fill(macro, txtUnit*x)+".b.example ?all")
		}
	}
	terms := func(head, term, tail string) growth.Work {
		return func(x int) func() { return check("a", "h.example", "v=spf1 "+head+fill(term, txtUnit*x)+tail) }
	}
	explained := func(local, helo, macro string) growth.Work {
		return func(x int) func() { return check(local, helo, "v=spf1 ?all", fill(macro, txtUnit*x)) }
	}
	return []reader{
		{"spf.macro that expands to nothing", macros(dashes, "h.example", "%{l1r-}")},
		{"spf.macro of dots", macros(dots, "h.example", "%{l1}")},
		{"spf.macro of different kinds", macros("a"+dots, "h.example", "%{l1}%{l1r}%{L1}%{l1.-}%{l1.+}%{l1.,}%{l1./}%{l1._}%{l1.=}")},
		{"spf.macro of HELO", macros("a", dots, "%{h1}")},
		{"spf.macro of HELO, the escaped ones", macros("a", strings.Repeat("\x01", 1000), "%{H}")},
		{"spf.macro of addresses", macros("a", "h", "%{i1r}%{i}")},
		{"spf.macro of client names", macros("a", "h", "%{p}")},
		{"spf.macro of long literals", macros("a", "h", "%%")},
		{"spf.macro, as many as there may be", func(x int) func() {
			return check(dashes, "h", "v=spf1 exists:"+strings.Repeat("%{l1r-}", 124*x)+".b.example ?all")
		}},
		{"spf.exp, as many as there may be", func(x int) func() { return check("a"+dots, "h", "v=spf1 ?all", strings.Repeat("%{s1}", 124*x)) }},
		{"spf.macro of digits", terms("exists:%{l", "1", "}.b.example")},
		{"spf.macro of delimiters", terms("exists:%{l1r", "-", "}.b.example")},
		{"spf.exp of macros", explained(dashes, "h.example", "%{l1r-}")},
		{"spf.exp of dots", explained("a"+dots, "h.example", "%{s1}%{S1}%{l1r}")},
		{"spf.exp of times", explained("a", "h", "%{t9r}%{c1r:}")},
		{"spf.record of addresses", terms("", "ip4:192.0.2.1 ", "")},
		{"spf.record of mechanisms", terms("", "a ", "")},
		{"spf.record of modifiers", terms("", "x=%{l} ", "")},
		{"spf.record of empty modifiers", terms("", "x= ", "")},
		{"spf.record of spaces", terms("", " ", "")},
		{"spf.record of a long name", terms("a:", "a.", "example")},
		{"spf.record of a long address", terms("ip6:", "1:", "")},
		{"spf.record of a long prefix", terms("a:b.example/", "1", "")},
		{"spf.record of slashes", terms("a:", "/1", ".example")},
	}
}
