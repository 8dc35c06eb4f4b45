package config

import (
	"errors"
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
	if dom.Name == "" {
		return
	}
	if msg, hint := unsignable(dom.Name, dom.Subdomains); msg != "" {
		d.failAt(path, msg, hint)
	} else if !strings.Contains(dom.Name, ".") {
		d.warnAt(path, fmt.Sprintf("domain %s has no dot", dom.Name), "outside your own network nobody finds its key; write the whole domain, such as example.com")
	}
}

// unsignable says why mail of a name in its canonical form is not signed, "" when
// it may be.
func unsignable(name string, subdomains bool) (msg, hint string) {
	if _, err := netip.ParseAddr(name); err == nil {
		return name + " is an address, no domain", "write the domain that stands behind the @ of From, such as example.com"
	}
	for label := range strings.SplitSeq(name, ".") {
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			if t := strings.Trim(name, "-"); t != name {
				hint = "write " + t
			}
			return fmt.Sprintf("%q: a label begins or ends with a hyphen", name), hint // RFC 1123 §2.1
		}
	}
	// Under a public suffix others register: its keys would sign for all of them.
	// Who runs such a domain says so, with subdomains: false.
	if suffix, icann := publicsuffix.PublicSuffix(name); icann && suffix == name && subdomains && strings.Contains(name, ".") {
		return fmt.Sprintf("%s is no one's own domain: others register theirs below it", name),
			fmt.Sprintf("write yours, such as example.%s; who runs %s itself writes {name: %s, subdomains: false}", name, name, name)
	}
	return "", ""
}

// SignableName puts a name that comes from elsewhere than the file into the form
// of sign.domains, or says why no mail is signed for it. Nobody reads a warning
// about one row of many: a name without a dot is refused.
func SignableName(s string) (string, error) {
	name, err := resolve.CanonicalName(s)
	if err != nil {
		return "", errors.New("not a domain name")
	}
	if !strings.Contains(name, ".") {
		return "", errors.New("no dot")
	}
	if msg, _ := unsignable(name, true); msg != "" {
		return "", errors.New(msg)
	}
	return name, nil
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
