package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// pred says whether one value of a field matches.
type pred func(string) bool

// maxPattern bounds a regex and a glob, in bytes.
const maxPattern = 1000

// operators that each kind understands, beside words and lists.
func operators(k kind) []string {
	switch k {
	case kText, kAddress, kDomain:
		return []string{"not", "glob", "regex"}
	case kIP:
		return []string{"not", "cidr"}
	case kNumber:
		return []string{"not", "min", "max"}
	}
	return []string{"not"}
}

// value compiles what stands beside a field. A field may have several values
// (recipients, signatures, header fields): it matches when any of them does,
// and {not: x} when none does.
func (c *compiler) value(f *field, key, n *tree.Node, depth int) cond {
	if depth > maxDepth {
		c.fail(n, fmt.Sprintf("conditions nest deeper than %d", maxDepth), "")
		return nil
	}
	switch n.Kind {
	case tree.Scalar:
		return f.any(c.words(f, []tree.Node{*n}))
	case tree.List:
		return c.list(f, key, n, depth)
	case tree.Map:
		return c.operators(f, key, n, depth)
	}
	c.fail(key, f.name+" has no value", `the empty text is written ""`)
	return nil
}

// list compiles alternatives; plain words share one set.
func (c *compiler) list(f *field, key, n *tree.Node, depth int) cond {
	if len(n.Items) == 0 {
		c.fail(key, f.name+" has an empty list, which never matches", "")
		return nil
	}
	var words []tree.Node
	var alt []cond
	for i := range n.Items {
		if it := &n.Items[i]; it.Kind == tree.Scalar {
			words = append(words, *it)
		} else {
			alt = append(alt, c.value(f, it, it, depth+1))
		}
	}
	if words != nil {
		alt = append(alt, f.any(c.words(f, words)))
	}
	return anyOf(alt)
}

// operators compiles {not:}, {glob:} and so on; all of them must hold.
func (c *compiler) operators(f *field, key, n *tree.Node, depth int) cond {
	if len(n.Items) == 0 {
		c.fail(key, f.name+" has no value", "")
		return nil
	}
	var all []cond
	for i := range n.Items {
		op, val := &n.Keys[i], &n.Items[i]
		allowed := operators(f.kind)
		if !slices.Contains(allowed, op.Scalar) {
			c.fail(op, fmt.Sprintf("%s does not understand %s", f.name, tree.Quote(op.Scalar)), tree.DidYouMean(op.Scalar, allowed))
			all = append(all, nil)
			continue
		}
		switch op.Scalar {
		case "not":
			all = append(all, negate(c.value(f, op, val, depth+1)))
		case "glob":
			all = append(all, f.any(c.patterns(f, op, val, c.glob)))
		case "regex":
			all = append(all, f.any(c.patterns(f, op, val, c.regex)))
		case "cidr":
			all = append(all, f.any(c.patterns(f, op, val, c.cidr)))
		case "min", "max":
			all = append(all, f.any(c.bound(f, op, val)))
		}
	}
	return allOf(all)
}

// any: the condition holds when one value of the field matches. A field
// without values has the empty one.
func (f *field) any(p pred) cond {
	if p == nil {
		return nil
	}
	return func(x *facts) bool {
		v := f.get(x)
		if len(v) == 0 {
			return p("")
		}
		return slices.ContainsFunc(v, p)
	}
}

// words compiles plain words, any of which may match.
func (c *compiler) words(f *field, nodes []tree.Node) pred {
	set := make(map[string]bool, len(nodes))
	var nets []pred
	ok := true
	for i := range nodes {
		n := &nodes[i]
		if f.kind == kIP && strings.Contains(n.Scalar, "/") {
			p := c.cidr(f, n)
			nets = append(nets, p)
			ok = ok && p != nil
			continue
		}
		w, good := c.word(f, n)
		set[w] = true
		ok = ok && good
	}
	if !ok {
		return nil
	}
	fold := f.kind == kText || f.kind == kAddress
	return func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		return set[s] || slices.ContainsFunc(nets, func(p pred) bool { return p(s) })
	}
}

// word checks one word against the field and returns the form to compare.
func (c *compiler) word(f *field, n *tree.Node) (string, bool) {
	w := n.Scalar
	switch f.kind {
	case kWord:
		if !slices.Contains(f.words, w) {
			hint := tree.DidYouMean(w, f.words)
			if b, ok := yesNo(w); ok && slices.Equal(f.words, boolWords) {
				hint = "write " + b
			}
			c.fail(n, fmt.Sprintf("%s: unknown word %s", f.name, tree.Quote(w)), hint)
			return "", false
		}
	case kNumber:
		v, err := tree.ParseSize(w)
		if err != nil {
			c.fail(n, f.name+": "+err.Error(), "")
			return "", false
		}
		w = strconv.FormatInt(v, 10)
	case kIP:
		if w == "" {
			return w, true
		}
		a, err := netip.ParseAddr(w)
		if err != nil {
			c.fail(n, fmt.Sprintf("%s: %s is not an IP address", f.name, tree.Quote(w)), "")
			return "", false
		}
		w = a.Unmap().String()
	case kDomain:
		if w == "" {
			return w, true
		}
		d, err := resolve.CanonicalName(w)
		if err != nil {
			hint := ""
			if strings.ContainsAny(w, "*?") {
				hint = fmt.Sprintf("write {glob: %q}", w)
			} else if at := strings.LastIndexByte(w, '@'); at >= 0 && at < len(w)-1 {
				hint = fmt.Sprintf("only the domain: %s", w[at+1:])
			}
			c.fail(n, fmt.Sprintf("%s: %s is not a domain name", f.name, tree.Quote(w)), hint)
			return "", false
		}
		w = d
	case kText, kAddress:
		if strings.Contains(w, "*") {
			c.warn(n, fmt.Sprintf("%s: %s matches a real *", f.name, tree.Quote(w)), fmt.Sprintf("write {glob: %q} if * stands for anything", w))
		} else if f.kind == kAddress && strings.Contains(w, ".") && !strings.Contains(w, "@") {
			c.warn(n, fmt.Sprintf("%s: %s is not an address", f.name, tree.Quote(w)), f.name+".domain compares domains")
		}
		w = strings.ToLower(w)
	}
	return w, true
}

// yesNo reads the booleans of YAML 1.1, which are words like others here.
func yesNo(w string) (string, bool) {
	switch strings.ToLower(w) {
	case "yes", "y", "on", "true", "1":
		return "true", true
	case "no", "n", "off", "false", "0":
		return "false", true
	}
	return "", false
}

// patterns compiles one pattern or a list of them, any of which may match.
func (c *compiler) patterns(f *field, op, n *tree.Node, one func(*field, *tree.Node) pred) pred {
	nodes := []tree.Node{*n}
	if n.Kind == tree.List {
		nodes = n.Items
	}
	if len(nodes) == 0 {
		c.fail(op, op.Scalar+" has an empty list, which never matches", "")
		return nil
	}
	v, ok := make([]pred, len(nodes)), true
	for i := range nodes {
		if !c.want(&nodes[i], tree.Scalar, op.Scalar) {
			ok = false
			continue
		}
		v[i] = one(f, &nodes[i])
		ok = ok && v[i] != nil
	}
	if !ok {
		return nil
	}
	return func(s string) bool { return slices.ContainsFunc(v, func(p pred) bool { return p(s) }) }
}

// glob: "*" is any text, "?" one character, case does not matter.
func (c *compiler) glob(f *field, n *tree.Node) pred {
	s := n.Scalar
	if f.kind == kDomain {
		s = strings.TrimSuffix(s, ".")
		if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
			c.fail(n, fmt.Sprintf("%s: glob %s is not ASCII", f.name, tree.Quote(s)), "domains are compared as A-labels (xn--...)")
			return nil
		}
	}
	q := regexp.QuoteMeta(s)
	q = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(q)
	return c.compile(f, n, "glob", `(?is)\A`+q+`\z`)
}

// regex: RE2, so that no text makes it slow; unanchored, case matters.
func (c *compiler) regex(f *field, n *tree.Node) pred { return c.compile(f, n, "regex", n.Scalar) }

func (c *compiler) compile(f *field, n *tree.Node, what, expr string) pred {
	switch {
	case n.Scalar == "":
		c.fail(n, fmt.Sprintf("%s: empty %s", f.name, what), "")
		return nil
	case len(n.Scalar) > maxPattern:
		c.fail(n, fmt.Sprintf("%s: %s is longer than %d bytes", f.name, what, maxPattern), "")
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		c.fail(n, fmt.Sprintf("%s: %s: %s", f.name, what, msg), "the syntax is RE2's: no look-around, no back-references")
		return nil
	}
	return re.MatchString
}

func (c *compiler) cidr(f *field, n *tree.Node) pred {
	p, err := tree.ParsePrefix(n.Scalar)
	if err != nil {
		msg, hint, _ := strings.Cut(err.Error(), "\n")
		c.fail(n, f.name+": "+msg, hint)
		return nil
	}
	return func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && p.Contains(a)
	}
}

// bound compiles {min:} and {max:}; both bounds are included.
func (c *compiler) bound(f *field, op, n *tree.Node) pred {
	if !c.want(n, tree.Scalar, op.Scalar) {
		return nil
	}
	limit, err := tree.ParseSize(n.Scalar)
	if err != nil {
		c.fail(n, fmt.Sprintf("%s: %s: %s", f.name, op.Scalar, err), "")
		return nil
	}
	isMin := op.Scalar == "min"
	return func(s string) bool {
		v, err := strconv.ParseInt(s, 10, 64)
		return err == nil && (isMin && v >= limit || !isMin && v <= limit)
	}
}
