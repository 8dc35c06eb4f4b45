package doctor

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// healthy is a domain with which nothing is wrong; RSA and ED stand for the
// records of its keys.
const healthy = `
s1._domainkey.example.com   TXT "RSA"
s1e._domainkey.example.com  TXT "ED"
example.com         TXT  "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"
example.com         MX   10 mail.example.com
_dmarc.example.com  TXT  "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
mail.example.com    TXT  "v=spf1 a -all"
mail.example.com    A    192.0.2.25
mail.example.com    AAAA 2001:db8::25
192.0.2.25          PTR  mail.example.com
2001:db8::25        PTR  mail.example.com
`

// goodList is a block list that passes its test.
const goodList = "2.0.0.127.bl.example.com A 127.0.0.2\n"

func koreanSite(d *Domain) { d.Korean, d.Egress = true, d.Egress[:1] }

func serviceKey(d *Domain) { d.Foreign = []string{"k1"} }

func throughRelay(d *Domain) { d.Relay = "smtp.relay.example" }

// dnsCase is a finding and a zone that has it.
type dnsCase struct {
	name string
	drop []string // lines of the healthy zone that begin with it
	add  string
	// Every finding that is no PASS: "LEVEL check subject: part of the message |
	// part of the paste", "| nothing" where there is nothing to paste.
	want   string
	change func(*Domain)
}

var dnsCases = []dnsCase{
	{"healthy", nil, "", "", nil},
	{"rsa record missing", []string{"s1._"}, "", `FAIL dkim s1._domainkey.example.com: not in the DNS | s1._domainkey.example.com TXT "v=DKIM1; k=rsa; p=`, nil},
	{"ed25519 record missing", []string{"s1e._"}, "", `WARN dkim s1e._domainkey.example.com: not in the DNS | k=ed25519`, nil},
	{"panel added the domain", []string{"s1._"}, "s1._domainkey.example.com.example.com TXT \"RSA\"",
		`FAIL dkim s1._domainkey.example.com: one domain too deep`, nil},
	{"another key", []string{"s1._"}, `s1._domainkey.example.com TXT "OTHER"`, `FAIL dkim s1._domainkey.example.com: another key`, nil},
	{"two records", nil, `s1._domainkey.example.com TXT "v=DKIM1; p="`, `FAIL dkim s1._domainkey.example.com: 2 TXT records`, nil},
	{"revoked", []string{"s1._"}, `s1._domainkey.example.com TXT "v=DKIM1; p="`, `FAIL dkim s1._domainkey.example.com: revokes`, nil},
	{"cut off", []string{"s1._"}, `s1._domainkey.example.com TXT "SHORT"`, `FAIL dkim s1._domainkey.example.com: cut off after 255 bytes`, nil},
	{"quoted", []string{"s1e._"}, `s1e._domainkey.example.com TXT "\"v=DKIM1; k=ed25519; p=x\""`, `FAIL dkim s1e._domainkey.example.com: quotation marks`, nil},
	{"backslashes", []string{"s1e._"}, `s1e._domainkey.example.com TXT "v=DKIM1\\; k=ed25519\\; p=x"`, `FAIL dkim s1e._domainkey.example.com: backslashes`, nil},
	{"test mode", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; t=y"`, `WARN dkim s1._domainkey.example.com: t=y`, nil},
	{"wrong hash", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; h=sha1"`, `FAIL dkim s1._domainkey.example.com: sha256`, nil},
	{"not for mail", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; s=web"`, `FAIL dkim s1._domainkey.example.com: does not allow mail`, nil},
	{"wrong type", []string{"s1e._"}, `s1e._domainkey.example.com TXT "RSA"`, `FAIL dkim s1e._domainkey.example.com: for a rsa key`, nil},
	{"dkim does not answer", []string{"s1._"}, "s1._domainkey.example.com TXT !servfail", `WARN dkim s1._domainkey.example.com: did not answer`, nil},

	{"no spf", []string{"example.com TXT"}, "", `FAIL spf example.com: no SPF record | "v=spf1 mx`, nil},
	{"spf refuses one", []string{"example.com TXT"}, `example.com TXT "v=spf1 mx:other.example ip4:192.0.2.25 -all"`,
		`FAIL spf example.com: 2001:db8::25 may not send: fail by -all | "v=spf1 ip6:2001:db8::25 mx:other.example ip4:192.0.2.25 -all"` +
			"\nWARN spf example.com: 1 of the two terms that may lead nowhere do (mx:other.example)", nil},
	{"two spf records", nil, `example.com TXT "v=spf1 include:_spf.example.net ~all"`,
		`FAIL spf example.com: 2 SPF records | "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 include:_spf.example.net ~all"`, nil},
	{"spf broken", []string{"example.com TXT"}, `example.com TXT "v=spf1 ipv4:192.0.2.25 -all"`, "FAIL spf example.com: broken\nFAIL spf example.com: broken", nil},
	{"spf for everybody", []string{"example.com TXT"}, `example.com TXT "v=spf1 +all"`, `WARN spf example.com: everybody may send`, nil},
	{"spf does not answer", []string{"example.com TXT"}, "example.com TXT !timeout", `WARN spf example.com: did not answer`, nil},
	{"spf does not answer further on", []string{"example.com TXT"}, "example.com TXT \"v=spf1 include:slow.example -all\"\nslow.example TXT !servfail",
		"WARN spf example.com: did not answer\nWARN spf example.com: did not answer", nil},
	{"spf with nine look-ups", []string{"example.com TXT"}, "example.com TXT \"v=spf1" + includes(9) + " ip4:192.0.2.25 ip6:2001:db8::25 -all\"\ni.example TXT \"v=spf1 -all\"",
		"WARN spf example.com: 192.0.2.25 may send (ip4:192.0.2.25), but the record needs 9 of the 10 look-ups\n" +
			"WARN spf example.com: 2001:db8::25 may send (ip6:2001:db8::25), but the record needs 9 of the 10 look-ups", nil},
	{"spf with eight look-ups", []string{"example.com TXT"}, "example.com TXT \"v=spf1" + includes(8) + " ip4:192.0.2.25 ip6:2001:db8::25 -all\"\ni.example TXT \"v=spf1 -all\"", "", nil},
	{"helo does not answer", []string{"mail.example.com TXT"}, "mail.example.com TXT !servfail", "WARN spf mail.example.com: did not answer\nWARN spf mail.example.com: did not answer", nil},
	{"helo broken", []string{"mail.example.com TXT"}, `mail.example.com TXT "v=spf1 ipv4:192.0.2.25 -all"`,
		"FAIL spf mail.example.com: broken | ip4:192.0.2.25 ip6:2001:db8::25 -all\nFAIL spf mail.example.com: broken | ip4:192.0.2.25 ip6:2001:db8::25 -all", nil},
	{"helo without spf", []string{"mail.example.com TXT"}, "", "WARN spf mail.example.com: no SPF record | ip4:192.0.2.25 ip6:2001:db8::25 -all\nWARN spf mail.example.com: no SPF record", nil},
	{"helo refused", []string{"mail.example.com TXT"}, `mail.example.com TXT "v=spf1 -all"`, "FAIL spf mail.example.com: bounces | \"v=spf1 ip4:192.0.2.25 -all\"\nFAIL spf mail.example.com: bounces | \"v=spf1 ip6:2001:db8::25 -all\"", nil},
	{"helo leads elsewhere", []string{"mail.example.com A 1"}, "mail.example.com A 192.0.2.99",
		"WARN helo mail.example.com: does not lead to 192.0.2.25 | mail.example.com A 192.0.2.25\nFAIL spf mail.example.com: bounces\nFAIL ptr 192.0.2.25: does not lead back", nil},
	{"helo unknown", []string{"mail.example.com AAAA"}, "",
		"FAIL helo mail.example.com: has no AAAA record\nFAIL spf mail.example.com: bounces\nFAIL ptr 2001:db8::25: does not lead back", nil},

	{"no ptr", []string{"192.0.2.25"}, "", "FAIL ptr 192.0.2.25: has no name | 25.2.0.192.in-addr.arpa PTR mail.example.com", nil},
	{"ptr elsewhere", []string{"192.0.2.25"}, "192.0.2.25 PTR host-25.isp.example", "FAIL ptr 192.0.2.25: does not lead back | host-25.isp.example A 192.0.2.25", nil},
	{"ptr does not answer", []string{"192.0.2.25"}, "192.0.2.25 PTR !servfail", "WARN ptr 192.0.2.25: did not answer", nil},

	{"no dmarc", []string{"_dmarc"}, "", `WARN dmarc _dmarc.example.com: no DMARC record | "v=DMARC1; p=none`, nil},
	{"two dmarc records", nil, `_dmarc.example.com TXT "v=DMARC1; p=none"`, `FAIL dmarc _dmarc.example.com: 2 DMARC records | nothing`, nil},
	{"dmarc broken", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=refuse"`, `FAIL dmarc _dmarc.example.com: the record is broken: policy record has an invalid p=`, nil},
	{"dmarc broken, with reports", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=refuse; rua=mailto:dmarc@example.com"`, `FAIL dmarc _dmarc.example.com: the record is broken: policy`, nil},
	{"no reports", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none"`, `WARN dmarc _dmarc.example.com: no rua=`, nil},
	{"reports elsewhere", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@reports.example"`,
		`WARN dmarc example.com._report._dmarc.reports.example: has not agreed | TXT "v=DMARC1"`, nil},
	{"reports elsewhere, agreed", []string{"_dmarc"}, "_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:a@reports.example\"\nexample.com._report._dmarc.reports.example TXT \"v=DMARC1;\"", "", nil},

	{"reports within the organisation", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@example.com,mailto:a@in.example.com,https://x.example/"`, "", nil},
	{"reports elsewhere, twice", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@reports.example,mailto:b@Reports.example"`,
		`WARN dmarc example.com._report._dmarc.reports.example: has not agreed`, nil},
	{"reports elsewhere, another record", []string{"_dmarc"}, "_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:a@reports.example\"\nexample.com._report._dmarc.reports.example TXT \"v=spf1 -all\"",
		`WARN dmarc example.com._report._dmarc.reports.example: has not agreed`, nil},
	{"reports elsewhere, no answer", []string{"_dmarc"}, "_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:a@reports.example\"\nexample.com._report._dmarc.reports.example TXT !servfail",
		`WARN dmarc example.com._report._dmarc.reports.example: did not answer`, nil},
	{"reports to eleven domains", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=` + elsewhere(11) + `"`,
		strings.TrimSuffix(strings.Repeat("WARN dmarc *: has not agreed\n", 10), "\n"), nil},

	{"no mx", []string{"example.com MX"}, "", "WARN mx example.com: no MX record | example.com MX 10 mail.example.com", nil},
	{"null mx", []string{"example.com MX"}, "example.com MX 0 .", "WARN mx example.com: null MX", nil},
	{"mx without address", []string{"example.com MX"}, "example.com MX 10 gone.example.com", "FAIL mx example.com: has no address", nil},
	{"mx is an address", []string{"example.com MX"}, "example.com MX 10 192.0.2.25", "FAIL mx example.com: not an address", nil},

	{"a question mark at the end", []string{"example.com TXT"}, `example.com TXT "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 ?all"`,
		`WARN spf example.com: ends in ?all | ip6:2001:db8::25 ~all"`, nil},
	{"eleven look-ups behind our addresses", []string{"example.com TXT"}, "example.com TXT \"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25" + includes(11) + " -all\"\ni.example TXT \"v=spf1 -all\"",
		"FAIL spf example.com: the whole record needs more than the 10 look-ups", nil},
	{"nine look-ups behind our addresses", []string{"example.com TXT"}, "example.com TXT \"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25" + includes(9) + " -all\"\ni.example TXT \"v=spf1 -all\"",
		"WARN spf example.com: the whole record needs 9 of the 10 look-ups", nil},
	{"two terms lead nowhere", []string{"example.com TXT"}, `example.com TXT "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 a:gone1.example mx:gone2.example -all"`,
		"WARN spf example.com: 2 of the two terms that may lead nowhere do (a:gone1.example, mx:gone2.example)", nil},
	{"three terms lead nowhere", []string{"example.com TXT"}, `example.com TXT "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 a:gone1.example a:gone2.example a:gone3.example -all"`,
		"FAIL spf example.com: more than two terms lead nowhere", nil},
	{"broken behind our addresses", []string{"example.com TXT"}, "example.com TXT \"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 include:none.example -all\"",
		"FAIL spf example.com: the record is broken", nil},

	{"reverse record in our zone", []string{"192.0.2.25"}, "25.2.0.192.in-addr.arpa.example.com PTR mail.example.com",
		"FAIL ptr 192.0.2.25: a record at 25.2.0.192.in-addr.arpa.example.com has no effect | 25.2.0.192.in-addr.arpa PTR mail.example.com", nil},
	{"reverse record in our zone, short", []string{"192.0.2.25"}, "25.2.0.192.example.com PTR mail.example.com", "FAIL ptr 192.0.2.25: a record at 25.2.0.192.example.com has no effect", nil},
	{"reverse record in our zone, the address itself", []string{"192.0.2.25"}, "192.0.2.25.example.com PTR mail.example.com", "FAIL ptr 192.0.2.25: a record at 192.0.2.25.example.com has no effect", nil},
	{"no ptr below a wildcard", []string{"192.0.2.25"}, "*.example.com A 192.0.2.80", "FAIL ptr 192.0.2.25: the address has no name: Gmail", nil},
	{"ptr is another name than helo", []string{"192.0.2.25"}, "192.0.2.25 PTR out.example.com\nout.example.com A 192.0.2.25",
		"WARN ptr 192.0.2.25: some filters want one name | 25.2.0.192.in-addr.arpa PTR mail.example.com", nil},
	{"several names, one of helo", []string{"192.0.2.25"}, "192.0.2.25 PTR out.example.com\n192.0.2.25 PTR mail.example.com\nout.example.com A 192.0.2.25", "", nil},

	{"mx is an alias", []string{"example.com MX"}, "example.com MX 10 mx.example.com\nmx.example.com CNAME mail.example.com", "WARN mx example.com: is an alias (CNAME) | example.com MX 10 mail.example.com", nil},
	{"mx is an alias of nothing", []string{"example.com MX"}, "example.com MX 10 mx.example.com\nmx.example.com CNAME gone.example.com", "WARN mx example.com: is an alias (CNAME) | example.com MX 10 gone.example.com", nil},

	{"reports to an example", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:postmaster@yourdomain.com"`,
		`FAIL dmarc _dmarc.example.com: stands in an example | "v=DMARC1; p=none; rua=mailto:dmarc@example.com"`, nil},
	{"no reports, to paste", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none;"`, `WARN dmarc _dmarc.example.com: no rua= | "v=DMARC1; p=none; rua=mailto:dmarc@example.com"`, nil},

	{"key at the apex", []string{"s1._"}, `example.com TXT "RSA"`, "FAIL dkim s1._domainkey.example.com: stands at example.com itself", nil},
	{"key without _domainkey", []string{"s1._"}, `s1.example.com TXT "RSA"`, "FAIL dkim s1._domainkey.example.com: ._domainkey is missing", nil},
	{"key without the underscore", []string{"s1._"}, `s1.domainkey.example.com TXT "RSA"`, "FAIL dkim s1._domainkey.example.com: an underscore, ._domainkey", nil},
	{"key doubled", []string{"s1._"}, `s1._domainkey.example.com TXT "RSA; RSA"`, "FAIL dkim s1._domainkey.example.com: the value stands in it twice", nil},
	{"key split into two records", []string{"s1._"}, "s1._domainkey.example.com TXT \"SHORT\"\ns1._domainkey.example.com TXT \"REST\"", "FAIL dkim s1._domainkey.example.com: two records of one value", nil},
	{"spf with a comma", []string{"example.com TXT"}, `example.com TXT "v=spf1, ip4:192.0.2.25 ~all"`, "FAIL spf example.com: a blank has to follow v=spf1", nil},
	{"spf in quotes", []string{"example.com TXT"}, `example.com TXT "\"v=spf1 ~all\""`, "FAIL spf example.com: quotation marks or blanks are part of it", nil},
	{"spf without its version", []string{"example.com TXT"}, `example.com TXT "spf1 ip4:192.0.2.25 ~all"`, "FAIL spf example.com: has to begin with v=spf1", nil},
	{"spf without all", []string{"example.com TXT"}, `example.com TXT "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25"`, `WARN spf example.com: has no all at its end | ip6:2001:db8::25 ~all"`, nil},
	{"dmarc without the underscore", []string{"_dmarc"}, `dmarc.example.com TXT "v=DMARC1; p=none"`, "FAIL dmarc _dmarc.example.com: an underscore, _dmarc", nil},
	{"dmarc too deep", []string{"_dmarc"}, `_dmarc.example.com.example.com TXT "v=DMARC1; p=none"`, "FAIL dmarc _dmarc.example.com: type _dmarc alone", nil},
	{"dmarc at the apex", []string{"_dmarc"}, `example.com TXT "v=DMARC1; p=none"`, "FAIL dmarc _dmarc.example.com: stands at example.com itself", nil},
	{"rua without mailto", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=none; rua=d@example.com"`, "FAIL dmarc _dmarc.example.com: write mailto:d@example.com", nil},

	{"service's key", nil, "k1._domainkey.example.com CNAME dkim.service.example\ndkim.service.example TXT \"RSA\"", "", serviceKey},
	{"service's key leads nowhere", nil, "k1._domainkey.example.com CNAME gone.service.example", "FAIL dkim k1._domainkey.example.com: there is no key", serviceKey},
	{"service's key too deep", nil, `k1._domainkey.example.com.example.com TXT "RSA"`, "FAIL dkim k1._domainkey.example.com: one domain too deep", serviceKey},
	{"service's key in test mode", nil, `k1._domainkey.example.com TXT "RSA; t=y"`, "WARN dkim k1._domainkey.example.com: t=y", serviceKey},
	{"service's key is revoked", nil, `k1._domainkey.example.com TXT "v=DKIM1; p="`, "FAIL dkim k1._domainkey.example.com: revokes", serviceKey},
	{"service's key does not answer", nil, "k1._domainkey.example.com * !servfail", "WARN dkim k1._domainkey.example.com: did not answer", serviceKey},
	{"service has our selector", nil, "", "FAIL dkim s1._domainkey.example.com: has the selector of somebody else's key", func(d *Domain) { d.Foreign = []string{"s1"} }},

	{"through a relay", nil, "", "WARN spf example.com: the record includes nobody's", throughRelay},
	{"through a relay without spf", []string{"example.com TXT"}, "", "FAIL spf example.com: mail leaves through smtp.relay.example, and there is no SPF record", throughRelay},
	{"through Amazon SES without spf", []string{"example.com TXT"}, "", "WARN spf example.com: the domain itself has no record | include:amazonses.com ~all", func(d *Domain) { d.ViaSES, d.Egress = true, nil }},
	{"addresses unknown", nil, "", "WARN spf example.com: public addresses are not known | egress:", func(d *Domain) { d.Egress = nil }},
	{"helo without a dot", nil, "", "FAIL helo vm: is no full host name | myhostname = mail.example.com", func(d *Domain) { d.Helo = "vm" }},
	{"alignment is strict", []string{"_dmarc"}, `_dmarc.example.com TXT "v=DMARC1; p=reject; adkim=s; rua=mailto:d@example.com"`, "FAIL dmarc example.com: do not align | sealmilter keys new example.com",
		func(d *Domain) { d.SDID = "parent.example" }},

	{"form of KISA", []string{"example.com TXT"}, `example.com TXT "v=spf1 ip4:192.0.2.25 -all"`, "", koreanSite},
	{"not the form of KISA", []string{"example.com TXT"}, `example.com TXT "v=spf1 mx ~all"`, `WARN kisa example.com: other terms than ip4: (mx) | "v=spf1 ip4:192.0.2.25 ~all"`, koreanSite},
	{"not the form of KISA, others send", []string{"example.com TXT"}, "example.com TXT \"v=spf1 ip4:192.0.2.25 include:i.example ~all\"\ni.example TXT \"v=spf1 -all\"",
		`WARN kisa example.com: other terms than ip4: (include:i.example) | nothing`, koreanSite},

	{"listed", nil, goodList + "25.2.0.192.bl.example.com A 127.0.0.3\n25.2.0.192.bl.example.com TXT \"spam was seen\"", "FAIL dnsbl 192.0.2.25: is listed by BL | https://bl.example/", nil},
	{"not listed", nil, goodList, "", nil},
	{"list is gone", nil, "bl.example.com TXT \"closed\"", "WARN dnsbl BL: does not list its test address", nil},
	{"list names everybody", nil, "*.bl.example.com A 127.0.0.2", "WARN dnsbl BL: lists 127.0.0.1", nil},
	{"list refuses our resolver", nil, "*.bl.example.com A 127.255.255.254", "WARN dnsbl BL: this does not mean that you are listed", nil},
	{"list refuses after its test", nil, goodList + "25.2.0.192.bl.example.com A 127.255.255.255", "WARN dnsbl BL: this does not mean that you are listed", nil},
	{"answers of the list are changed", nil, goodList + "25.2.0.192.bl.example.com A 198.51.100.1", "WARN dnsbl 192.0.2.25: changes answers of the DNS", nil},
	{"list does not answer", nil, "2.0.0.127.bl.example.com * !servfail", "WARN dnsbl BL: did not answer", nil},
}

// ward is a room for each case: a domain and addresses of its own, so that one DNS server
// can have them all.
type ward struct{ n int }

// own puts the case's own domain and addresses into a text.
func (w ward) own(text string) string {
	n := fmt.Sprint(w.n + 100)
	return strings.NewReplacer("example.com", "c"+n+".example", "192.0.2.25", "192.0.2."+n, "2001:db8::25", "2001:db8::"+n, "25.2.0.192", n+".2.0.192").Replace(text)
}

// keysIn are the keys of the folder's example.com as those of the case's domain.
func (w ward) keysIn(t *testing.T, dir string) []*keys.Key {
	t.Helper()
	domain := w.own("example.com")
	if err := os.Mkdir(filepath.Join(dir, domain), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"s1.pem", "s1e.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, "example.com", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, domain, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, problems := keys.Load(dir, []keys.DomainSpec{{Name: domain, Selectors: []string{"s1", "s1e"}}}, nil)
	all := store.All()
	if len(all) != 2 {
		t.Fatalf("%d keys: %v", len(all), problems)
	}
	slices.SortFunc(all, func(a, b *keys.Key) int { return strings.Compare(a.Selector, b.Selector) })
	return all
}

// bed is a case in its room.
type bed struct {
	dnsCase
	ward
	made []*keys.Key
	zone string
}

// beds are all cases with their keys and zones.
func beds(t *testing.T) []bed {
	t.Helper()
	dir, elsewhere := t.TempDir(), t.TempDir()
	var other []*keys.Key
	for _, d := range []string{dir, elsewhere} {
		var err error
		if other, err = keys.Generate(d, "example.com", keys.GenerateOptions{Selector: "s1"}); err != nil {
			t.Fatal(err)
		}
	}
	var all []bed
	for i, c := range dnsCases {
		b := bed{dnsCase: c, ward: ward{i}}
		b.made = b.keysIn(t, dir)
		b.zone = strings.ReplaceAll(b.own(sickText(b.made, c.drop, c.add)), "OTHER", publish.Record(other[0]))
		all = append(all, b)
	}
	return all
}

// find is what doctor finds about the case where r answers.
func (b bed) find(t *testing.T, r resolve.Resolver) []Finding {
	t.Helper()
	d := Domain{Name: b.own("example.com"), SDID: b.own("example.com"), Keys: b.made, Helo: b.own("mail.example.com"),
		Egress: []netip.Addr{netip.MustParseAddr(b.own("192.0.2.25")), netip.MustParseAddr(b.own("2001:db8::25"))}}
	if b.change != nil {
		b.change(&d)
	}
	found := DNS(t.Context(), r, d)
	if strings.Contains(b.add, "bl.example.com") {
		found = append(found, DNSBL(t.Context(), r, []BlockList{{Zone: b.own("bl.example.com"), Name: "BL", IPv4: true, Many: true, URL: "https://bl.example/"}}, d.Egress)...)
	}
	return found
}

func TestDNS(t *testing.T) {
	for _, b := range beds(t) {
		t.Run(b.name, func(t *testing.T) { compare(t, b.find(t, resolve.MustZone(b.zone)), b.own(b.want)) })
	}
}
