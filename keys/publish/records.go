// Package publish writes down what the owner of a domain has to put into the
// DNS: the records that go with its keys (RFC 6376 §3.6.1, RFC 8463 §4.2), or
// aliases to somebody who keeps them, a proposal for SPF (RFC 7208) and one for
// DMARC (RFC 9989), and their text forms. It asks no DNS and opens no key.
package publish

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/keys"
)

// Need says how much depends on a DNS record.
type Need string

const (
	Required Need = "required" // without it our signatures fail
	Optional Need = "optional" // good to have
	Advice   Need = "advice"   // ours to propose, the owner's to decide; one may exist already
)

// The types of records that we propose.
const (
	TypeTXT   = "TXT"
	TypeCNAME = "CNAME"
)

// Entry is a DNS record to publish.
type Entry struct {
	Domain string `json:"domain"` // whose mail it is for
	Type   string `json:"type"`   // TypeTXT, which "" stands for, or TypeCNAME
	Name   string `json:"name"`   // A-labels, no trailing dot
	// Relative is Name as it stands within Zone, "@" for the zone's own name:
	// what web panels want. Both are "" where the zone is not known.
	Relative string `json:"relative_name,omitempty"`
	Zone     string `json:"zone,omitempty"`
	// Value is the text in one piece, see Chunks, or the target of the alias
	// without a trailing dot.
	Value string `json:"value"`
	Need  Need   `json:"need"`
	// Why is one paragraph for the reader: what it is for and what to mind.
	// ASCII, since it ends up in zone files.
	Why string `json:"why"`
	// Then are the values to go on with, in order; Why says when.
	Then []string `json:"then,omitempty"`
	// Placeholder: Value lacks what we cannot know; Why says what.
	Placeholder bool `json:"placeholder,omitempty"`
	// State is what the DNS has of it, "" where nobody asked or was answered.
	State State `json:"state,omitempty"`
}

// TXT is an Entry; most are of that type.
type TXT = Entry

// Record is the text of the DNS record that goes with a key (RFC 6376 §3.6.1;
// RFC 8463 §4.2 for Ed25519).
func Record(k *keys.Key) string {
	switch pub := k.Public().(type) {
	case *rsa.PublicKey:
		// A SubjectPublicKeyInfo, as all the world publishes it: the RFC's
		// text says RSAPublicKey, its example and erratum 3017 say this.
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil { // cannot happen: the key was parsed or made by us
			return ""
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	case ed25519.PublicKey:
		// RFC 8463 §4.2: the 32 bytes as they are, no ASN.1 around them.
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub)
	}
	return ""
}

// Revoked is the record of a key that is not to be believed any more (RFC 6376 §3.6.1).
func Revoked(k *keys.Key) string {
	record, _, _ := strings.Cut(Record(k), "p=")
	return record + "p="
}

// Publication is what the owner of a domain has to put into the DNS.
type Publication struct {
	Domain string
	Keys   []*keys.Key // that sign, or will
	// Egress are our public addresses as the world sees them. Addresses that
	// the world cannot see (private, loopback, ...) do not count.
	Egress []netip.Addr
	// ViaSES: Amazon SES sends for us.
	ViaSES bool
	// Relay is the host that all mail leaves through (relayhost), "" for none.
	Relay string
	// Helo is the name that the MTA says in HELO, when a record for it is wanted.
	Helo string
	// OwnIPv6 are addresses of this host that its MTA may send from; Egress may
	// lack them.
	OwnIPv6 []netip.Addr
	// Zone guesses the zone that a name is in. nil: Domain's.
	Zone func(name string) string
}

// Records are the records in the order in which to publish them: DKIM, SPF,
// DMARC.
func (p Publication) Records() []Entry {
	return p.placed(append(p.DKIM(), p.Policies()...))
}

// DKIM are the records of the keys, required ones first.
func (p Publication) DKIM() []Entry {
	var all []Entry
	for _, k := range p.Keys {
		all = append(all, dkimTXT(k))
	}
	sortByNeed(all)
	return p.placed(all)
}

// Policies are the advice about SPF and DMARC.
func (p Publication) Policies() []Entry {
	all := []Entry{p.spf()}
	if t, ok := p.helo(); ok {
		all = append(all, t)
	}
	return p.placed(append(all, p.dmarc()))
}

func sortByNeed(all []Entry) {
	rank := map[Need]int{Required: 0, Optional: 1, Advice: 2}
	slices.SortStableFunc(all, func(a, b Entry) int { return rank[a.Need] - rank[b.Need] })
}

// placed fills in whose the entries are, and where they stand.
func (p Publication) placed(all []Entry) []Entry {
	for i := range all {
		e := &all[i]
		e.Domain = p.Domain
		if e.Type == "" {
			e.Type = TypeTXT
		}
		if e.Zone == "" {
			e.Zone = p.Domain
			if p.Zone != nil {
				e.Zone = p.Zone(e.Name)
			}
		}
		e.place()
	}
	return all
}

// Move has the record stand at another name.
func (e *Entry) Move(name, zone string) {
	e.Name, e.Zone = name, zone
	e.place()
}

// place makes Name relative to Zone.
func (e *Entry) place() {
	if e.Name == e.Zone {
		e.Relative = "@"
	} else if rel, ok := strings.CutSuffix(e.Name, "."+e.Zone); ok {
		e.Relative = rel
	} else {
		e.Relative, e.Zone = "", ""
	}
}

func dkimTXT(k *keys.Key) Entry {
	t := Entry{Name: k.Name(), Value: Record(k), Need: Required,
		Why: fmt.Sprintf("DKIM, RSA key of %d bits: the key that every receiver knows; without this record our signatures fail", k.Bits())}
	if k.Algorithm() != keys.RSASHA256 {
		t.Need = Optional
		t.Why = "DKIM, Ed25519 key (RFC 8463): a second signature that newer receivers check; leave it out and they use the RSA one"
	}
	return t
}
