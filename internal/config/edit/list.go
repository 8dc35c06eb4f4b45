package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// addItems adds to the list section.name.
func addItems(data []byte, section, name string, items []string) ([]byte, error) {
	if len(items) == 0 {
		return data, nil
	}
	top := document(data)
	flow := fmt.Sprintf("%s: [%s]", name, strings.Join(items, ", "))
	sect := child(top, section)
	list := child(sect, name)
	before := 0
	if list != nil {
		before = len(list.Content)
	}
	good := func(d []byte) bool {
		l := lookup(document(d), section, name)
		return l != nil && l.Kind == yaml.SequenceNode && len(l.Content) == before+len(items) && len(child(top, section).Content) <= len(child(document(d), section).Content)
	}
	text := section + ": {" + flow + "}"
	lines := strings.SplitAfter(string(data), "\n")
	insert := func(at int, text ...string) ([]byte, error) {
		return verified(slices.Insert(slices.Clone(lines), at, text...), good, section+": {"+flow+"}")
	}
	switch {
	case sect == nil && top == nil && len(bytes.TrimSpace(data)) > 0 && !onlyComments(data):
		return nil, byHand(text)
	case sect == nil:
		return append(data, section+":\n  "+flow+"\n"...), nil
	case sect.Tag == "!!null":
		key := keyLine(top, section)
		return insert(key, "  "+flow+"\n")
	case sect.Kind != yaml.MappingNode || sect.Style&yaml.FlowStyle != 0:
		return nil, byHand(text)
	case list == nil:
		first := sect.Content[0]
		return insert(first.Line-1, strings.Repeat(" ", first.Column-1)+flow+"\n")
	case list.Tag == "!!null":
		at := keyLine(sect, name) - 1
		key, _, _ := strings.Cut(lines[at], ":")
		lines[at] = key + ": [" + strings.Join(items, ", ") + "]\n"
		return verified(lines, good, text)
	case list.Style&yaml.FlowStyle != 0:
		return addFlow(lines, list, items, good, text)
	case list.Kind == yaml.SequenceNode:
		last := list.Content[len(list.Content)-1]
		lead := lines[last.Line-1][:last.Column-1]
		dash := strings.LastIndexByte(lead, '-')
		if dash < 0 {
			return nil, byHand(text)
		}
		var more []string
		for _, i := range items {
			more = append(more, lead[:dash]+"- "+i+"\n")
		}
		return insert(lastLine(last), more...)
	}
	return nil, byHand(text)
}

// addFlow puts items before the bracket that ends the list: the one with which
// the file still reads as it should.
func addFlow(lines []string, list *yaml.Node, items []string, good func([]byte) bool, text string) ([]byte, error) {
	at := lastLine(list) - 1
	sep := ""
	if len(list.Content) > 0 {
		sep = ", "
	}
	for ; at < len(lines); at++ {
		for i := len(lines[at]) - 1; i >= 0; i-- {
			if lines[at][i] != ']' {
				continue
			}
			tried := slices.Clone(lines)
			tried[at] = lines[at][:i] + sep + strings.Join(items, ", ") + lines[at][i:]
			if out, err := verified(tried, good, text); err == nil {
				return out, nil
			}
		}
	}
	return nil, byHand(text)
}
