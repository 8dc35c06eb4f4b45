// Package publish writes down what the owner of a domain has to put into the
// DNS: the records that go with its keys (RFC 6376 §3.6.1, RFC 8463 §4.2), a
// proposal for SPF (RFC 7208) and one for DMARC (RFC 9989), and their text
// forms. It asks no DNS and opens no key.
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

	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/keys"
)

// Need says how much depends on a DNS record.
type Need string

const (
	Required Need = "required" // without it our signatures fail
	Optional Need = "optional" // good to have
	Advice   Need = "advice"   // ours to propose, the owner's to decide; one may exist already
)

// TXT is a TXT record to publish.
type TXT struct {
	Name  string `json:"name"`  // A-labels, no trailing dot
	Value string `json:"value"` // in one piece; see Chunks
	Need  Need   `json:"need"`
	// Why is one paragraph for the reader: what it is for and what to mind.
	// ASCII, since it ends up in zone files.
	Why string `json:"why"`
	// Placeholder: Value lacks what we cannot know; Why says what.
	Placeholder bool `json:"placeholder,omitempty"`
	// State is what the DNS has of it, "" where nobody asked or was answered.
	State State `json:"state,omitempty"`
}

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
}

// Records are the records in the order in which to publish them: DKIM, SPF,
// DMARC.
func (p Publication) Records() []TXT {
	var all []TXT
	for _, k := range p.Keys {
		all = append(all, dkimTXT(k))
	}
	slices.SortStableFunc(all, func(a, b TXT) int { // required ones first
		return strings.Compare(string(b.Need), string(a.Need))
	})
	return append(all, p.spf(), p.dmarc())
}

func dkimTXT(k *keys.Key) TXT {
	t := TXT{Name: k.Name(), Value: Record(k), Need: Required,
		Why: fmt.Sprintf("DKIM, RSA key of %d bits: the key that every receiver knows; without this record our signatures fail", k.Bits())}
	if k.Algorithm() != keys.RSASHA256 {
		t.Need = Optional
		t.Why = "DKIM, Ed25519 key (RFC 8463): a second signature that newer receivers check; leave it out and they use the RSA one"
	}
	return t
}

// spf proposes the domain's SPF record (RFC 9989 §5.1.1).
func (p Publication) spf() TXT {
	t := TXT{Name: p.Domain, Need: Advice,
		Why: "SPF: who may send for " + p.Domain + ". There may be only one (RFC 7208 section 3.2): if the name has a record that begins with v=spf1, " +
			"add the ip4: and ip6: terms to that one. Add the include: of every other service that sends for you."}
	var terms []string
	for _, a := range p.Egress {
		a = a.Unmap().WithZone("")
		term := "ip4:" + a.String()
		if a.Is6() {
			term = "ip6:" + a.String()
		}
		if address.Public(a) && !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	if p.ViaSES {
		// The MAIL FROM that receivers check is SES's own, or a custom one below
		// the domain: mx does not speak of SES, and without Egress nobody else sends.
		if len(terms) > 0 {
			terms = append([]string{"mx"}, terms...)
		}
		t.Value = "v=spf1 " + strings.Join(append(terms, "include:amazonses.com"), " ") + " ~all"
		t.Why += " A custom MAIL FROM domain needs a record of its own: v=spf1 include:amazonses.com ~all"
		return t
	}
	switch {
	case p.Relay != "":
		terms, t.Placeholder = nil, true
		t.Why += " Mail leaves through " + p.Relay + ": put the include: term in front of ~all that its operator names. Addresses of this host need not be in it."
	case len(terms) == 0:
		t.Placeholder = true
		t.Why += " We cannot know the address that the world sees: behind NAT or a cloud's gateway it is none of this host's own. " +
			"Put ip4: and that address in front of ~all, or set egress: in milter.yaml and ask again."
	}
	// ~all and not -all: under DMARC both count the same, and a receiver that
	// rejects on -all at MAIL FROM never sees the DKIM signature that survives
	// forwarding (RFC 9989 §7.1).
	t.Value = "v=spf1 " + strings.Join(append(append([]string{"mx"}, terms...), "~all"), " ")
	return t
}

// dmarc proposes the record to begin with (RFC 9989 §5.1.4).
func (p Publication) dmarc() TXT {
	return TXT{Name: "_dmarc." + p.Domain, Need: Advice,
		// An address below the domain needs no permission of another one's
		// (RFC 9990 §4).
		Value: "v=DMARC1; p=none; rua=mailto:dmarc@" + p.Domain,
		Why: "DMARC: begin with p=none, which changes nothing and brings you reports; the mailbox dmarc@" + p.Domain + " must exist. " +
			"When a month of reports shows only your own mail passing, go on to p=quarantine, and after another month to p=reject, " +
			"unless your users write to mailing lists (RFC 9989 section 7.4). Keep a record that is there already."}
}
