package config

import (
	"os"
	"strings"
	"testing"
)

// TestUnbuiltIsKnown: whatever is accepted and not built stands on the page of known
// issues.
func TestUnbuiltIsKnown(t *testing.T) {
	c := parse(t, `
sign: {domains: [{name: example.com, as: example.net}], rsa: openssl, skip_signed: true}
verify: {arc: true, dnsbl: [bl.example]}
arc: {seal: {domain: example.com, selector: s1}}
forwarders: [a]
reports: {a: b}
recorder: {messages: 5}
web: {a: b}
policy: {rules: [{name: a, if: {arc: pass}, action: accept}, {name: b, if: {dnsbl: x}, action: tag}]}
`)
	names := c.Unbuilt()
	if len(names) != 12 {
		t.Fatalf("%d are not built: %q", len(names), names)
	}
	page, err := os.ReadFile("../../docs/known-issues.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		name, what, _ := strings.Cut(n, " ") // "policy.rules: arc (always none)"
		if name == "policy.rules:" {
			what, _, _ = strings.Cut(what, " ")
			name = what
		}
		if name = strings.TrimSuffix(name, ":"); !strings.Contains(string(page), "`"+name) {
			t.Errorf("docs/known-issues.md does not name %s", n)
		}
	}
}
