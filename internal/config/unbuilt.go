package config

import (
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// unbuilt are the options that this version reads and does nothing about.
var unbuilt = []struct {
	path string // in the file
	name string // as it is told
	asks func(c *Config) bool
}{
	{"sign.rsa", "sign.rsa: openssl", func(c *Config) bool { return c.Sign.RSA == "openssl" }},
	{"sign.domains", "sign.domains: as", func(c *Config) bool {
		return slices.ContainsFunc(c.Sign.Domains, func(d SignDomain) bool { return d.As != "" })
	}},
	{"sign.skip_signed", "sign.skip_signed", func(c *Config) bool { return c.Sign.SkipSigned }},
	{"verify.arc", "verify.arc", func(c *Config) bool { return c.Verify.ARC }},
	{"verify.dnsbl", "verify.dnsbl", func(c *Config) bool { return len(c.Verify.DNSBL) > 0 }},
	{"arc.seal", "arc.seal", func(c *Config) bool { return c.ARC.Seal != (Seal{}) }},
	{"forwarders", "forwarders", func(c *Config) bool { return some(c.Forwarders) }},
	{"reports", "reports", func(c *Config) bool { return some(c.Reports) }},
	{"recorder.messages", "recorder", func(c *Config) bool { return c.Recorder != defaults().Recorder }},
	{"web", "web", func(c *Config) bool { return some(c.Web) }},
	{"policy.rules", "policy.rules: arc (always none)", func(c *Config) bool {
		return c.Policy.Compiled.Uses("arc") || c.Policy.Compiled.Uses("arc.domain")
	}},
	{"policy.rules", "policy.rules: dnsbl (always empty)", func(c *Config) bool { return c.Policy.Compiled.Uses("dnsbl") }},
}

func some(t Tree) bool { return t.Kind != tree.Null && len(t.Items) > 0 }

// Unbuilt lists what the configuration asks for and this version accepts
// without doing it. Parse warns of each, with its line.
func (c *Config) Unbuilt() []string {
	var names []string
	for _, x := range unbuilt {
		if x.asks(c) {
			names = append(names, x.name)
		}
	}
	return names
}

// checkUnbuilt warns of what the file asks for in vain.
func (d *decoder) checkUnbuilt(c *Config) {
	if d.problems.Failed() {
		return // what stands there may not be what was read
	}
	const hint = "this version reads it and does nothing about it; leave it away, or leave it for a later one"
	for _, x := range unbuilt {
		if !x.asks(c) {
			continue
		}
		line := d.lines[x.path]
		if x.path == "policy.rules" {
			word := strings.Fields(x.name)[1]
			if l := lineOfKey(&c.Policy.Rules.Node, word); l > 0 {
				line = l
			}
		}
		d.problems = append(d.problems, Problem{Line: line, Message: x.name + " is not built yet", Hint: hint, Severity: Warning})
	}
}

// lineOfKey is the line of the first name that is word, or begins with it and a
// dot; 0 without one.
func lineOfKey(n *tree.Node, word string) int {
	for i := range n.Keys {
		if k := n.Keys[i].Scalar; k == word || strings.HasPrefix(k, word+".") {
			return n.Keys[i].Line
		}
	}
	for i := range n.Items {
		if l := lineOfKey(&n.Items[i], word); l > 0 {
			return l
		}
	}
	return 0
}
