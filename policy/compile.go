package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// Options are the words beside policy.rules that change what rules do.
type Options struct {
	// Quarantine is "tag" (default) or "hold".
	Quarantine string
	// DMARCReject is "reject" (default) or "quarantine": what the built-in rules
	// do with a direct failure under p=reject.
	DMARCReject string
	// DMARCTempError is "tempfail" (default), "accept" or "quarantine": what they
	// do under p=reject when look-ups that the sender chose do not answer.
	DMARCTempError string
}

const (
	maxRules   = 1000
	maxName    = 64
	defaultsID = "defaults"
)

var (
	ruleKeys = []string{"name", "if", "action", "reply", "reason", "headers", "observe", "percent"}

	// What the wire form of a message has once, or what we or the MTA write
	// ourselves, no rule may add.
	reservedHeaders = []string{
		"Authentication-Results", "DKIM-Signature", QuarantineField, "Received", "Received-SPF", "Return-Path",
		"ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results",
		"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
		"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "Content-Description",
	}
)

// compiler collects rules and every problem on the way.
type compiler struct {
	opt      Options
	policy   Policy
	problems []Problem
	failed   bool
	names    map[string]int // rule name -> line; 0 for built-in ones
	fields   []*field       // that the condition at hand asks for, in order
}

// Compile checks policy.rules and makes a Policy of them. rules is a list of
// rules and the word defaults; nil or Null stands for [defaults]. The Policy
// is nil when a problem is more than a warning.
func Compile(rules *tree.Node, opt Options) (*Policy, []Problem) {
	c := &compiler{opt: opt, names: map[string]int{}}
	c.policy.hold = opt.Quarantine == "hold"
	c.policy.used = map[string]bool{}
	if rules == nil || rules.Kind == tree.Null {
		d := listNode(scalarNode(defaultsID))
		rules = &d
	}
	if rules.Kind != tree.List {
		c.fail(rules, fmt.Sprintf("policy.rules must be a list, not %s", rules.Kind), listHint(rules))
	} else {
		if len(rules.Items) > maxRules {
			c.fail(rules, fmt.Sprintf("more than %d rules", maxRules), "lists of words or domains fit into one rule")
			rules = &tree.Node{Kind: tree.List}
		}
		first := 0 // line of the word defaults
		for i := range rules.Items {
			n := &rules.Items[i]
			if isDefaults := n.Kind == tree.Scalar && n.Scalar == defaultsID; isDefaults && first > 0 {
				c.fail(n, "the built-in rules (defaults) are there twice", fmt.Sprintf("line %d has them already; take one away", first))
				continue
			} else if isDefaults {
				first = max(1, n.Line)
			}
			c.entry(n)
		}
		c.unreachable(rules)
	}
	if c.failed {
		return nil, c.problems
	}
	return &c.policy, c.problems
}

// entry is a rule, or the word defaults.
func (c *compiler) entry(n *tree.Node) {
	if n.Kind != tree.Scalar {
		c.rule(n)
		return
	}
	if n.Scalar != defaultsID {
		c.fail(n, fmt.Sprintf("unknown rule %s", tree.Quote(n.Scalar)), `a rule is a map with name, if and action; the word "defaults" stands for the built-in rules`)
		return
	}
	built := defaultRules(c.opt)
	for i := range built.Items {
		if built.Items[i].Line = n.Line; !c.rule(&built.Items[i]) {
			return
		}
	}
}

// rule compiles one map. It reports whether the name was free.
func (c *compiler) rule(n *tree.Node) bool {
	if !c.want(n, tree.Map, "a rule") {
		return true
	}
	r := rule{percent: 100}
	label := "a rule"
	if nn := n.Get("name"); nn != nil && nn.Kind == tree.Scalar && nn.Scalar != "" {
		label = "rule " + tree.Quote(nn.Scalar)
	}
	for i := range n.Keys {
		k := &n.Keys[i]
		if slices.Contains(ruleKeys, k.Scalar) {
			continue
		}
		hint := tree.DidYouMean(k.Scalar, ruleKeys)
		if lookup(k.Scalar) != nil || k.Scalar == "any" || k.Scalar == "all" || k.Scalar == "not" {
			hint = `conditions belong below "if"`
		}
		c.fail(k, fmt.Sprintf("unknown field %s in %s", tree.Quote(k.Scalar), label), hint)
	}
	free := c.name(n, &r)
	c.action(n, &r, label)
	c.fields = nil
	if cn := n.Get("if"); cn != nil && cn.Kind != tree.Null {
		r.cond = c.condition(cn, 0)
	}
	r.reason = reasonOf(c.fields)
	c.extras(n, &r)
	c.policy.rules = append(c.policy.rules, r)
	return free
}

func (c *compiler) name(n *tree.Node, r *rule) bool {
	v := n.Get("name")
	if v == nil || v.Kind == tree.Null {
		c.fail(n, "a rule has no name", "log, metrics and X-Quarantine name the rule that decided: name: my-rule")
		return true
	}
	if !c.want(v, tree.Scalar, "name") {
		return true
	}
	r.name = v.Scalar
	bad := func(x rune) bool {
		return !(x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z' || x >= '0' && x <= '9' || strings.ContainsRune("-_.", x))
	}
	if r.name == "" || len(r.name) > maxName || strings.ContainsFunc(r.name, bad) {
		c.fail(v, fmt.Sprintf("rule name %s", tree.Quote(r.name)), fmt.Sprintf("letters, digits, - _ and . only, 1 to %d of them", maxName))
		return true
	}
	line, taken := c.names[r.name]
	if taken {
		c.fail(n, fmt.Sprintf("two rules are called %s", tree.Quote(r.name)), fmt.Sprintf("the other one comes with line %d", line))
		return false
	}
	c.names[r.name] = n.Line
	return true
}

func (c *compiler) action(n *tree.Node, r *rule, label string) {
	v := n.Get("action")
	if v == nil || v.Kind == tree.Null {
		c.fail(n, label+" has no action", "allowed: "+strings.Join(actions, ", "))
		return
	}
	if !c.want(v, tree.Scalar, "action") {
		return
	}
	if !slices.Contains(actions, v.Scalar) {
		c.fail(v, "unknown action "+tree.Quote(v.Scalar), tree.DidYouMean(v.Scalar, actions))
		return
	}
	r.action = Action(v.Scalar)
}

// extras: reply, reason, headers, observe, percent.
func (c *compiler) extras(n *tree.Node, r *rule) {
	if v := n.Get("reply"); v != nil && v.Kind != tree.Null && c.want(v, tree.Scalar, "reply") && r.action != Undecided {
		if r.action != Reject && r.action != Tempfail {
			c.fail(v, "a reply needs action reject or tempfail, not "+string(r.action), "")
		} else if code, enh, text, err := splitReply(v.Scalar, r.action); err != nil {
			c.fail(v, err.Error(), fmt.Sprintf("reply: %q", DefaultReply(r.action).String()))
		} else {
			r.reply = replyTemplate{code, enh, c.parseTemplate(v, "reply", text)}
		}
	}
	if v := n.Get("reason"); v != nil && v.Kind != tree.Null && c.want(v, tree.Scalar, "reason") {
		r.reason = c.parseTemplate(v, "reason", v.Scalar)
	}
	if v := n.Get("headers"); v != nil && v.Kind != tree.Null && c.want(v, tree.Map, "headers") {
		c.headers(v, r)
	}
	if v := n.Get("observe"); v != nil && v.Kind != tree.Null && c.want(v, tree.Scalar, "observe") {
		if !slices.Contains(boolWords, v.Scalar) {
			c.fail(v, fmt.Sprintf("observe: %s is neither true nor false", tree.Quote(v.Scalar)), "")
		}
		r.observe = v.Scalar == "true"
	}
	if v := n.Get("percent"); v != nil && v.Kind != tree.Null && c.want(v, tree.Scalar, "percent") {
		p, err := strconv.Atoi(v.Scalar)
		if err != nil || p < 1 || p > 100 {
			c.fail(v, fmt.Sprintf("percent: %s is not a whole number from 1 to 100", tree.Quote(v.Scalar)), "")
		}
		r.percent = p
	}
}

func (c *compiler) headers(n *tree.Node, r *rule) {
	if r.action == Reject || r.action == Tempfail || r.action == Discard {
		c.fail(n, fmt.Sprintf("headers do nothing with action %s", r.action), "")
		return
	}
	for i := range n.Items {
		k, v := &n.Keys[i], &n.Items[i]
		if !c.headerName(k, k.Scalar) || !c.want(v, tree.Scalar, "header field "+tree.Quote(k.Scalar)) {
			continue
		}
		if slices.ContainsFunc(reservedHeaders, func(s string) bool { return strings.EqualFold(s, k.Scalar) }) {
			c.fail(k, fmt.Sprintf("header field %s cannot be added by a rule", tree.Quote(k.Scalar)), "choose a name of your own: X-...")
			continue
		}
		r.headers = append(r.headers, headerTemplate{k.Scalar, c.parseTemplate(v, "header field "+k.Scalar, v.Scalar)})
	}
}

// headerName: RFC 5322 §3.6.8, printable ASCII without colon.
func (c *compiler) headerName(n *tree.Node, s string) bool {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }
	if s == "" || len(s) > maxName || strings.ContainsFunc(s, bad) {
		c.fail(n, fmt.Sprintf("header field name %s", tree.Quote(s)), fmt.Sprintf("printable ASCII without space and colon, 1 to %d bytes", maxName))
		return false
	}
	return true
}

// unreachable warns of rules behind one that takes every message.
func (c *compiler) unreachable(list *tree.Node) {
	for i := range list.Items[:max(0, len(list.Items)-1)] {
		n := &list.Items[i]
		if n.Kind != tree.Map || n.Get("observe") != nil || n.Get("percent") != nil {
			continue
		}
		if v := n.Get("if"); v == nil || v.Kind == tree.Null {
			c.warn(&list.Items[i+1], "this rule is never reached", fmt.Sprintf(`the rule of line %d has no "if" and takes every message`, n.Line))
			return
		}
	}
}

func lookup(name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// field finds a field by name and notes that it is used.
func (c *compiler) field(n *tree.Node, name, where string) *field {
	f := lookup(name)
	if h, ok := strings.CutPrefix(name, headerPrefix); ok {
		if !c.headerName(n, h) {
			return nil
		}
		f = headerField(h)
	}
	if f == nil {
		hint := tree.DidYouMean(name, FieldNames())
		if strings.EqualFold(name, "subject") || strings.HasPrefix(strings.ToLower(name), "x-") {
			hint = fmt.Sprintf("did you mean %q?", headerPrefix+name)
		}
		c.fail(n, fmt.Sprintf("unknown field %s %s", tree.Quote(name), where), hint)
		return nil
	}
	c.policy.used[f.name] = true
	return f
}

// asked notes a field for the reason of the rule.
func (c *compiler) asked(f *field) {
	if !slices.ContainsFunc(c.fields, func(g *field) bool { return g.name == f.name }) {
		c.fields = append(c.fields, f)
	}
}

// listHint: policy.rules is no list.
func listHint(n *tree.Node) string {
	switch {
	case n.Kind == tree.Scalar && n.Scalar == defaultsID:
		return "write [defaults]"
	case n.Kind == tree.Scalar:
		return `write [defaults] for the built-in rules; a rule of your own begins with "- name: my-rule"`
	case len(n.Keys) == 0:
		return "write [] for none, [defaults] for the built-in rules"
	case slices.Contains(ruleKeys, n.Keys[0].Scalar):
		return fmt.Sprintf(`each rule begins with a hyphen: "- %s:", and the lines that belong to it stand below its first word`, n.Keys[0].Scalar)
	}
	return fmt.Sprintf(`each rule begins with a hyphen and has its name within: "- name: %s"`, strings.Trim(tree.Quote(n.Keys[0].Scalar), `"`))
}

func (c *compiler) want(n *tree.Node, k tree.Kind, what string) bool {
	if n.Kind != k {
		c.fail(n, fmt.Sprintf("%s must be %s, not %s", what, k, n.Kind), "")
		return false
	}
	return true
}

func (c *compiler) fail(n *tree.Node, msg, hint string) {
	c.failed = true
	c.problems = append(c.problems, Problem{Line: n.Line, Column: n.Column, Message: msg, Hint: hint})
}

func (c *compiler) warn(n *tree.Node, msg, hint string) {
	c.problems = append(c.problems, Problem{Line: n.Line, Column: n.Column, Message: msg, Hint: hint, Warning: true})
}
