package config

import "github.com/sealmilter/sealmilter/policy/tree"

// Unbuilt lists what the configuration asks for and this version accepts
// without doing it, for one line in the log.
func (c *Config) Unbuilt() []string {
	some := func(t Tree) bool { return t.Kind != tree.Null && len(t.Items) > 0 }
	var names []string
	for _, x := range []struct {
		set  bool
		name string
	}{
		{c.Sign.RSA == "openssl", "sign.rsa: openssl"},
		{c.Sign.DomainsFrom != (DomainsFrom{}), "sign.domains_from"},
		{some(c.Sign.Senders), "sign.senders"},
		{some(c.Sign.Rotate), "sign.rotate"},
		{c.Verify.ARC, "verify.arc"},
		{len(c.Verify.DNSBL) > 0, "verify.dnsbl"},
		{c.ARC.Seal != (Seal{}), "arc.seal"},
		{some(c.Forwarders), "forwarders"},
		{some(c.Reports), "reports"},
		{c.Policy.Compiled.Uses("arc") || c.Policy.Compiled.Uses("arc.domain"), "policy.rules: arc (always none)"},
		{c.Policy.Compiled.Uses("dnsbl"), "policy.rules: dnsbl (always empty)"},
	} {
		if x.set {
			names = append(names, x.name)
		}
	}
	return names
}
