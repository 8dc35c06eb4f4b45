package edit

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/internal/problem"
)

func TestEdit(t *testing.T) {
	full := Change{AuthservID: "mail.example.com", MTA: "postfix", Domains: []string{"example.com"}, Networks: []netip.Prefix{netip.MustParsePrefix("192.168.5.0/24")}}
	domain := Change{Domains: []string{"example.com"}}
	for _, c := range []struct {
		name, in string
		edit     Change
		want     string
	}{
		{"empty", "", full, "authserv_id: mail.example.com\nmta: postfix\noutbound:\n  networks: [\"192.168.5.0/24\"]\nsign:\n  domains: [example.com]\n"},
		{"comments only", "# see milter.yaml(5)\n#mta: auto\n", domain, "# see milter.yaml(5)\n#mta: auto\nsign:\n  domains: [example.com]\n"},
		{"nothing to do", "authserv_id: a.b\nmta: postfix\noutbound: {networks: []}\nsign: {domains: [example.com]}\n", full, "authserv_id: a.b\nmta: postfix\noutbound: {networks: []}\nsign: {domains: [example.com]}\n"},
		{"no line end", "mta: auto # guess", full, "mta: postfix  # guess\nauthserv_id: mail.example.com\noutbound:\n  networks: [\"192.168.5.0/24\"]\nsign:\n  domains: [example.com]\n"},
		{"empty id", "authserv_id: \"\"\n", Change{AuthservID: "m.x"}, "authserv_id: m.x\n"},
		{"empty list", "sign:\n  domains: [] # yours\n", domain, "sign:\n  domains: [example.com] # yours\n"},
		{"null list", "sign:\n  domains:\n  via: ses\n", domain, "sign:\n  domains: [example.com]\n  via: ses\n"},
		{"null section", "sign:\n#  domains: [x]\nmta: auto\n", domain, "sign:\n  domains: [example.com]\n#  domains: [x]\nmta: auto\n"},
		{"section without list", "sign:\n    via: ses\n", domain, "sign:\n    domains: [example.com]\n    via: ses\n"},
		{"flow", "sign:\n  domains: [a.x, {name: b.x, selectors: [s1, s2]}]   # [x]\n", domain, "sign:\n  domains: [a.x, {name: b.x, selectors: [s1, s2]}, example.com]   # [x]\n"},
		{"flow on lines", "sign:\n  domains: [\n    a.x,\n    b.x\n  ]\n", domain, "sign:\n  domains: [\n    a.x,\n    b.x\n  , example.com]\n"},
		{"block", "sign:\n  domains:\n    - a.x # one\n    - name: b.x\n      subdomains: false\n# end\n", domain, "sign:\n  domains:\n    - a.x # one\n    - name: b.x\n      subdomains: false\n    - example.com\n# end\n"},
		{"listed as an object", "sign:\n  domains:\n  - {name: example.com}\n", domain, "sign:\n  domains:\n  - {name: example.com}\n"},
		{"listen", "sign: {domains: [a.x]}\n", Change{Listen: "unix:/x"}, "sign: {domains: [a.x]}\nlisten: [\"unix:/x\"]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.edit.Apply([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"flow section": "sign: {via: ses}\n",
		"anchor":       "d: &d {via: ses}\nsign: *d\n",
		"no map":       "- a\n",
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := (Change{Domains: []string{"example.com"}}).Apply([]byte(in)); err == nil || problem.Hint(err) == "" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}
