package edit

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// document is the top of the file, nil when it is empty or no map.
func document(data []byte) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	return doc.Content[0]
}

func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func lookup(n *yaml.Node, path ...string) *yaml.Node {
	for _, p := range path {
		n = child(n, p)
	}
	return n
}

func has(data []byte, path ...string) bool {
	n := lookup(document(data), path...)
	return n != nil && n.Tag != "!!null"
}

func onlyComments(data []byte) bool {
	for line := range strings.Lines(string(data)) {
		if l := strings.TrimSpace(line); l != "" && l[0] != '#' && l != "---" {
			return false
		}
	}
	return true
}

func keyLine(n *yaml.Node, name string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i].Line
		}
	}
	return 0
}

func lastLine(n *yaml.Node) int {
	line := n.Line
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}

func byHand(text string) error {
	return problem.Fail("write it yourself: "+text, "the file is written in a way that cannot be edited safely")
}

func verified(lines []string, ok func([]byte) bool, text string) ([]byte, error) {
	data := []byte(strings.Join(lines, ""))
	if !ok(data) {
		return nil, byHand(text)
	}
	return data, nil
}
