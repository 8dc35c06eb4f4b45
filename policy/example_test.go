package policy_test

import (
	"fmt"
	"net/netip"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/policy"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// The built-in rules refuse a message whose author's domain asks for that.
func ExamplePolicy_Decide() {
	p, problems := policy.Compile(nil, policy.Options{})
	if len(problems) > 0 {
		fmt.Println(problems)
		return
	}
	env := &auth.Envelope{Direction: auth.Inbound, ClientIP: netip.MustParseAddr("198.51.100.1"), MailFrom: "eve@attacker.example"}
	for _, status := range []dmarc.Status{dmarc.Pass, dmarc.Fail} {
		v := p.Decide(policy.Input{Env: env, Results: &auth.Results{
			Author: auth.Author{Fields: 1, Mailboxes: []string{"kim@example.com"}, Domains: []string{"example.com"}},
			DMARC:  &dmarc.Result{Status: status, AuthorDomain: "example.com", Policy: dmarc.PolicyReject},
		}})
		fmt.Printf("%s %q %q\n", v.Action, v.Rule, v.Reply.Text)
	}
	// Output:
	// accept "" ""
	// reject "dmarc-reject-direct" "rejected by the DMARC policy of example.com"
}

// A rule is a node of a file; internal/config makes nodes of YAML.
func ExampleCompile() {
	word := func(s string) tree.Node { return tree.Node{Kind: tree.Scalar, Scalar: s} }
	rule := tree.Node{Kind: tree.Map, Keys: []tree.Node{word("name"), word("acton")}, Items: []tree.Node{word("mine"), word("accept")}}
	_, problems := policy.Compile(&tree.Node{Kind: tree.List, Items: []tree.Node{rule}}, policy.Options{})
	for _, p := range problems {
		fmt.Println(p.Message, "-", p.Hint)
	}
	// Output:
	// unknown field "acton" in rule "mine" - did you mean "action"?
	// rule "mine" has no action - allowed: accept, tag, quarantine, reject, tempfail, discard
}
