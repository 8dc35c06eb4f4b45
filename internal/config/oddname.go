package config

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// checkDomain looks at one name of sign.domains, which is a name that has been
// read.
func (d *decoder) checkDomain(path string, dom SignDomain) {
	name := dom.Name
	if name == "" {
		return
	}
	if _, err := netip.ParseAddr(name); err == nil {
		d.failAt(path, name+" is an address, no domain", "write the domain that stands behind the @ of From, such as example.com")
		return
	}
	for _, label := range strings.Split(name, ".") {
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			hint := "" // RFC 1123 §2.1
			if t := strings.Trim(name, "-"); t != name {
				hint = "write " + t
			}
			d.failAt(path, fmt.Sprintf("%q: a label begins or ends with a hyphen", name), hint)
			return
		}
	}
	if !strings.Contains(name, ".") {
		d.warnAt(path, fmt.Sprintf("domain %s has no dot", name), "outside your own network nobody finds its key; write the whole domain, such as example.com")
		return
	}
	// Under a public suffix others register: its keys would sign for all of them.
	// Who runs such a domain says so, with subdomains: false.
	if suffix, icann := publicsuffix.PublicSuffix(name); icann && suffix == name && dom.Subdomains {
		d.failAt(path, fmt.Sprintf("%s is no one's own domain: others register theirs below it", name),
			fmt.Sprintf("write yours, such as example.%s; who runs %s itself writes {name: %s, subdomains: false}", name, name, name))
	}
}

// twiceHint: a section is pasted a second time, mostly to add a domain. A command
// does that.
func twiceHint(k, v *yaml.Node, first, depth int) string {
	hint := fmt.Sprintf("it is set in line %d already", first)
	if depth > 0 || v.Kind != yaml.MappingNode {
		return hint + "; keep one of them"
	}
	if domain := firstDomain(v); k.Value == "sign" && domain != "" {
		return fmt.Sprintf("%s; take line %d and what belongs to it away, and add %s to the domains there, or let a command do it: sealmilter setup postfix --domain %s",
			hint, k.Line, domain, domain)
	}
	return fmt.Sprintf("%s; move what belongs to line %d there, and take line %d away", hint, k.Line, k.Line)
}

// firstDomain is the first name of a section's domains, "" when it has none that
// can stand in a command as it is.
func firstDomain(section *yaml.Node) string {
	for i := 0; i+1 < len(section.Content); i += 2 {
		list := section.Content[i+1]
		if section.Content[i].Value != "domains" || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
			continue
		}
		name, err := resolve.CanonicalName(list.Content[0].Value)
		if err == nil && !strings.HasPrefix(name, "-") && !strings.ContainsFunc(name, shellSpecial) {
			return name
		}
	}
	return ""
}

func shellSpecial(r rune) bool {
	return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}
