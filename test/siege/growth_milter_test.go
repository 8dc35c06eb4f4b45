package siege

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
	"github.com/sealmilter/sealmilter/policy/tree"
	"github.com/sealmilter/sealmilter/test/growth"
)

// messageReaders read whole messages: what a session does with the fields, and
// the policy.
func messageReaders(t testing.TB) []reader {
	set := setup(t)
	explain := func(direction auth.Direction, h header.Fields) {
		transaction.Explain(context.Background(), set, transaction.Question{
			Hints:    transaction.Hints{Listener: direction, Client: transaction.Client{Family: '4', IP: netip.MustParseAddr("203.0.113.9")}},
			Sendmail: true, Helo: "h.example", MailFrom: "a@b.example", Header: h,
		})
	}
	inbound := func(h header.Fields) { explain(auth.Inbound, h) }
	outbound := func(h header.Fields) { explain(auth.Outbound, h) }
	one := func(name, value string) func(int) header.Field {
		return func(int) header.Field { return header.Field{Name: name, Value: value} }
	}
	// beyond goes on for as long as the MTA does: no limit of ours ends it.
	beyond := func(f func(i int) header.Field) growth.Work {
		return func(x int) func() {
			h := header.Fields{{Name: "From", Value: " a@b.example"}}
			for i := range 4 * countUnit * x {
				h = append(h, f(i))
			}
			return func() { inbound(h) }
		}
	}
	address := func(head, piece, tail string) growth.Work {
		return reading(head, piece, tail, func(s string) { outbound(header.Fields{{Name: "To", Value: s}, {Name: "From", Value: " a@b.example"}}) })
	}
	const forged = " mx.ours.example; dmarc=pass"
	return []reader{
		{"milter.claim of results", many(inbound, one("Authentication-Results", forged))},
		{"milter.claim of hidden results", many(inbound, one("X", " x\rAuthentication-Results:"+forged))},
		{"milter.claim of results of others", many(inbound, one("Authentication-Results", " x; "+strings.Repeat("(", 500)))},
		{"milter.claim beyond the limits", beyond(one("Authentication-Results", forged))},
		{"milter.claim of odd names beyond the limits", beyond(func(i int) header.Field {
			return header.Field{Name: strings.Repeat("\x01", i%50) + "Authentication" + strings.Repeat("\x01", i/50%50) + "-Results", Value: forged}
		})},
		{"milter.claim of hidden results beyond the limits", beyond(one("X", " x\rAuthentication-Results:"+forged))},
		{"milter.claim of hidden results in other names", beyond(func(i int) header.Field {
			return header.Field{Name: fmt.Sprintf("X-%d", i), Value: " x\rAuthentication-Results:" + forged}
		})},
		{"milter.addField of line ends", many(inbound, one("X", strings.Repeat("\n x", 200)))},
		{"milter.origin", many(func(h header.Fields) { explain(auth.Relayed, h) }, one("Received", " from x (["+strings.Repeat("[127.0.0.1]", 40)+") by x"))},
		{"milter.rewrite of addresses", address("", "a@b.example,", "c")},
		{"milter.rewrite of comments", address("", "(c) ", "a@b.example")},
		{"milter.rewrite of deep comments", address("", "(", "a@b.example")},
		{"milter.rewrite of quotes", address("", `"a" `, "<a@b.example>")},
		{"milter.rewrite of open quotes", address(`<`, `"\"`, "")},
		{"milter.rewrite of open angles", address("", `<"`, "")},
		{"milter.rewrite of literals", address("", "@[", "")},
		{"milter.rewrite of groups", address("", "g:a@b.example;", "")},
		{"milter.rewrite of one group", address("g", "g", ":a@b.example,;,;,;")},
		{"milter.rewrite of empty elements", address("", ",", "a@b.example")},
		{"milter.rewrite of encoded words", address("", "=?utf-8?Q?a.b?= <a@b.example>, ", "a@b.example")},
		{"milter.rewrite of fields", many(outbound, one("To", " Kim G. <a@b.example>,b@c.example"))},
		{"policy.Decide of a regex", decide(t, "regex", `(a|b|ab)*c$`, "ab")},
		{"policy.Decide of a nested regex", decide(t, "regex", `(x+x+)+y`, "x")},
		{"policy.Decide of counts", decide(t, "regex", `(.{0,8}x){0,8}y$`, "x")},
		{"policy.Decide of a glob", decide(t, "glob", strings.Repeat("*a", 20)+"b", "a")},
		{"policy.Decide of text", decide(t, "", "", "\r\n ä")},
	}
}

// setup is the daemon's, with the limits' default values.
func setup(t testing.TB) *transaction.Setup {
	store, _ := keys.Load(t.TempDir(), nil, nil)
	return &transaction.Setup{
		AuthservID: "mx.ours.example",
		Rules:      transaction.Rules{Local: true},
		MTA:        "auto",
		Sign:       transaction.Sign{Headers: []string{"From", "To", "Cc", "X"}},
		Keys:       store,
		Auth: &auth.Authenticator{
			Resolver: &resolve.Zone{}, SPF: true, DKIM: true, DMARC: true, IPRev: true, Receiver: "mx.ours.example",
			Questions: limits.DNSQuestions, Timeout: time.Minute, MaxSignatures: limits.Signatures,
			Panic: func(method string, v any, stack []byte) { t.Errorf("panic in %s: %v\n%s", method, v, stack) },
		},
		Policy: compiled(t, nil),
		Limits: transaction.Limits{FieldSize: int(limits.FieldSize), HeaderSize: int(limits.HeaderSize), HeaderFields: limits.HeaderFields, HeaderMemory: int(limits.HeaderMemory)},
	}
}

func compiled(t testing.TB, rules *tree.Node) *policy.Policy {
	p, bad := policy.Compile(rules, policy.Options{Quarantine: "tag", DMARCReject: "reject"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return p
}

// decide holds a pattern, or none, against fields of repeated text.
func decide(t testing.TB, op, pattern, piece string) growth.Work {
	scalar := func(s string) tree.Node { return tree.Node{Kind: tree.Scalar, Scalar: s} }
	mapped := func(k string, v tree.Node) tree.Node {
		return tree.Node{Kind: tree.Map, Keys: []tree.Node{scalar(k)}, Items: []tree.Node{v}}
	}
	value := scalar("no")
	if op != "" {
		value = mapped(op, scalar(pattern))
	}
	rule := tree.Node{
		Kind:  tree.Map,
		Keys:  []tree.Node{scalar("name"), scalar("if"), scalar("action"), scalar("reason")},
		Items: []tree.Node{scalar("r"), mapped("header.X", value), scalar("accept"), scalar("{header.X}")},
	}
	p := compiled(t, &tree.Node{Kind: tree.List, Items: []tree.Node{rule}})
	return func(x int) func() {
		var h header.Fields
		for range 4 {
			h = append(h, header.Field{Name: "X", Value: fill(piece, fieldUnit*x/2)})
		}
		env := &auth.Envelope{Header: h}
		return func() { p.Decide(policy.Input{Env: env}) }
	}
}
