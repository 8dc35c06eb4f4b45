package edit

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// setItems sets the list at path where none is set. A list without entries is one.
func setItems(text string, items []string, path ...string) (string, error) {
	if !isNull(lookup(document(text), path...)) {
		return text, nil
	}
	return addItems(text, items, path...)
}

// addItems adds to the list at path, which is an option of the top level or of a
// section.
func addItems(text string, items []string, path ...string) (string, error) {
	if len(items) == 0 {
		return text, nil
	}
	name := path[len(path)-1]
	values := make([]string, len(items))
	for i, s := range items {
		values[i] = plain(s)
	}
	flow := name + ": [" + strings.Join(values, ", ") + "]"
	byHand := flow
	if len(path) > 1 {
		byHand = path[0] + ": {" + flow + "}"
	}
	good := func(a, b *yaml.Node) bool {
		var had []*yaml.Node
		if !isNull(a) {
			had = a.Content
		}
		return (isNull(a) || a.Kind == yaml.SequenceNode) && b.Kind == yaml.SequenceNode && len(b.Content) == len(had)+len(items) &&
			slices.EqualFunc(had, b.Content[:len(had)], same) &&
			slices.EqualFunc(items, b.Content[len(had):], func(s string, n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == s })
	}
	return first(text, path, good, byHand, withItems(text, document(text), path, flow, values)...)
}

// withItems are texts that may have the items at path.
func withItems(text string, top *yaml.Node, path []string, flow string, values []string) []string {
	name, owner := path[len(path)-1], lookup(top, path[:len(path)-1]...)
	list := child(owner, name)
	insert := func(line int, more ...string) string {
		return strings.Join(slices.Insert(lines(text), line, more...), "")
	}
	switch {
	case owner == nil:
		return []string{fmt.Sprintf("%s%s:\n  %s\n", text, path[0], flow)}
	case len(path) > 1 && isNull(owner):
		return []string{insert(keyLine(top, path[0]), "  "+flow+"\n")}
	case list == nil && len(path) == 1:
		return []string{text + flow + "\n"}
	case list == nil && owner.Kind == yaml.MappingNode && len(owner.Content) > 0:
		// Below the name of the section: a comment that comes first is about what follows it.
		return []string{insert(keyLine(top, path[0]), strings.Repeat(" ", owner.Content[0].Column-1)+flow+"\n")}
	case isNull(list) && list != nil:
		return []string{replaceValue(text, keyLine(owner, name), strings.TrimPrefix(flow, name+": "))}
	case list != nil && list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle != 0:
		return inFlow(text, list, strings.Join(values, ", "))
	case list != nil && list.Kind == yaml.SequenceNode:
		return inBlock(text, list, values)
	}
	return nil
}

// inFlow puts items before a bracket: the one with which the file still reads as
// it should ends the list.
func inFlow(text string, list *yaml.Node, items string) (texts []string) {
	seps := []string{""}
	if len(list.Content) > 0 {
		seps = []string{", ", ""} // there may be a comma behind the last one
	}
	all := lines(text)
	for at := lastLine(list) - 1; at < len(all); at++ {
		for i := len(all[at]) - 1; i >= 0; i-- {
			if all[at][i] != ']' {
				continue
			}
			for _, sep := range seps {
				tried := slices.Clone(all)
				tried[at] = all[at][:i] + sep + items + all[at][i:]
				if texts = append(texts, strings.Join(tried, "")); len(texts) == maxTries {
					return texts
				}
			}
		}
	}
	return texts
}

// inBlock puts items behind the last one, which may go on for some lines.
func inBlock(text string, list *yaml.Node, items []string) (texts []string) {
	all := lines(text)
	indent := -1
	for _, n := range list.Content {
		// The dash of an entry may stand on a line of its own.
		if line := all[n.Line-1]; strings.HasPrefix(strings.TrimLeft(line, " "), "-") {
			indent = strings.IndexByte(line, '-')
		}
	}
	if indent < 0 {
		return nil
	}
	var more []string
	for _, i := range items {
		more = append(more, strings.Repeat(" ", indent)+"- "+i+"\n")
	}
	for at := lastLine(list); at <= len(all) && len(texts) < maxTries; at++ {
		texts = append(texts, strings.Join(slices.Insert(slices.Clone(all), at, more...), ""))
	}
	return texts
}
