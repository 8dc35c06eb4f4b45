package assemble

import (
	"slices"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
)

// TestEntriesLand: what TestEveryOptionLands cannot see: the fields of a list's
// entries, options with two places of which one would do, and the policy.
func TestEntriesLand(t *testing.T) {
	cfg, problems := config.Parse("milter.yaml", []byte(`
authserv_id: mx.example
sign: {via: ses, domains: [{name: example.com, selectors: [s1], subdomains: true}, {name: example.net, subdomains: false}]}
verify: {trusted_authserv_ids: [{id: up.example, networks: [192.0.2.0/24]}]}
policy: {rules: [{name: mine, if: {arc: pass}, action: accept}]}
`))
	if cfg == nil {
		t.Fatal(problems)
	}
	set := Setup(cfg, Parts{})
	if set.AuthservID != "mx.example" || set.Auth.Receiver != "mx.example" {
		t.Errorf("authserv_id: %q, to SPF %q", set.AuthservID, set.Auth.Receiver)
	}
	specs := domainSpecs(cfg)
	if len(specs) != 2 || specs[0].Name != "example.com" || !slices.Equal(specs[0].Selectors, []string{"s1"}) || !specs[0].Single ||
		!specs[0].Subdomains || specs[1].Name != "example.net" || specs[1].Subdomains {
		t.Errorf("sign.domains: %+v", specs)
	}
	if len(set.TrustedIDs) != 1 || set.TrustedIDs[0].ID != "up.example" || len(set.TrustedIDs[0].Networks) != 1 {
		t.Errorf("verify.trusted_authserv_ids: %+v", set.TrustedIDs)
	}
	if set.Policy == nil || set.Policy != cfg.Policy.Compiled {
		t.Errorf("policy: %v", set.Policy)
	}
}
