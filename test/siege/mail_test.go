package siege

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/test/daemon"
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
	return out
}

// sign puts 20 right signatures of different domains on top, in all the forms
// of canonicalization, so that no hash serves two of them where that can be helped.
func (c costly) sign(t *testing.T, h header.Fields, body string) header.Fields {
	t.Helper()
	var signers []dkim.Signer
	forms := []dkim.Canonicalization{dkim.Simple, dkim.Relaxed}
	for i := range 20 {
		signers = append(signers, dkim.Signer{
			Domain: deep(fmt.Sprintf("d%d.bomb.example", i)), Selector: fmt.Sprintf("k%d", i), Key: c.key,
			HeaderCanon: forms[i%2], BodyCanon: forms[i/2%2], Headers: []string{"From", "To", "Subject"},
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

// Hostile messages, each tenth of which is as expensive as a message can be,
// one after the other so that each one's questions and CPU time are its own.
// The cache is as good as off: every question of a message goes to the server.
func TestHostileMail(t *testing.T) {
	n := pick(300, 10_000)
	bomb := newCostly(t)
	zone, err := resolve.ParseZone(hostile.Zone() + bomb.zone(t))
	if err != nil {
		t.Fatal(err)
	}
	dns := serve(t, zone, nil)
	d := startAs(t, daemon.Options{
		AuthservID: hostile.AuthservID, More: fmt.Sprintf("dns: {servers: [%q], cache_size: 1}\n", dns.Addr()),
	})
	cases := hostile.Generate(mathrand.New(mathrand.NewPCG(2026, 11)), n, time.Now())
	expensive := bomb.messages(t)
	for i := 0; i < n; i += 10 {
		cases[i] = expensive[i/10%len(expensive)]
	}
	c, err := hostile.Dial("unix", d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var questions, costs []time.Duration // questions as nanoseconds, for Quantile
	wrong := 0
	var most, dearest struct {
		n    time.Duration
		name string
	}
	cpu := func() time.Duration {
		used, err := d.CPU()
		if err != nil {
			t.Fatal(err)
		}
		return used
	}
	used := cpu()
	for i, m := range cases {
		dns.Reset()
		v, err := c.Deliver(m.Message)
		if err != nil {
			t.Fatalf("message %d, %s: %v", i, m.Name, err)
		}
		now := cpu()
		cost, asked := now-used, time.Duration(dns.Questions())
		if asked > most.n {
			most.n, most.name = asked, m.Name
		}
		if cost > dearest.n {
			dearest.n, dearest.name = cost, m.Name
		}
		used, questions, costs = now, append(questions, asked), append(costs, cost)
		problems := m.Problems(v)
		if i%10 == 0 && v.Code != 550 { // all of them are spoofs of a bank with p=reject, or have no usable author
			problems = append(problems, fmt.Sprintf("answered %d %s", v.Code, v.Text))
		}
		if len(problems) > 0 {
			wrong++
			t.Errorf("message %d, %s: %.1000q", i, m.Name, problems)
		}
	}
	var sum time.Duration
	for _, c := range costs {
		sum += c
	}
	t.Logf("%d messages, %d wrong verdicts", n, wrong)
	t.Logf("DNS questions a message: median %d, p99 %d, most %d (%s)", Quantile(questions, .5), Quantile(questions, .99), most.n, most.name)
	t.Logf("CPU a message: mean %v, median %v, p99 %v, most %v (%s)", sum/time.Duration(n), Quantile(costs, .5), Quantile(costs, .99), dearest.n, dearest.name)
	// One message can be charged for what others leave behind, the garbage
	// collector's work and a neighbour's cache misses: what counts is its kind.
	const limit = 50 * time.Millisecond
	over := 0
	for _, c := range costs {
		if c > limit {
			over++
		}
	}
	t.Logf("messages over %v: %d", limit, over)
	strict := *full && !raceEnabled
	if p99 := Quantile(costs, .99); strict && p99 > limit {
		t.Errorf("p99 of the CPU time is %v", p99)
	}
	for _, e := range expensive {
		var of []time.Duration
		for i, m := range cases {
			if m.Name == e.Name {
				of = append(of, costs[i])
			}
		}
		t.Logf("CPU for %s: median %v, most %v", e.Name, Quantile(of, .5), Quantile(of, 1))
		if m := Quantile(of, .5); strict && m > limit {
			t.Errorf("%s cost %v of CPU", e.Name, m)
		}
	}
	// 120 for the message and 11 for the client's name (limits.dns_questions; DESIGN).
	if most.n > 120+11 {
		t.Errorf("%d DNS questions for %s", most.n, most.name)
	}
	if got := Quantile(questions, .85); got > 40 {
		t.Errorf("%d DNS questions for a message that is not a bomb", got)
	}
	wantRSS(t, d, 150e6)
}
