package publish

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/keys"
)

// maxName is the length of a domain name without its trailing dot (RFC 1035 §2.3.4).
const maxName = 253

// Delegation has the owner of a domain point its selectors, once, at names in the
// zone of whoever keeps the keys (RFC 6376 §3.6.2.1 looks up a TXT record, and look-ups
// follow aliases, RFC 1034 §3.6.2). New keys then need no help of the owner.
type Delegation struct {
	To        string   // the names end with it: dkim.hoster.example
	Selectors []string // none: DelegatedSelectors
}

// DelegatedSelectors are two pairs that take turns: while one signs, the other one's
// record can be replaced. An e is behind the names of Ed25519 keys.
func DelegatedSelectors() []string { return []string{"s1", "s1e", "s2", "s2e"} }

// Target is where the alias of a selector leads.
func (d Delegation) Target(selector, domain string) string {
	return selector + "." + domain + "." + d.To
}

// Inside reports whether a domain is one of those that the target names are in: it
// needs no delegation.
func (d Delegation) Inside(domain string) bool {
	return d.To == domain || strings.HasSuffix(d.To, "."+domain)
}

// Delegate is Records for a domain with delegated selectors: what its owner publishes,
// and what stands at the other end.
func (p Publication) Delegate(d Delegation) (owner, keeper []Entry, err error) {
	selectors := d.Selectors
	if len(selectors) == 0 {
		selectors = DelegatedSelectors()
	}
	for _, s := range selectors {
		switch {
		case strings.Contains(s, "."):
			// a.b of c.example and a of b.c.example would meet at one name.
			return nil, nil, fmt.Errorf("selector %s of %s has a dot: such a selector cannot be delegated", s, p.Domain)
		case len(d.Target(s, p.Domain)) > maxName:
			return nil, nil, fmt.Errorf("%.40s... is longer than %d bytes", d.Target(s, p.Domain), maxName)
		}
		owner = append(owner, p.alias(d, s, p.isEd25519(s, selectors)))
	}
	for _, k := range p.Keys {
		if !slices.Contains(selectors, k.Selector) {
			return nil, nil, fmt.Errorf("the key %s of %s has none of the selectors that are delegated (%s)", k.Selector, p.Domain, strings.Join(selectors, ", "))
		}
		t := dkimTXT(k)
		t.Name = d.Target(k.Selector, p.Domain)
		t.Why += ". The alias " + k.Name() + " leads here"
		t.Zone = d.To
		keeper = append(keeper, t)
	}
	sortByNeed(owner)
	sortByNeed(keeper)
	return p.placed(append(owner, p.Policies()...)), p.placed(keeper), nil
}

// alias is what the owner publishes of a selector.
func (p Publication) alias(d Delegation, selector string, ed25519 bool) Entry {
	e := Entry{Type: TypeCNAME, Name: selector + "._domainkey." + p.Domain, Value: d.Target(selector, p.Domain), Need: Required,
		// RFC 1034 §3.6.2
		Why: "DKIM: leads to the key that " + d.To + " keeps there, now and after each change of keys. A name with a CNAME has no other record: remove a TXT record that is there first"}
	if ed25519 {
		e.Need = Optional
		e.Why += ". It is for an Ed25519 key (RFC 8463), which newer receivers check beside the RSA one"
	}
	return e
}

// isEd25519 goes by the key where there is one, else by how new pairs are called: s1, s1e.
func (p Publication) isEd25519(selector string, all []string) bool {
	for _, k := range p.Keys {
		if k.Selector == selector {
			return k.Algorithm() != keys.RSASHA256
		}
	}
	first, e := strings.CutSuffix(selector, "e")
	return e && slices.Contains(all, first)
}
