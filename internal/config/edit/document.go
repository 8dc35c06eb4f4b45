package edit

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// document is the top of the file, an empty map where it sets nothing. It is nil
// when the file cannot be read, is no map, or has a second document.
func document(text string) (top *yaml.Node) {
	// The library's bugs end an edit, not the program.
	defer func() {
		if recover() != nil {
			top = nil
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	var first, second yaml.Node
	if err := dec.Decode(&first); errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.MappingNode}
	} else if err != nil || len(first.Content) == 0 || !errors.Is(dec.Decode(&second), io.EOF) {
		return nil
	}
	switch top = first.Content[0]; {
	case isNull(top):
		return &yaml.Node{Kind: yaml.MappingNode}
	case top.Kind != yaml.MappingNode:
		return nil
	}
	return top
}

func isNull(n *yaml.Node) bool { return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// meant is the node itself, or the one that it is an alias of. Its place in the
// file is the anchor's.
func meant(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func child(n *yaml.Node, name string) *yaml.Node {
	if i := keyOf(n, name); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

// keyOf is where the key of a map stands in its Content, -1 when it has none.
func keyOf(n *yaml.Node, name string) int {
	if n == nil || n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return i
		}
	}
	return -1
}

// keyLine is the line of a key, counted from 1.
func keyLine(n *yaml.Node, name string) int { return n.Content[keyOf(n, name)].Line }

func lookup(n *yaml.Node, path ...string) *yaml.Node {
	for _, p := range path {
		n = child(n, p)
	}
	return n
}

// lastLine is the line where the last value of n begins.
func lastLine(n *yaml.Node) int {
	line := n.Line
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}

// lines splits a text where YAML's reader counts a line: at CR and at the breaks
// of Unicode, too.
func lines(text string) []string {
	var all []string
	for text != "" {
		end := strings.IndexAny(text, "\n\r\u0085\u2028\u2029")
		switch {
		case end < 0:
			end = len(text)
		case strings.HasPrefix(text[end:], "\r\n"):
			end += 2
		case text[end] < 0x80:
			end++
		case text[end] == 0xc2: // U+0085
			end += 2
		default:
			end += 3
		}
		all = append(all, text[:end])
		text = text[end:]
	}
	return all
}

// maxTries bounds the texts that are tried: each is read as a whole.
const maxTries = 64

// first is the first of the texts that says what it should at path, and everywhere
// else what the old one says. byHand is what to write when none does.
func first(old string, path []string, good func(old, new *yaml.Node) bool, byHand string, texts ...string) (string, error) {
	top := document(old)
	for _, text := range texts[:min(len(texts), maxTries)] {
		if now := document(text); top != nil && now != nil && onlyThere(top, now, path, good) {
			return text, nil
		}
	}
	return "", problem.Fail("write it yourself, in the section that is there: "+byHand, "the file is written in a way that cannot be edited safely")
}

// onlyThere reports whether b is a but for what stands at path, and whether that is
// good. What has an anchor does not change: its aliases would change with it.
func onlyThere(a, b *yaml.Node, path []string, good func(a, b *yaml.Node) bool) bool {
	if b == nil || a != nil && a.Anchor != "" || b.Anchor != "" {
		return false
	}
	if len(path) == 0 {
		return good(a, b)
	}
	if b.Kind != yaml.MappingNode || !isNull(a) && a.Kind != yaml.MappingNode {
		return false
	}
	return slices.EqualFunc(without(a, path[0]), without(b, path[0]), same) &&
		onlyThere(child(a, path[0]), child(b, path[0]), path[1:], good)
}

// without is a map's content without the first entry of a name.
func without(n *yaml.Node, name string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if i := keyOf(n, name); i >= 0 {
		return slices.Delete(slices.Clone(n.Content), i, i+2)
	}
	return n.Content
}

// same compares values, not how they are written.
func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor && slices.EqualFunc(a.Content, b.Content, same)
}
