package policy

import (
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// maxText is the length of every text that a rule produces: with code and
// enhanced code it stays below the 512 bytes of a reply line
// (RFC 5321 §4.5.3.1.5), and below the 998 of a header line.
const maxText = 400

// template is a text with {field} in it.
type template []part

type part struct {
	text  string
	field *field // nil: text
}

// expand fills the fields in. Whatever a message put there, the outcome is
// printable ASCII and bounded.
func (t template) expand(f *facts) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case b.Len() >= maxText:
			return clean(b.String())
		case p.field == nil:
			b.WriteString(p.text)
		default:
			s := p.field.show(f)
			b.WriteString(s[:min(len(s), maxText)])
		}
	}
	return clean(b.String())
}

// clean keeps printable ASCII and replaces every other byte by "?".
func clean(s string) string {
	s = s[:min(len(s), maxText)]
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// parseTemplate reads a text of the configuration; "{{" is a brace.
func (c *compiler) parseTemplate(n *tree.Node, what, s string) template {
	var t template
	lit := strings.Builder{}
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch < ' ' || ch > '~':
			c.fail(n, what+" has a byte that is not printable ASCII", "the MTAs garble or drop other characters here")
			return nil
		case (ch == '{' || ch == '}') && i+1 < len(s) && s[i+1] == ch:
			lit.WriteByte(ch)
			i++
		case ch == '}':
			c.fail(n, what+` has a "}" without "{"`, `a brace itself is written "}}"`)
			return nil
		case ch == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				c.fail(n, what+` has a "{" without "}"`, `a brace itself is written "{{"`)
				return nil
			}
			f := c.field(n, s[i+1:i+end], fmt.Sprintf("in %s", what))
			if f == nil {
				return nil
			}
			t = append(t, part{text: lit.String()}, part{field: f})
			lit.Reset()
			i += end
		default:
			lit.WriteByte(ch)
		}
	}
	if len(s) > maxText {
		c.fail(n, fmt.Sprintf("%s is longer than %d bytes", what, maxText), "")
		return nil
	}
	return append(t, part{text: lit.String()})
}

// reasonOf is the reason of a rule that gives none: each field it asks for
// with its value.
func reasonOf(fields []*field) template {
	var t template
	for i, f := range fields {
		sep := ""
		if i > 0 {
			sep = " "
		}
		t = append(t, part{text: sep + f.name + "="}, part{field: f})
	}
	if t == nil {
		t = template{{text: "always"}}
	}
	return t
}
