package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/policy/tree"
)

const (
	maxFile  = 1 << 20 // bytes of a configuration file
	maxNodes = 200_000 // values after aliases are filled in: "billion laughs" ends here
	maxDepth = 64      // of nested lists and maps; an alias to itself ends here
)

// Tree is a part of the file that is kept as it was written.
type Tree struct{ tree.Node }

func emptyTree(k tree.Kind) Tree { return Tree{tree.Node{Kind: k}} }

// MarshalYAML writes the tree so that it reads back as the same tree.
func (t Tree) MarshalYAML() (any, error) { return toYAML(&t.Node), nil }

func toYAML(n *tree.Node) *yaml.Node {
	switch n.Kind {
	case tree.Scalar:
		y := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.Scalar}
		if n.Quoted {
			y.Style = yaml.DoubleQuotedStyle
		} else {
			y.Tag = "" // plain where it can be
		}
		return y
	case tree.List:
		y := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range n.Items {
			y.Content = append(y.Content, toYAML(&n.Items[i]))
		}
		return y
	case tree.Map:
		y := &yaml.Node{Kind: yaml.MappingNode}
		for i := range n.Items {
			y.Content = append(y.Content, toYAML(&n.Keys[i]), toYAML(&n.Items[i]))
		}
		return y
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
}

// parseTree turns the file into a tree; nil when it cannot be read at all.
func parseTree(data []byte) (*tree.Node, Problems) {
	if len(data) > maxFile {
		return nil, Problems{{Message: fmt.Sprintf("the file is larger than %d bytes", maxFile)}}
	}
	if line := badUTF8(data); line > 0 {
		return nil, Problems{{Line: line, Message: "a byte that is not UTF-8", Hint: "save the file as UTF-8 without BOM"}}
	}
	doc, err := decodeYAML(data)
	if err != nil {
		return nil, Problems{syntaxProblem(data, err)}
	}
	if doc == nil || len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, Problems{{Message: "the file sets nothing", Hint: smallest}}
	}
	c := converter{}
	n := c.node(doc.Content[0], 0)
	if c.problems.Failed() {
		return nil, c.problems
	}
	return &n, c.problems
}

const smallest = "the smallest useful file is: {authserv_id: mail.example.com, sign: {domains: [example.com]}}"

var errDocuments = errors.New("a second document begins")

// decodeYAML returns the only document, nil when there is none. The library
// must not end the daemon, whatever is in the file.
func decodeYAML(data []byte) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, fmt.Errorf("the YAML reader gave up: %v", p)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := dec.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return &first, nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("line %d: %w", second.Line, errDocuments)
}

// badUTF8 is the line of the first byte that is not UTF-8, 0 without one.
func badUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return 1 + bytes.Count(data[:i], []byte("\n"))
		}
		i += n
	}
	return 0
}

// syntaxProblem puts the YAML reader's words into ours.
func syntaxProblem(data []byte, err error) Problem {
	if errors.Is(err, errDocuments) {
		line, text := cutLine(err)
		return Problem{Line: line, Message: text, Hint: `one file is one document: remove the line "---"`}
	}
	line, text := cutLine(err)
	p := Problem{Line: errorLine(data, err, line), Message: "not YAML: " + text}
	if odd := oddLine(data, p.Line); odd.Line > 0 {
		return odd
	}
	for _, h := range []struct{ text, hint string }{
		{"cannot start any token", "a value that begins with one of @ ` % needs quotes"},
		{"mapping values are not allowed", `a value with ": " in it needs quotes; otherwise check the indentation`},
		{openQuote, "a quote is opened here and never closed"},
		{"unknown anchor", "a value that begins with * needs quotes"},
		{"control characters", "the file has a byte that no text has; was it cut off?"},
		{"find expected", "check the indentation, brackets and quotes here and in the line above"},
	} {
		if strings.Contains(text, h.text) {
			p.Hint = h.hint
			break
		}
	}
	if l := lineOf(data, p.Line); strings.Contains(l[:len(l)-len(strings.TrimLeft(l, " \t"))], "\t") {
		p.Message, p.Hint = "a tab in the indentation", "YAML is indented with spaces"
	}
	return p
}

// cutLine splits "yaml: line 3: text".
func cutLine(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if num, after, ok := strings.Cut(rest, ": "); ok {
			line, _ = strconv.Atoi(num)
			text = after
		}
	}
	return line, text
}

const openQuote = "found unexpected end of stream"

// errorLine finds the line of a syntax error. The library often names the
// line where the structure around it begins, or the one before, or none: the
// right one is the last line of the shortest beginning of the file that has
// the same error.
func errorLine(data []byte, err error, fallback int) int {
	var ends []int // of lines
	for i, b := range data {
		if b == '\n' || i == len(data)-1 {
			ends = append(ends, i+1)
		}
	}
	if _, text := cutLine(err); text == openQuote && fallback >= len(ends) {
		// A quote opened in the first line is reported where the file ends.
		if _, e := decodeYAML(data[:ends[0]]); e != nil && strings.HasSuffix(e.Error(), text) {
			return 1
		}
	}
	n := sort.Search(len(ends), func(i int) bool {
		_, e := decodeYAML(data[:ends[i]])
		return e != nil && e.Error() == err.Error()
	})
	if n == len(ends) {
		return fallback
	}
	return n + 1
}

// lineOf returns a line, counted from 1, "" when there is none.
func lineOf(data []byte, line int) string {
	for range line - 1 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return ""
		}
		data = data[i+1:]
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		data = data[:i]
	}
	return string(data)
}

// converter turns YAML nodes into our own, aliases filled in.
type converter struct {
	nodes    int
	problems Problems
	full     bool
}

func (c *converter) fail(y *yaml.Node, msg, hint string) {
	c.problems = append(c.problems, Problem{Line: y.Line, Message: msg, Hint: hint})
}

func (c *converter) node(y *yaml.Node, depth int) tree.Node {
	n := tree.Node{Line: y.Line, Column: y.Column}
	c.nodes++
	switch {
	case c.full:
		return n
	case c.nodes > maxNodes:
		c.full = true
		c.fail(y, fmt.Sprintf("more than %d values", maxNodes), "an alias (*name) repeats all that its anchor holds")
		return n
	case depth > maxDepth:
		c.full = true
		c.fail(y, fmt.Sprintf("nested deeper than %d", maxDepth), "an anchor must not contain its own alias")
		return n
	case y.Style&yaml.TaggedStyle != 0:
		c.fail(y, "a YAML tag ("+tree.Quote(y.Tag)+")", "leave the tag away")
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		// Problems inside belong to the line of the anchor.
		return c.node(y.Alias, depth+1)
	case yaml.SequenceNode:
		n.Kind = tree.List
		for _, x := range y.Content {
			n.Items = append(n.Items, c.node(x, depth+1))
		}
	case yaml.MappingNode:
		n.Kind = tree.Map
		c.mapping(y, &n, depth)
	case yaml.ScalarNode:
		n.Kind, n.Scalar = tree.Scalar, y.Value
		n.Quoted = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		if y.Tag == "!!null" && !n.Quoted {
			n.Kind, n.Scalar = tree.Null, ""
		}
	}
	return n
}

func (c *converter) mapping(y *yaml.Node, n *tree.Node, depth int) {
	lines := make(map[string]int, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode || k.Tag == "!!null" {
			c.fail(k, "a name must be a single word", "")
			continue
		}
		if k.Tag == "!!merge" {
			c.fail(k, "merge keys (<<) are not understood", "repeat the values, or give a whole list an anchor")
			continue
		}
		if first, twice := lines[k.Value]; twice {
			c.fail(k, fmt.Sprintf("duplicate field %s", tree.Quote(k.Value)), twiceHint(k, y.Content[i+1], first, depth))
			continue
		}
		lines[k.Value] = k.Line
		n.Keys = append(n.Keys, c.node(k, depth+1))
		n.Items = append(n.Items, c.node(y.Content[i+1], depth+1))
	}
}
