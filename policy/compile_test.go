package policy

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// TestMistakes is one mistake a line: what the administrator is told.
func TestMistakes(t *testing.T) {
	rule := func(s string) string { return "- {name: r, action: reject, if: {" + s + "}}" }
	for _, tt := range []struct{ name, rules, want string }{
		{"not a list", "{a: b}", `1: policy.rules must be a list, not a map (each rule begins with a hyphen and has its name within: "- name: a")`},
		{"one rule without hyphen", "{name: a, action: reject}", `1: policy.rules must be a list, not a map (each rule begins with a hyphen: "- name:", and the lines that belong to it stand below its first word)`},
		{"the word defaults alone", "defaults", "1: policy.rules must be a list, not a single value (write [defaults])"},
		{"a word", "reject", `1: policy.rules must be a list, not a single value (write [defaults] for the built-in rules; a rule of your own begins with "- name: my-rule")`},
		{"word for a rule", "[default]", `1: unknown rule "default" (a rule is a map with name, if and action; the word "defaults" stands for the built-in rules)`},
		{"empty rule entry", "[null]", "1: a rule must be a map, not nothing"},
		{"no name", "- {action: reject}", "1: a rule has no name (log, metrics and X-Quarantine name the rule that decided: name: my-rule)"},
		{"bad name", "- {name: my rule, action: reject}", `1: rule name "my rule" (letters, digits, - _ and . only, 1 to 64 of them)`},
		{"same name twice", "- {name: r, action: reject, if: {spf: fail}}\n- {name: r, action: accept}", `2: two rules are called "r" (the other one comes with line 1)`},
		{"name of a built-in rule", "- defaults\n- {name: broken-from, action: accept}", `2: two rules are called "broken-from" (the other one comes with line 1)`},
		{"defaults twice", "- defaults\n- defaults", `2: the built-in rules (defaults) are there twice (line 1 has them already; take one away)`},
		{"no action", "- {name: r}", `1: rule "r" has no action (allowed: accept, tag, quarantine, reject, tempfail, discard)`},
		{"unknown action", "- {name: r, action: rejct}", `1: unknown action "rejct" (did you mean "reject"?)`},
		{"unknown rule field", "- {name: r, action: reject, replay: x}", `1: unknown field "replay" in rule "r" (did you mean "reply"?)`},
		{"condition outside if", "- {name: r, action: reject, dmarc: fail}", `1: unknown field "dmarc" in rule "r" (conditions belong below "if")`},
		{"unknown condition field", rule("dmrac: fail"), `1: unknown field "dmrac" in a condition (did you mean "dmarc"?)`},
		{"header without prefix", rule("x-spam-flag: yes"), `1: unknown field "x-spam-flag" in a condition (did you mean "header.x-spam-flag"?)`},
		{"header without name", rule(`"header.": yes`), `1: header field name "" (printable ASCII without space and colon, 1 to 64 bytes)`},
		{"unknown word", rule("spf: hardfail"), `1: spf: unknown word "hardfail" (allowed: none, neutral, pass, fail, softfail, temperror, permerror)`},
		{"misspelled word", rule("spf: [sofftail]"), `1: spf: unknown word "sofftail" (did you mean "softfail"?)`},
		{"yes for true", rule("indirect: no"), `1: indirect: unknown word "no" (write false)`},
		{"word of another method", rule("iprev: softfail"), `1: iprev: unknown word "softfail" (allowed: none, pass, fail, temperror, permerror)`},
		{"no value", rule("spf: "), `1: spf has no value (the empty text is written "")`},
		{"empty list", rule("spf: []"), "1: spf has an empty list, which never matches"},
		{"empty map", rule("spf: {}"), "1: spf has no value"},
		{"empty condition", rule(""), `1: a condition is empty (leave "if" away for a rule that always holds)`},
		{"if is a list", "- {name: r, action: reject, if: [{spf: fail}]}", "1: a condition must be a map, not a list"},
		{"any with a map", rule("any: {spf: fail}"), "1: any needs a list of conditions, not a map (any: [{spf: fail}, {iprev: fail}])"},
		{"any without conditions", rule("any: []"), "1: any has no conditions"},
		{"operator of another kind", rule("spf: {glob: f*}"), `1: spf does not understand "glob" (allowed: not)`},
		{"misspelled operator", rule("client.ip: {cird: 10.0.0.0/8}"), `1: client.ip does not understand "cird" (did you mean "cidr"?)`},
		{"not a number", rule("from.count: one"), `1: from.count: "one" is not a number, 512 or 64KiB or 10MiB`},
		{"negative number", rule("size: {min: -1}"), `1: size: min: "-1" is not a number, 512 or 64KiB or 10MiB`},
		{"number that overflows", rule("size: {min: 9999999999GiB}"), `1: size: min: "9999999999GiB" is not a number, 512 or 64KiB or 10MiB`},
		{"not an address", rule("client.ip: localhost"), `1: client.ip: "localhost" is not an IP address`},
		{"host bits", rule("client.ip: {cidr: 192.168.5.1/24}"), `1: client.ip: "192.168.5.1/24" has bits set beyond its length (write 192.168.5.0/24 for the network, or 192.168.5.1 for the one address)`},
		{"host bits in a word", rule("client.ip: 192.168.5.1/24"), `1: client.ip: "192.168.5.1/24" has bits set beyond its length (write 192.168.5.0/24 for the network, or 192.168.5.1 for the one address)`},
		{"bad network", rule("client.ip: {cidr: 192.168.5.0/33}"), `1: client.ip: "192.168.5.0/33" is not an IP network (the number behind / is at most 32 here; 192.168.5.0 alone is the one address)`},
		{"star in a domain", rule(`from.domain: "*.example.com"`), `1: from.domain: "*.example.com" is not a domain name (write {glob: "*.example.com"})`},
		{"address for a domain", rule("from.domain: a@b.example"), `1: from.domain: "a@b.example" is not a domain name (only the domain: b.example)`},
		{"bad regex", rule(`helo: {regex: "(a"}`), "1: helo: regex: missing closing ): `(a` (the syntax is RE2's: no look-around, no back-references)"},
		{"look-ahead", rule(`helo: {regex: "(?!a)"}`), "1: helo: regex: invalid or unsupported Perl syntax: `(?!` (the syntax is RE2's: no look-around, no back-references)"},
		{"long regex", rule("helo: {regex: " + strings.Repeat("a", 1001) + "}"), "1: helo: regex is longer than 1000 bytes"},
		{"empty glob", rule(`helo: {glob: ""}`), "1: helo: empty glob"},
		{"glob of a list of lists", rule(`helo: {glob: [[a]]}`), "1: glob must be a single value, not a list"},
		{"Unicode glob of a domain", rule(`from.domain: {glob: "*.예"}`), `1: from.domain: glob "*.예" is not ASCII (domains are compared as A-labels (xn--...))`},
		{"deep nesting", rule(strings.Repeat("not: {", 20) + "spf: fail" + strings.Repeat("}", 20)), "1: conditions nest deeper than 16"},
		{"deep value", rule("spf: " + strings.Repeat("{not: ", 20) + "fail" + strings.Repeat("}", 20)), "1: conditions nest deeper than 16"},
		{"reply on accept", `- {name: r, action: accept, reply: "550 5.7.1 x"}`, "1: a reply needs action reject or tempfail, not accept"},
		{"4xx for reject", `- {name: r, action: reject, reply: "451 4.7.1 x"}`, `1: reply code 451 does not fit action reject, which needs 5xx (reply: "550 5.7.1 message rejected by local policy")`},
		{"5xx for tempfail", `- {name: r, action: tempfail, reply: "550 x"}`, `1: reply code 550 does not fit action tempfail, which needs 4xx (reply: "451 4.7.1 try again later")`},
		{"code 599", `- {name: r, action: reject, reply: "599 x"}`, `1: reply code 599 does not fit action reject, which needs 5xx (reply: "550 5.7.1 message rejected by local policy")`},
		{"code 560", `- {name: r, action: reject, reply: "560 x"}`, `1: reply code 560 does not fit action reject, which needs 5xx (reply: "550 5.7.1 message rejected by local policy")`},
		{"code of four digits", `- {name: r, action: reject, reply: "5500 x"}`, `1: reply must be "CODE TEXT" or "CODE X.Y.Z TEXT" (reply: "550 5.7.1 message rejected by local policy")`},
		{"code with a letter", `- {name: r, action: reject, reply: "5x0 x"}`, `1: reply must be "CODE TEXT" or "CODE X.Y.Z TEXT" (reply: "550 5.7.1 message rejected by local policy")`},
		{"code with a sign", `- {name: r, action: reject, reply: "+50 x"}`, `1: reply code 50 does not fit action reject, which needs 5xx (reply: "550 5.7.1 message rejected by local policy")`},
		{"enhanced code of another class", `- {name: r, action: reject, reply: "550 4.7.1 x"}`, `1: enhanced code 4.7.1 does not fit reply code 550 (reply: "550 5.7.1 message rejected by local policy")`},
		{"reply without code", `- {name: r, action: reject, reply: "go away"}`, `1: reply must be "CODE TEXT" or "CODE X.Y.Z TEXT" (reply: "550 5.7.1 message rejected by local policy")`},
		{"reply without text", `- {name: r, action: reject, reply: "550 5.7.1"}`, `1: reply has no text (reply: "550 5.7.1 message rejected by local policy")`},
		{"reply of two lines", `- {name: r, action: reject, reply: "550 5.7.1 a\nb"}`, "1: reply has a byte that is not printable ASCII (the MTAs garble or drop other characters here)"},
		{"Korean reply", `- {name: r, action: reject, reply: "550 5.7.1 거부"}`, "1: reply has a byte that is not printable ASCII (the MTAs garble or drop other characters here)"},
		{"unknown field in a reply", `- {name: r, action: reject, reply: "550 5.7.1 {from.domian}"}`, `1: unknown field "from.domian" in reply (did you mean "from.domain"?)`},
		{"open brace", `- {name: r, action: reject, reply: "550 5.7.1 {spf"}`, `1: reply has a "{" without "}" (a brace itself is written "{{")`},
		{"closing brace", `- {name: r, action: reject, reply: "550 5.7.1 spf}"}`, `1: reply has a "}" without "{" (a brace itself is written "}}")`},
		{"long reply", `- {name: r, action: reject, reply: "550 5.7.1 ` + strings.Repeat("x", 401) + `"}`, "1: reply is longer than 400 bytes"},
		{"percent 0", "- {name: r, action: reject, percent: 0}", `1: percent: "0" is not a whole number from 1 to 100`},
		{"percent sign", "- {name: r, action: reject, percent: 10%}", `1: percent: "10%" is not a whole number from 1 to 100`},
		{"observe yes", "- {name: r, action: reject, observe: yes}", `1: observe: "yes" is neither true nor false`},
		{"headers with reject", "- {name: r, action: reject, headers: {X-A: b}}", "1: headers do nothing with action reject"},
		{"headers as a list", "- {name: r, action: tag, headers: [X-A]}", "1: headers must be a map, not a list"},
		{"forged result", "- {name: r, action: tag, headers: {authentication-results: x}}", `1: header field "authentication-results" cannot be added by a rule (choose a name of your own: X-...)`},
		{"second Subject", "- {name: r, action: tag, headers: {Subject: x}}", `1: header field "Subject" cannot be added by a rule (choose a name of your own: X-...)`},
		{"bad header name", `- {name: r, action: tag, headers: {"X A": x}}`, `1: header field name "X A" (printable ASCII without space and colon, 1 to 64 bytes)`},
		{"header injection", `- {name: r, action: tag, headers: {X-A: "a\r\nb"}}`, "1: header field X-A has a byte that is not printable ASCII (the MTAs garble or drop other characters here)"},
		{"never reached", "- {name: r, action: accept}\n- defaults", `2: warning: this rule is never reached (the rule of line 1 has no "if" and takes every message)`},
		{"real star", rule(`header.Subject: "*spam*"`), `1: warning: header.Subject: "*spam*" matches a real * (write {glob: "*spam*"} if * stands for anything)`},
		{"nothing behind the at", rule("from.domain: a@"), `1: from.domain: "a@" is not a domain name`},
		{"neither yes nor no", rule("signed: maybe"), `1: signed: unknown word "maybe" (allowed: true, false)`},
		{"yes for a result", rule("spf: yes"), `1: spf: unknown word "yes" (allowed: none, neutral, pass, fail, softfail, temperror, permerror)`},
		{"domain for an address", rule(`mail_from: example.com`), `1: warning: mail_from: "example.com" is not an address (mail_from.domain compares domains)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Compile(parse(t, tt.rules), Options{})
			if got := tell(problems); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if (p == nil) == strings.Contains(tt.want, "warning: ") {
				t.Errorf("policy %v", p)
			}
		})
	}
}

func tell(problems []Problem) string {
	var lines []string
	for _, p := range problems {
		s := fmt.Sprintf("%d: ", p.Line)
		if p.Warning {
			s += "warning: "
		}
		s += p.Message
		if p.Hint != "" {
			s += " (" + p.Hint + ")"
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

// TestSoundWords: no word of these is a mistake, or worth a warning.
func TestSoundWords(t *testing.T) {
	for _, cond := range []string{"header.Subject: a.b", "mail_from: root", "mail_from: a@b.example", "from.domain: ''", "client.ip: ''"} {
		if p, problems := Compile(parse(t, "- {name: r, action: reject, if: {"+cond+"}}"), Options{}); p == nil || len(problems) > 0 {
			t.Errorf("%s: %s", cond, tell(problems))
		}
	}
	f := &field{name: "size", kind: kNumber}
	if w, ok := (&compiler{}).word(f, &tree.Node{Scalar: "2KiB"}); w != "2048" || !ok {
		t.Errorf("2KiB is %s, %v", w, ok)
	}
}

// TestHeaderNames: RFC 5322 §3.6.8, and not too long.
func TestHeaderNames(t *testing.T) {
	for name, want := range map[string]bool{
		"!~": true, "X-A": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "": false, "a b": false, "a:": false, "a\x7f": false, "é": false,
	} {
		c := &compiler{}
		if got := c.headerName(&tree.Node{}, name); got != want || (len(c.problems) == 0) != want {
			t.Errorf("%.20q: %v, %v", name, got, c.problems)
		}
	}
}

// TestAllAtOnce: one run shows every mistake, each with its line.
func TestAllAtOnce(t *testing.T) {
	_, problems := Compile(parse(t, `
- name: one
  if:
    spf: hardfail
    dmrac: fail
    any: [{iprev: maybe}, {client.ip: {cidr: x}}]
  action: rejcet
- name: two
  if: {size: {min: big, max: huge}}
  action: reject
  reply: "250 ok"
`), Options{})
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if got, want := fmt.Sprint(lines), "[7 4 5 6 6 9 9 11]"; got != want {
		t.Errorf("lines %s, want %s\n%s", got, want, tell(problems))
	}
}

func TestTooManyRules(t *testing.T) {
	n := listNode(make([]tree.Node, 1001)...)
	if _, problems := Compile(&n, Options{}); tell(problems) != "0: more than 1000 rules (lists of words or domains fit into one rule)" {
		t.Error(tell(problems))
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`[defaults]`, `- {name: r, if: {any: [{spf: [fail, softfail]}, {iprev: fail}], not: {arc: pass}}, action: reject, observe: true}`,
		`- {name: r, if: {client.ip: {cidr: 10.0.0.0/8}, size: {min: 1KiB}}, action: tag, headers: {X-A: "{header.Subject} {{"}, percent: 5}`,
		`- {name: r, if: {helo: {glob: "*.a", regex: "^a+$"}}, action: reject, reply: "550 5.7.1 {from.domain}"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var y yaml.Node
		if len(s) > 4096 || !utf8.ValidString(s) || strings.ContainsAny(s, "*&") || yaml.Unmarshal([]byte(s), &y) != nil || len(y.Content) == 0 {
			return
		}
		n := neutral(y.Content[0])
		p, problems := Compile(&n, Options{})
		if p == nil && len(problems) == 0 {
			t.Fatal("no policy and no problem")
		}
		if p == nil {
			return
		}
		v := p.Decide(*mail())
		if v.Action == Undecided || len(v.Reason) > maxText || clean(v.Reply.Text) != v.Reply.Text {
			t.Errorf("%+v", v)
		}
		if v.Action == Reject && v.Reply.Code/100 != 5 || v.Action == Tempfail && v.Reply.Code/100 != 4 {
			t.Errorf("%+v", v)
		}
	})
}
