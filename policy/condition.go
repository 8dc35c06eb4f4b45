package policy

import (
	"fmt"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// cond says whether a condition holds. nil is a condition that could not be
// compiled.
type cond func(*facts) bool

// maxDepth of nested any, all, not and values.
const maxDepth = 16

// condition compiles a map: every entry must hold.
func (c *compiler) condition(n *tree.Node, depth int) cond {
	if !c.want(n, tree.Map, "a condition") {
		return nil
	}
	if depth > maxDepth {
		c.fail(n, fmt.Sprintf("conditions nest deeper than %d", maxDepth), "")
		return nil
	}
	if len(n.Items) == 0 {
		c.fail(n, "a condition is empty", `leave "if" away for a rule that always holds`)
		return nil
	}
	all := make([]cond, 0, len(n.Items))
	for i := range n.Items {
		key, val := &n.Keys[i], &n.Items[i]
		var x cond
		switch key.Scalar {
		case "any":
			x = anyOf(c.conditions(key, val, depth+1))
		case "all":
			x = allOf(c.conditions(key, val, depth+1))
		case "not":
			x = negate(c.condition(val, depth+1))
		default:
			f := c.field(key, key.Scalar, "in a condition")
			if f == nil {
				continue
			}
			c.asked(f)
			x = c.value(f, key, val, depth+1)
		}
		all = append(all, x)
	}
	return allOf(all)
}

// conditions compiles the list below any and all.
func (c *compiler) conditions(key, n *tree.Node, depth int) []cond {
	if n.Kind != tree.List {
		c.fail(key, fmt.Sprintf("%s needs a list of conditions, not %s", key.Scalar, n.Kind),
			key.Scalar+": [{spf: fail}, {iprev: fail}]")
		return []cond{nil}
	}
	if len(n.Items) == 0 {
		c.fail(key, fmt.Sprintf("%s has no conditions", key.Scalar), "")
		return []cond{nil}
	}
	v := make([]cond, len(n.Items))
	for i := range n.Items {
		v[i] = c.condition(&n.Items[i], depth)
	}
	return v
}

// The combinators pass nil on: a Policy with a nil condition is never
// returned, but other problems shall still be found.

func broken(v []cond) bool {
	for _, x := range v {
		if x == nil {
			return true
		}
	}
	return false
}

func allOf(v []cond) cond {
	if broken(v) {
		return nil
	}
	if len(v) == 1 {
		return v[0]
	}
	return func(f *facts) bool {
		for _, x := range v {
			if !x(f) {
				return false
			}
		}
		return true
	}
}

func anyOf(v []cond) cond {
	if broken(v) {
		return nil
	}
	return func(f *facts) bool {
		for _, x := range v {
			if x(f) {
				return true
			}
		}
		return false
	}
}

func negate(x cond) cond {
	if x == nil {
		return nil
	}
	return func(f *facts) bool { return !x(f) }
}
