package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// TestDefaultRules is the table of what happens out of the box.
func TestDefaultRules(t *testing.T) {
	const direct = `reject dmarc-reject-direct "dmarc=fail policy=reject domain=good.example indirect=false" | 550 5.7.1 rejected by the DMARC policy of good.example`
	const pass = `accept "no rule matched"`
	quarantined := func(policy, indirect string) string {
		why := "dmarc=fail policy=" + policy + " domain=good.example indirect=" + indirect
		return fmt.Sprintf("quarantine dmarc-quarantine %q | X-Quarantine: dmarc-quarantine; %s", why, why)
	}
	const waits = `tempfail dmarc-unknown "dmarc=temperror policy=reject domain=good.example spf=temperror dkim=fail, pass"` +
		` | 451 4.7.1 the DNS does not tell whether the DMARC policy of good.example lets this message pass, try again later`
	unsure := func(rule, spf string) string {
		why := "dmarc=temperror policy=reject domain=good.example spf=" + spf + " dkim=fail, pass"
		return fmt.Sprintf("quarantine %s %q | X-Quarantine: %s; %s", rule, why, rule, why)
	}
	unknown := func(p dmarc.Policy) change {
		return func(in *Input) {
			in.Results.SPF.Status, in.Results.DMARC.Status, in.Results.DMARC.Policy = spf.TempError, dmarc.TempError, p
		}
	}
	crowded := func(in *Input) {
		in.Results.DMARC.Err = &resolve.Error{Type: "TXT", Name: "_dmarc.good.example", Err: resolve.ErrCrowded}
	}
	const crowdedWhy = "dmarc=temperror domain=good.example client=192.0.2.7"
	hold := Options{Quarantine: "hold"}
	gentle := Options{DMARCReject: "quarantine"}
	for _, tt := range []struct {
		name    string
		opt     Options
		changes []change
		want    string
	}{
		{"everything passes", Options{}, nil, pass},
		{"direct failure under reject", Options{}, []change{dmarcFail("reject")}, direct},
		{"the same, relayed", Options{}, []change{dmarcFail("reject"), direction(auth.Relayed)}, direct},
		{"the same, outbound", Options{}, []change{dmarcFail("reject"), direction(auth.Outbound)}, pass},
		{"the same, own private machine", Options{}, []change{dmarcFail("reject"), ownPrivate}, pass},
		{"the same, forwarded", Options{}, []change{dmarcFail("reject"), func(in *Input) { in.Results.Indirect = "list" }}, quarantined("reject", "list")},
		{"dmarc_reject: quarantine", gentle, []change{dmarcFail("reject")},
			`quarantine dmarc-reject-direct "dmarc=fail policy=reject domain=good.example indirect=false" | X-Quarantine: dmarc-reject-direct; dmarc=fail policy=reject domain=good.example indirect=false`},
		{"failure under quarantine", Options{}, []change{dmarcFail("quarantine")}, quarantined("quarantine", "false")},
		{"failure under quarantine, hold", hold, []change{dmarcFail("quarantine")}, quarantined("quarantine", "false") + " | hold"},
		{"failure under quarantine, outbound", Options{}, []change{dmarcFail("quarantine"), direction(auth.Outbound)}, pass},
		{"failure under quarantine, own private machine", Options{}, []change{dmarcFail("quarantine"), ownPrivate}, pass},
		{"failure under none", Options{}, []change{dmarcFail("none")}, pass},
		{"failure without policy", Options{}, []change{dmarcFail("")}, pass},
		{"temperror under reject", Options{}, []change{unknown("reject")}, waits},
		{"temperror under reject, forged marks", Options{}, []change{unknown("reject"), func(in *Input) { in.Results.Indirect = "resent" }}, waits},
		{"temperror under reject, told to accept", Options{DMARCTempError: "accept"}, []change{unknown("reject")}, pass},
		{"temperror under reject, told to quarantine", Options{DMARCTempError: "quarantine"}, []change{unknown("reject")}, unsure("dmarc-unknown", "temperror")},
		{"temperror under reject, told to hold", Options{DMARCTempError: "quarantine", Quarantine: "hold"}, []change{unknown("reject")}, unsure("dmarc-unknown", "temperror") + " | hold"},
		{"temperror under reject, whatever a failure gets", gentle, []change{unknown("reject")}, waits},
		{"temperror under reject, outbound", Options{}, []change{unknown("reject"), direction(auth.Outbound)}, pass},
		{"temperror under reject, own private machine", Options{}, []change{unknown("reject"), ownPrivate}, pass},
		// A relay's queue is ours, and where SPF did not run nothing failed.
		{"temperror under reject, relayed", Options{}, []change{unknown("reject"), direction(auth.Relayed)}, unsure("dmarc-unknown-relayed", "temperror")},
		{"temperror under reject, own host at an inbound listener", Options{}, []change{unknown("reject"), ownHost}, unsure("dmarc-unknown-relayed", "temperror")},
		{"temperror under reject, outbound from an own host", Options{}, []change{unknown("reject"), ownHost, direction(auth.Outbound)}, pass},
		{"temperror under reject, relayed, a key", Options{}, []change{unknown("reject"), direction(auth.Relayed), func(in *Input) {
			in.Results.SPF.Status, in.Results.DKIM[1].Status = spf.Fail, dkim.TempError
		}}, strings.ReplaceAll(unsure("dmarc-unknown-relayed", "fail"), "dkim=fail, pass", "dkim=fail, temperror")},
		{"temperror under reject, relayed, first hop unknown", Options{}, []change{unknown("reject"), direction(auth.Relayed), func(in *Input) { in.Results.SPF = nil }}, pass},
		{"temperror under reject, relayed, told to accept", Options{DMARCTempError: "accept"}, []change{unknown("reject"), direction(auth.Relayed)}, pass},
		{"temperror under quarantine", Options{}, []change{unknown("quarantine")}, pass},
		{"temperror under none", Options{}, []change{unknown("none")}, pass},
		{"temperror under an unknown policy", Options{}, []change{unknown("")}, pass},
		{"crowded, unknown policy", Options{}, []change{unknown(""), crowded}, fmt.Sprintf("tempfail dmarc-crowded %q"+
			" | 451 4.7.1 mail from your network needs too many DNS look-ups at a time, try again later", crowdedWhy)},
		{"crowded, told to accept", Options{DMARCTempError: "accept"}, []change{unknown(""), crowded}, pass},
		{"crowded, told to quarantine", Options{DMARCTempError: "quarantine"}, []change{unknown(""), crowded},
			fmt.Sprintf("quarantine dmarc-crowded %q | X-Quarantine: dmarc-crowded; %s", crowdedWhy, crowdedWhy)},
		{"crowded, known to ask for nothing", Options{}, []change{unknown("none"), crowded}, pass},
		{"crowded, relayed", Options{}, []change{unknown(""), crowded, direction(auth.Relayed)}, strings.ReplaceAll(unsure("dmarc-unknown-relayed", "temperror"), "policy=reject", "policy=")},
		{"crowded, own host", Options{}, []change{unknown(""), crowded, ownHost}, strings.ReplaceAll(unsure("dmarc-unknown-relayed", "temperror"), "policy=reject", "policy=")},
		{"crowded, own private machine", Options{}, []change{unknown(""), crowded, ownPrivate}, pass},
		{"crowded, outbound", Options{}, []change{unknown(""), crowded, direction(auth.Outbound)}, pass},
		{"permerror", Options{}, []change{func(in *Input) { in.Results.DMARC.Status = dmarc.PermError }}, pass},
		{"dmarc did not run", Options{}, []change{func(in *Input) { in.Results.DMARC = nil }}, pass},
		{"no results at all, one From", Options{}, []change{func(in *Input) { in.Results = nil }}, pass},
		{"no author parsed, one From", Options{}, []change{func(in *Input) { in.Results.Author = auth.Author{} }}, pass},
		{"no From", Options{}, []change{fromFields(0)}, `reject broken-from "From fields: 0" | 550 5.7.1 a message needs exactly one From field`},
		{"two From", Options{}, []change{fromFields(2)}, `reject broken-from "From fields: 2" | 550 5.7.1 a message needs exactly one From field`},
		{"two From, relayed", Options{}, []change{fromFields(2), direction(auth.Relayed)}, `reject broken-from "From fields: 2" | 550 5.7.1 a message needs exactly one From field`},
		{"two From, outbound", Options{}, []change{fromFields(2), direction(auth.Outbound)}, pass},
		{"malformed From", Options{}, []change{malformedFrom}, `reject unusable-from "no address" | 550 5.7.1 the From field has no usable address`},
		{"malformed From, outbound", Options{}, []change{malformedFrom, direction(auth.Outbound)}, pass},
		// cron on a host of ours writes "root (Cron Daemon)".
		{"no author domain", Options{}, []change{noDomain}, `reject unusable-from "no author domain" | 550 5.7.1 the From field has no usable address`},
		{"no author domain, from a host of ours", Options{}, []change{noDomain, ownHost}, pass},
		{"no author domain, relayed", Options{}, []change{noDomain, ownHost, direction(auth.Relayed)}, pass},
		{"no author domain, but one that some readers see, from a host of ours", Options{}, []change{noDomain, ownHost, func(in *Input) { in.Results.Author.Shown = []string{"bank.example"} }},
			`reject unusable-from "no author domain" | 550 5.7.1 the From field has no usable address`},
		{"malformed From, from a host of ours", Options{}, []change{malformedFrom, ownHost}, `reject unusable-from "no address" | 550 5.7.1 the From field has no usable address`},
		{"two From, from a host of ours", Options{}, []change{fromFields(2), ownHost}, `reject broken-from "From fields: 2" | 550 5.7.1 a message needs exactly one From field`},
		{"From may be hidden", Options{}, []change{fromFields(0), firstHidden}, `quarantine hidden-from "0 From fields" | X-Quarantine: hidden-from; 0 From fields`},
		{"From may be hidden, outbound", Options{}, []change{fromFields(0), firstHidden, direction(auth.Outbound)}, pass},
		{"two From, a field may be hidden", Options{}, []change{fromFields(2), firstHidden}, `reject broken-from "From fields: 2" | 550 5.7.1 a message needs exactly one From field`},
		{"a malformed From, a field may be hidden", Options{}, []change{malformedFrom, firstHidden}, `reject unusable-from "no address" | 550 5.7.1 the From field has no usable address`},
		{"direct failure under reject, a field may be hidden", Options{}, []change{dmarcFail("reject"), firstHidden}, direct},
		{"several mailboxes, one From", Options{}, []change{func(in *Input) {
			in.Results.Author.Mailboxes = []string{"a@good.example", "b@other.example"}
			in.Results.Author.Domains = []string{"good.example", "other.example"}
		}}, pass},
		{"undecided without envelope", Options{}, []change{func(in *Input) { in.Env = nil }}, `UNDECIDED "policy: no rules or no envelope"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := mail()
			for _, c := range tt.changes {
				c(in)
			}
			p, problems := Compile(nil, tt.opt)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := show(p.Decide(*in)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestConditions asks each field in each way: does the rule take mail()?
func TestConditions(t *testing.T) {
	for cond, want := range map[string]bool{
		`{direction: inbound}`:                                       true,
		`{direction: [outbound, relayed]}`:                           false,
		`{direction: {not: outbound}}`:                               true,
		`{authenticated: false}`:                                     true,
		`{authenticated: true}`:                                      false,
		`{auth.user: ""}`:                                            true,
		`{auth.user: {not: ""}}`:                                     false,
		`{client.ip: 192.0.2.7}`:                                     true,
		`{client.ip: "::ffff:192.0.2.7"}`:                            true,
		`{client.ip: 192.0.2.0/24}`:                                  true,
		`{client.ip: [10.0.0.1, 192.0.2.0/25]}`:                      true,
		`{client.ip: {cidr: 192.0.2.0/24}}`:                          true,
		`{client.ip: {cidr: [10.0.0.0/8, "2001:db8::/32"]}}`:         false,
		`{client.ip: {not: {cidr: 192.0.2.0/24}}}`:                   false,
		`{client.ip: {cidr: 192.0.2.0/24, not: 192.0.2.7}}`:          false,
		`{client.ip: ""}`:                                            false,
		`{client.name: OUT.good.example}`:                            true,
		`{client.name: {glob: "*.good.example"}}`:                    true,
		`{client.name: {regex: "^out\\."}}`:                          true,
		`{client.name: {regex: "^OUT\\."}}`:                          false,
		`{helo: out.good.example}`:                                   true,
		`{mail_from: kim@good.example}`:                              true,
		`{mail_from: ""}`:                                            false,
		`{mail_from.domain: good.example}`:                           true,
		`{mail_from.domain: GOOD.example.}`:                          true,
		`{mail_from.domain: {glob: "*.example"}}`:                    true,
		`{mail_from.domain: {glob: "????.example"}}`:                 true,
		`{mail_from.domain: {glob: "???.example"}}`:                  false,
		`{rcpt: other@there.example}`:                                true,
		`{rcpt: {not: other@there.example}}`:                         false,
		`{rcpt: {not: nobody@there.example}}`:                        true,
		`{rcpt.domain: there.example}`:                               true,
		`{rcpt.domain: [nowhere.example, {glob: "th*"}]}`:            true,
		`{from: Kim@good.example}`:                                   true,
		`{from.domain: good.example}`:                                true,
		`{from.domain: ""}`:                                          false,
		`{from.count: 1}`:                                            true,
		`{from.count: {not: 1}}`:                                     false,
		`{from.count: {min: 2}}`:                                     false,
		`{from.addresses: {min: 1, max: 1}}`:                         true,
		`{from.error: ""}`:                                           true,
		`{from.hidden: false}`:                                       true,
		`{spf: pass}`:                                                true,
		`{spf: [fail, softfail]}`:                                    false,
		`{spf: {not: [fail, softfail]}}`:                             true,
		`{spf.domain: good.example}`:                                 true,
		`{spf.explanation: ""}`:                                      true,
		`{dkim: pass}`:                                               true,
		`{dkim: fail}`:                                               true, // another signature
		`{dkim: {not: pass}}`:                                        false,
		`{dkim: {not: policy}}`:                                      true,
		`{dkim.domain: good.example}`:                                true,
		`{dkim.domain: list.example}`:                                false, // its signature failed
		`{dkim.aligned: true}`:                                       true,
		`{dmarc: pass}`:                                              true,
		`{dmarc.policy: reject}`:                                     true,
		`{dmarc.policy: {not: none}}`:                                true,
		`{dmarc.record: {regex: "p=reject"}}`:                        true,
		`{dmarc.record: {not: ""}}`:                                  true,
		`{arc: none}`:                                                true,
		`{arc.domain: ""}`:                                           true,
		`{iprev: pass}`:                                              true,
		`{dnsbl: zen.dnsbl.example}`:                                 false,
		`{indirect: false}`:                                          true,
		`{own_host: false}`:                                          true,
		`{from.domainless: true}`:                                    false,
		`{own_private: false}`:                                       true,
		`{size: {min: 10KiB, max: 20KiB}}`:                           true,
		`{size: {max: 19999}}`:                                       false,
		`{size: 20000}`:                                              true,
		`{signed: false}`:                                            true,
		`{header.X-Flag: yes}`:                                       true, // any of two
		`{header.x-flag: {not: yes}}`:                                false,
		`{header.Subject: {glob: "*off, only*"}}`:                    false, // the fold's tab stays
		`{header.Subject: {glob: "*off,?only*"}}`:                    true,
		`{header.Subject: "50% off,\tonly today"}`:                   true,
		`{header.List-Id: ""}`:                                       true, // absent
		`{header.List-Id: {not: ""}}`:                                false,
		`{any: [{spf: fail}, {iprev: pass}]}`:                        true,
		`{any: [{spf: fail}, {iprev: fail}]}`:                        false,
		`{all: [{spf: pass}, {iprev: pass}]}`:                        true,
		`{not: {spf: fail}}`:                                         true,
		`{not: {all: [{spf: pass}, {not: {iprev: fail}}]}}`:          false,
		`{any: [{spf: fail}, {iprev: pass}], not: {arc: pass}}`:      true,
		`{spf: pass, iprev: fail}`:                                   false,
		`{from.domain: {glob: "*.example", not: {glob: "evil.*"}}}`:  true,
		`{from.domain: {glob: "*.example", not: [a.b, {glob: g*}]}}`: false,
	} {
		p := compile(t, "[{name: r, action: reject, if: "+cond+"}]", Options{})
		if got := p.Decide(*mail()).Rule == "r"; got != want {
			t.Errorf("%s: %v, want %v", cond, got, want)
		}
	}
}

func TestAbsentFacts(t *testing.T) {
	for cond, want := range map[string]bool{
		`{spf: none}`:             true,
		`{dkim: none}`:            true,
		`{dmarc: none}`:           true,
		`{dmarc.policy: none}`:    false, // no record is not p=none
		`{dmarc.record: ""}`:      true,
		`{iprev: none}`:           true,
		`{client.ip: ""}`:         true,
		`{client.ip: 0.0.0.0/0}`:  false,
		`{client.ip: "::/0"}`:     false,
		`{mail_from: ""}`:         true,
		`{mail_from.domain: ""}`:  true,
		`{rcpt: ""}`:              true,
		`{from: {glob: "*"}}`:     true, // the empty text
		`{from: {glob: "?*"}}`:    false,
		`{from.count: 0}`:         true,
		`{dkim.aligned: true}`:    false,
		`{spf.domain: {not: ""}}`: false,
		`{size: 0}`:               true,
	} {
		p := compile(t, "[{name: r, action: reject, if: "+cond+"}]", Options{})
		if got := p.Decide(Input{Env: &auth.Envelope{}}).Rule == "r"; got != want {
			t.Errorf("%s: %v, want %v", cond, got, want)
		}
	}
}

// TestVerdicts are rules of an administrator and the whole verdict.
func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		opt         Options
		change      change
		want        string
	}{
		{"no rules", `[]`, Options{}, dmarcFail("reject"), `accept "no rule matched"`},
		{"null is defaults", `null`, Options{}, fromFields(2), `reject broken-from "From fields: 2" | 550 5.7.1 a message needs exactly one From field`},
		{"first match wins", `[{name: a, action: accept, if: {spf: fail}}, defaults]`, Options{}, dmarcFail("reject"), `accept a "spf=fail"`},
		{"defaults at their place", `[defaults, {name: a, action: accept, if: {spf: fail}}]`, Options{}, fromFields(0),
			`reject broken-from "From fields: 0" | 550 5.7.1 a message needs exactly one From field`},
		{"rule behind defaults", `[defaults, {name: a, action: tempfail, if: {iprev: pass}}]`, Options{}, nil,
			`tempfail a "iprev=pass" | 451 4.7.1 try again later`},
		{"reject by default text", `[{name: a, action: reject}]`, Options{}, nil, `reject a "always" | 550 5.7.1 message rejected by local policy`},
		{"reply without enhanced code", `[{name: a, action: reject, reply: "554 go away"}]`, Options{}, nil, `reject a "always" | 554 5.7.1 go away`},
		{"reply with the first code of its class", `[{name: a, action: reject, reply: "500 no"}]`, Options{}, nil, `reject a "always" | 500 5.7.1 no`},
		{"reply with spaces between", `[{name: a, action: reject, reply: "554   5.7.0  go away"}]`, Options{}, nil, `reject a "always" | 554 5.7.0 go away`},
		{"reply with fields", `[{name: a, action: tempfail, reply: "450 4.7.25 {client.ip} [{iprev}] {{x}}"}]`, Options{}, nil,
			`tempfail a "always" | 450 4.7.25 192.0.2.7 [pass] {x}`},
		{"reply that comes out empty", `[{name: a, action: reject, reply: "550 5.7.1 {spf.explanation}"}]`, Options{}, nil,
			`reject a "always" | 550 5.7.1 message rejected by local policy`},
		{"percent stays single", `[{name: a, action: reject, reply: "550 5.7.1 {header.Subject}"}]`, Options{}, nil,
			`reject a "always" | 550 5.7.1 50% off,?only today`},
		{"tag", `[{name: a, action: tag, if: {dkim: pass, spf: pass}}]`, Options{Quarantine: "hold"}, nil,
			`tag a "dkim=fail, pass spf=pass" | X-Quarantine: a; dkim=fail, pass spf=pass`},
		{"tag with headers in order", `[{name: a, action: tag, reason: "look out", headers: {X-B: "{helo}", X-A: two}}]`, Options{}, nil,
			`tag a "look out" | X-Quarantine: a; look out | X-B: out.good.example | X-A: two`},
		{"accept with header", `[{name: a, action: accept, headers: {X-Policy: "from {from.domain}"}}]`, Options{}, nil,
			`accept a "always" | X-Policy: from good.example`},
		{"quarantine, tag", `[{name: a, action: quarantine}]`, Options{Quarantine: "tag"}, nil, `quarantine a "always" | X-Quarantine: a; always`},
		{"quarantine, hold", `[{name: a, action: quarantine}]`, Options{Quarantine: "hold"}, nil, `quarantine a "always" | X-Quarantine: a; always | hold`},
		{"discard", `[{name: a, action: discard}]`, Options{}, nil, `discard a "always"`},
		{"observed and gone on", `[{name: a, action: reject, observe: true}, {name: b, action: discard, observe: true, if: {spf: fail}}, {name: c, action: tag, observe: true, reason: "{size}"}, defaults]`, Options{}, nil,
			`accept "no rule matched" | observed a reject "always" | observed c tag "20000"`},
		{"observe: false acts", `[{name: a, action: discard, observe: false}]`, Options{}, nil, `discard a "always"`},
		{"several author domains", `[{name: a, action: reject, if: {from.domain: b.example}, reason: "{from.domain}"}]`, Options{}, func(in *Input) {
			in.Results.Author.Domains = []string{"a.example", "b.example"}
			in.Results.DMARC = nil
		}, `reject a "a.example, b.example" | 550 5.7.1 message rejected by local policy`},
		{"author domain of DMARC", `[{name: a, action: reject, reason: "{from.domain}"}]`, Options{}, func(in *Input) {
			in.Results.Author.Domains = []string{"a.example", "b.example"}
			in.Results.DMARC.AuthorDomain = "b.example"
		}, `reject a "b.example" | 550 5.7.1 message rejected by local policy`},
		{"U-label in a rule", `[{name: a, action: accept, if: {from.domain: "\uC608.example"}}]`, Options{}, func(in *Input) {
			in.Results.Author.Domains = []string{"xn--2j5b.example"}
			in.Results.DMARC = nil
		}, `accept a "from.domain=xn--2j5b.example"`},
		{"v4-mapped client", `[{name: a, action: accept, if: {client.ip: 192.0.2.0/24}}]`, Options{}, func(in *Input) {
			in.Env.ClientIP = netip.MustParseAddr("::ffff:192.0.2.9")
		}, `accept a "client.ip=192.0.2.9"`},
		{"IPv6 client with zone", `[{name: a, action: accept, if: {client.ip: "fe80::/10"}}]`, Options{}, func(in *Input) {
			in.Env.ClientIP = netip.MustParseAddr("fe80::1%eth0")
		}, `accept a "client.ip=fe80::1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := mail()
			if tt.change != nil {
				tt.change(in)
			}
			if got := show(compile(t, tt.rules, tt.opt).Decide(*in)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestHostileText: whatever a message says, texts stay printable and short.
func TestHostileText(t *testing.T) {
	p := compile(t, `[{name: a, action: reject, reply: "550 5.7.1 {header.Subject} {helo} {rcpt}", reason: "{mail_from} {from.error}"},
		{name: b, action: tag}]`, Options{})
	evil := "\r\n250 ok\x00\x7f\u00e9\u202e%s" + strings.Repeat("A", 100000)
	in := mail()
	in.Env.Helo, in.Env.MailFrom = evil, evil
	in.Env.Header = header.Fields{{Name: "Subject", Value: evil}, {Name: "Subject", Value: evil}}
	in.Env.Recipients = make([]string, 100000)
	in.Results.Author.Err = errors.New(evil)
	v := p.Decide(*in)
	for _, s := range []string{v.Reply.Text, v.Reason} {
		if len(s) > 400 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%d bytes: %q", len(s), s)
		}
	}
	if want := "250 ok??????"; !strings.HasPrefix(v.Reply.Text, want) {
		t.Errorf("reply %q", v.Reply.Text[:20])
	}
}

func TestPercent(t *testing.T) {
	p := compile(t, `[{name: some, action: reject, percent: 25}, {name: rest, action: tag}]`, Options{})
	hit := 0
	for i := range 10000 {
		in := mail()
		in.Env.QueueID = fmt.Sprintf("4b%04X", i)
		a, b := p.Decide(*in), p.Decide(*in)
		if a.Rule != b.Rule {
			t.Fatalf("%s: %s, then %s", in.Env.QueueID, a.Rule, b.Rule)
		}
		if a.Rule == "some" {
			hit++
		}
	}
	if hit < 2300 || hit > 2700 {
		t.Errorf("%d of 10000, want about 2500", hit)
	}
}

func TestUses(t *testing.T) {
	p := compile(t, `[{name: a, action: reject, if: {arc: pass}, reason: "{helo}"}]`, Options{})
	if !p.Uses("arc") || !p.Uses("helo") || p.Uses("dnsbl") || (*Policy)(nil).Uses("arc") {
		t.Error("wrong fields")
	}
}

func TestNilPolicy(t *testing.T) {
	if v := (*Policy)(nil).Decide(*mail()); v.Action != Undecided {
		t.Errorf("%+v", v)
	}
}

func TestManyWords(t *testing.T) {
	var b strings.Builder
	b.WriteString("[{name: a, action: reject, if: {mail_from.domain: [")
	for i := range 5000 {
		fmt.Fprintf(&b, "d%d.example, ", i)
	}
	b.WriteString("]}}]")
	p := compile(t, b.String(), Options{})
	in := mail()
	in.Env.MailFrom = "x@D4999.example"
	if v := p.Decide(*in); v.Rule != "a" {
		t.Errorf("%+v", v)
	}
}

func BenchmarkDefaultRules(b *testing.B) {
	p, _ := Compile(nil, Options{})
	in := mail()
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(*in)
	}
}
