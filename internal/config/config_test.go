package config

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/policy"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// same compares what two configurations mean: not where it was written.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(tree.Node{}, "Line", "Column", "Quoted"),
	cmpopts.IgnoreFields(Policy{}, "Compiled"),
	cmpopts.IgnoreFields(DomainsFrom{}, "Line"),
	cmpopts.IgnoreFields(SenderQuery{}, "Line"),
	cmpopts.EquateComparable(signing.Pattern{}, signing.UserPattern{}),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func parse(t testing.TB, yaml string) *Config {
	t.Helper()
	c, problems := named().Parse("milter.yaml", []byte(yaml))
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

func TestSmallest(t *testing.T) {
	want := Default()
	want.AuthservID = "mail.example.com"
	want.Sign.Domains = []SignDomain{{Name: "example.com", Subdomains: true}}
	for _, yaml := range []string{
		"authserv_id: mail.example.com\nsign:\n  domains: [example.com]\n",
		"authserv_id: mail.example.com\r\nsign:\r\n  domains: [example.com]\r\n",
		"\ufeffauthserv_id: mail.example.com\nsign:\n  domains: [example.com]\n",
		"sign: {domains: [Example.COM.]}",
		"listen:\nverify: ~\npolicy: {rules: null}\nsign: {domains: [{name: example.com}]}",
	} {
		if diff := cmp.Diff(want, parse(t, yaml), same); diff != "" {
			t.Errorf("%q (-want +got)\n%s", yaml, diff)
		}
	}
}

const full = `
authserv_id: mx.example.net
listen:
  - unix:/run/a.sock
  - {addr: "inet:8892@127.0.0.1", direction: outbound}
  - {addr: "inet6:[::1]:8893", direction: inbound}
  - inet:mail.example.net:8894
socket: {mode: 0666, group: mail, peers: [postfix, smmsp]}
mta: sendmail
admin: ""
dns: {servers: [127.0.0.1, "127.0.0.1:5353", "::1", "[2001:db8::1]:53"], timeout: 1500ms, cache_size: 0}
outbound:
  local: false
  authenticated: false
  daemon_names: []
  networks: &nets [192.168.5.0/24, "::ffff:10.0.0.0/104", 2001:db8::1]
  reinjected: sign
inbound: {relays: [198.51.100.7]}
egress: [203.0.113.1, "2001:db8::1"]
sign:
  keys: /k//keys/
  domains:
    - example.com
    - {name: 예.example, selectors: [s1, s2], subdomains: false}
  require_published: false
  expire: 7d
  canonicalization: relaxed/simple
  headers: [from, to, x-ours]
  oversign: []
  via: ses
  rsa: openssl
  domains_from: {driver: mysql, dsn_file: /etc/dsn, query: "select name from d", refresh: 5m}
  senders: {on_mismatch: reject, rules: [{user: "*", from: "{user}"}, {client: 192.168.5.0/24, from: ["@x.example", kim@예.example]}, {local: true, from: ["@*.x.example"]},
    {user: Kim@예.example, from: ["info@{user.domain}", '"a b"@x.example']}], query: {driver: sqlite, dsn_file: /etc/dsn2, query: "select a from b where c = ?"}}
  rotate: {every: 90d, overlap: 3d, delay: 1m, turns: [s1, s2], publish: rfc2136, server: 192.0.2.53, tsig_file: /etc/tsig}
  role: follower
  published_via: [192.0.2.54]
verify:
  spf: false
  arc: true
  iprev: false
  dnsbl: [zen.example, {zone: bl.example}]
  trusted_authserv_ids: [{id: mx.example.net, networks: *nets}]
arc: {seal: {domain: example.com, selector: s1, for: all}}
policy:
  quarantine: hold
  dmarc_reject: quarantine
  rules:
    - name: a
      if: {client.ip: {cidr: *nets}, helo: "", size: {min: 10MiB}, arc: pass, dnsbl: zen.example}
      action: tempfail
      reply: "450 4.7.1 {client.ip}: later"
    - defaults
forwarders: [{networks: [192.0.2.0/24]}]
reports: {send: true}
limits: {field_size: 65536, header_size: 1MiB, header_fields: 200, header_memory: 16MiB, signatures: 3, dns_questions: 50, message_timeout: 20s, connections: 10,
  outbound_share: 0, packet_size: 128KiB, idle_timeout: 1h, frame_timeout: 5s, first_frame_timeout: 5s}
log: {format: json, level: debug}
metrics: {listen: ":8890"}
`

func TestFull(t *testing.T) {
	c := parse(t, full)
	nets := []netip.Prefix{netip.MustParsePrefix("192.168.5.0/24"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	type row struct{ got, want any }
	for name, r := range map[string]row{
		"listen": {c.Listen, []Listener{
			{Address{"unix:/run/a.sock", "unix", "/run/a.sock"}, "auto"},
			{Address{"inet:8892@127.0.0.1", "tcp4", "127.0.0.1:8892"}, "outbound"},
			{Address{"inet6:[::1]:8893", "tcp6", "[::1]:8893"}, "inbound"},
			{Address{"inet:mail.example.net:8894", "tcp", "mail.example.net:8894"}, "auto"},
		}},
		"socket":   {c.Socket, Socket{0o666, "mail", []string{"postfix", "smmsp"}}},
		"admin":    {c.Admin, Address{}},
		"servers":  {c.DNS.Servers, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("127.0.0.1:5353"), netip.MustParseAddrPort("[::1]:53"), netip.MustParseAddrPort("[2001:db8::1]:53")}},
		"timeout":  {c.DNS.Timeout, 1500 * time.Millisecond},
		"names":    {len(c.Outbound.DaemonNames), 0},
		"networks": {c.Outbound.Networks, nets},
		"relays":   {c.Inbound.Relays, []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}},
		"keys":     {c.Sign.Keys, "/k/keys"},
		"domains":  {c.Sign.Domains, []SignDomain{{Name: "example.com", Subdomains: true}, {"xn--2j5b.example", []string{"s1", "s2"}, false, ""}}},
		"expire":   {c.Sign.Expire, 7 * 24 * time.Hour},
		"headers":  {c.Sign.Headers, []string{"from", "to", "x-ours"}},
		"oversign": {len(c.Sign.Oversign), 0},
		"senders": {fmt.Sprint(c.Sign.Senders), "{reject [{* invalid Prefix false [{user}]} { 192.168.5.0/24 false [@x.example kim@예.example]} { invalid Prefix true [@*.x.example]} " +
			"{Kim@예.example invalid Prefix false [info@{user.domain} \"a b\"@x.example]}] {sqlite /etc/dsn2 select a from b where c = ? 34}}"},
		"from":    {c.Sign.DomainsFrom, DomainsFrom{"mysql", "/etc/dsn", "select name from d", 5 * time.Minute, 32}},
		"dkim":    {c.Verify.DKIM, true},
		"dnsbl":   {c.Verify.DNSBL, []DNSBLZone{{"zen.example"}, {"bl.example"}}},
		"trusted": {c.Verify.TrustedAuthservIDs, []TrustedID{{"mx.example.net", nets}}},
		"limits":  {c.Limits, Limits{65536, 1 << 20, 200, 16 << 20, 3, 50, 20 * time.Second, 10, 0, 128 << 10, time.Hour, 5 * time.Second, 5 * time.Second}},
		"metrics": {c.Metrics.Listen, ":8890"},
		"unbuilt": {strings.Join(c.Unbuilt(), ", "), "sign.rsa: openssl, verify.arc, verify.dnsbl, " +
			"arc.seal, forwarders, reports, policy.rules: arc (always none), policy.rules: dnsbl (always empty)"},
	} {
		if !reflect.DeepEqual(r.got, r.want) {
			t.Errorf("%s: got %v, want %v", name, r.got, r.want)
		}
	}
	in := policy.Input{Env: &auth.Envelope{Direction: auth.Inbound}}
	if v := c.Policy.Compiled.Decide(in); v.Rule != "broken-from" {
		t.Errorf("%+v", v)
	}
}

// TestDomainsFrom: a minute where nothing is said, and a list of names is not missed.
func TestDomainsFrom(t *testing.T) {
	c, problems := named().Parse("milter.yaml", []byte("sign:\n  domains:\n  domains_from: {driver: sqlite, dsn_file: /d, query: SELECT a FROM t}\n"))
	if c == nil || len(problems) > 0 || c.Sign.DomainsFrom.Refresh != time.Minute || !c.Sign.DomainsFrom.Asked() || c.Sign.DomainsFrom.Line != 3 {
		t.Errorf("%+v, %s", c, problems)
	}
	if Default().Sign.DomainsFrom.Asked() {
		t.Error("a database is asked by default")
	}
}

// TestSignableName: what a row may be.
func TestSignableName(t *testing.T) {
	for in, want := range map[string]string{
		"Example.COM": "example.com", "example.com.": "example.com", "예.example": "xn--2j5b.example", "github.io": "github.io", "a_b.example": "a_b.example",
		"": "", ".": "", "localhost": "", "co.uk": "", "*": "", "*.example.com": "", "192.0.2.1": "", "-a.example": "", "a b.example": "", " a.example": "",
		"a\x00.example": "", "@example.com": "", "a@example.com": "", "a..example": "", strings.Repeat("a.", 200) + "example": "", "\xff.example": "", "[192.0.2.1]": "",
	} {
		got, err := SignableName(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// TestUnbuilt: a warning for what the file asks for in vain, with its line; none
// for a default. TestOdd/unbuilt has them all.
func TestUnbuilt(t *testing.T) {
	for _, yaml := range []string{
		"mta: auto", "sign: {domains: [example.com]}", "sign: {domains: [example.com], require_published: false}", "sign:\n  domains: [example.com]\n  require_published:\n",
		"sign: {rsa: go, domains_from: {}, senders: {}, rotate: {}}\nverify: {arc: false, dnsbl: []}\narc: {seal: {}}\nforwarders: []\nreports: {}\n", "sign: {domains: [example.com], require_published: true}",
	} {
		if c, problems := named().Parse("milter.yaml", []byte(yaml)); c == nil || len(problems) != 0 || len(c.Unbuilt()) != 0 {
			t.Errorf("%s: %s", yaml, problems)
		}
	}
	for yaml, want := range map[string]string{
		"sign:\n  rsa: openssl": "milter.yaml:2: warning: sign.rsa: openssl is not built yet",
		"policy:\n  rules:\n  - name: a\n    if:\n      any:\n        - {spf: fail}\n        - {arc.domain: example.com}\n    action: tag\n    headers: {X-A: b}": "milter.yaml:7: warning: policy.rules: arc (always none) is not built yet",
		"policy:\n  rules:\n  - name: a\n    if:\n      dnsbl: zen.example\n    action: tag\n    headers: {X-A: b}":                                               "milter.yaml:5: warning: policy.rules: dnsbl (always empty) is not built yet",
	} {
		c, problems := named().Parse("milter.yaml", []byte(yaml))
		if got, _, _ := strings.Cut(problems.String(), "\n"); c == nil || got != want || len(problems) != 1 {
			t.Errorf("%s\ngot  %swant %s", yaml, problems, want)
		}
	}
}

// TestRoundTrip: what check prints is a file that means the same.
func TestRoundTrip(t *testing.T) {
	for _, yaml := range []string{"mta: auto", full, "admin: unix:/run/x.sock\nlisten: [local:/run/y.sock]\nlimits: {field_size: 100000}"} {
		roundTrip(t, parse(t, yaml))
	}
}

func roundTrip(t testing.TB, c *Config) {
	t.Helper()
	var first, second bytes.Buffer
	if err := c.WriteYAML(&first); err != nil {
		t.Fatal(err)
	}
	again, problems := named().Parse("effective", first.Bytes())
	if again == nil {
		t.Fatalf("%s\n%s", problems, first.String())
	}
	if diff := cmp.Diff(c, again, same); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, first.String())
	}
	if err := again.WriteYAML(&second); err != nil || first.String() != second.String() {
		t.Errorf("%v: printed differently\n%s\n%s", err, first.String(), second.String())
	}
}

// TestEveryFieldHasARule: a string that is neither a word list nor checked is
// free text, and there is only one of those.
func TestEveryFieldHasARule(t *testing.T) {
	free := map[string]bool{"Query": true}
	var walk func(reflect.Type)
	walk = func(ty reflect.Type) {
		for i := range ty.NumField() {
			f := ty.Field(i)
			e := f.Type
			if e.Kind() == reflect.Slice {
				e = e.Elem()
			}
			if e.Kind() == reflect.Struct && yamlFields(e) {
				walk(e)
			}
			if e.Kind() == reflect.String && f.Tag.Get("words") == "" && f.Tag.Get("check") == "" && !free[f.Name] && yamlName(f) != "" {
				t.Errorf("%s.%s has neither words nor check", ty, f.Name)
			}
			if (e.Kind() == reflect.Int || e == reflect.TypeFor[time.Duration]() || e == reflect.TypeFor[Size]()) && f.Tag.Get("max") == "" && yamlName(f) != "" {
				t.Errorf("%s.%s has no bounds", ty, f.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestDefaultsAreInRange(t *testing.T) { roundTrip(t, parse(t, "mta: auto")) }

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	for _, s := range []string{"", "sign: {domains: [example.com]}", "a: &a [*a]", "sign:\n\tx", "- a", "policy: {rules: [{name: a, if: {header.X: {glob: '*'}}, action: tag}]}"} {
		f.Add([]byte(s))
	}
	if b, err := os.ReadFile("testdata/wrong/alias-bomb.yaml"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := named().Parse("f", data)
		if (c == nil) != problems.Failed() {
			t.Fatalf("config %v, problems %s", c != nil, problems)
		}
		for _, p := range problems {
			if strings.ContainsAny(p.Message+p.Hint, "\r\n\x00") || p.Line < 0 || p.Line > 1+len(data) {
				t.Errorf("%q", p)
			}
		}
		if c != nil {
			roundTrip(t, c)
		}
	})
}

func TestOneListenerNeedsNoList(t *testing.T) {
	for _, y := range []string{"listen: unix:/x", "listen: {addr: unix:/x, direction: auto}", "listen: [unix:/x]"} {
		if c := parse(t, y); len(c.Listen) != 1 || c.Listen[0].Addr.Addr != "/x" || c.Listen[0].Direction != "auto" {
			t.Errorf("%s: %+v", y, c.Listen)
		}
	}
}
