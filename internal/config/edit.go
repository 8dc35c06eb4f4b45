package config

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Edit is what set-up brings into a configuration. Zero values leave things as
// they are.
type Edit struct {
	AuthservID string         // where none is set
	Listen     string         // where none is set
	MTA        string         // put in the place of another
	Domains    []string       // added to sign.domains
	Networks   []netip.Prefix // outbound.networks, where none are set
}

// Apply edits the text of a file: comments, order and everything else stay as
// they are. What it cannot do without touching more is an error that names the
// lines to write by hand.
func (e Edit) Apply(data []byte) ([]byte, error) {
	if len(bytes.TrimSpace(data)) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	var err error
	step := func(f func([]byte) ([]byte, error)) {
		if err == nil {
			data, err = f(data)
		}
	}
	if e.AuthservID != "" {
		step(func(d []byte) ([]byte, error) { return setScalar(d, "authserv_id", e.AuthservID, false) })
	}
	if e.MTA != "" {
		step(func(d []byte) ([]byte, error) { return setScalar(d, "mta", e.MTA, true) })
	}
	if e.Listen != "" {
		step(func(d []byte) ([]byte, error) {
			if has(d, "listen") {
				return d, nil
			}
			return append(d, fmt.Sprintf("listen: [%q]\n", e.Listen)...), nil
		})
	}
	var networks []string
	for _, n := range e.Networks {
		networks = append(networks, fmt.Sprintf("%q", n))
	}
	step(func(d []byte) ([]byte, error) {
		if len(networks) == 0 || has(d, "outbound", "networks") {
			return d, nil
		}
		return addItems(d, "outbound", "networks", networks)
	})
	step(func(d []byte) ([]byte, error) { return addItems(d, "sign", "domains", e.missing(d)) })
	return data, err
}

// missing are the domains that the file does not list.
func (e Edit) missing(data []byte) []string {
	listed := map[string]bool{}
	if list := lookup(document(data), "sign", "domains"); list != nil {
		for _, n := range list.Content {
			if n.Kind == yaml.MappingNode {
				n = child(n, "name")
			}
			if n != nil {
				listed[strings.ToLower(n.Value)] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(e.Domains), func(d string) bool { return listed[d] })
}

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

func setScalar(data []byte, name, value string, force bool) ([]byte, error) {
	n := lookup(document(data), name)
	switch {
	case n == nil:
		return append(data, name+": "+value+"\n"...), nil
	case n.Value == value, !force && n.Value != "":
		return data, nil
	}
	lines := strings.SplitAfter(string(data), "\n")
	line := lines[n.Line-1]
	key, rest, ok := strings.Cut(line, ":")
	if !ok {
		return nil, byHand(name + ": " + value)
	}
	comment := ""
	if i := strings.Index(rest, " #"); i >= 0 {
		comment = "  " + strings.TrimSpace(rest[i:])
	}
	lines[n.Line-1] = key + ": " + value + comment + "\n"
	return verified(lines, func(d []byte) bool { m := lookup(document(d), name); return m != nil && m.Value == value }, name+": "+value)
}

func byHand(text string) error {
	return hinted{"the file is written in a way that cannot be edited safely", "write it yourself: " + text}
}

func verified(lines []string, ok func([]byte) bool, text string) ([]byte, error) {
	data := []byte(strings.Join(lines, ""))
	if !ok(data) {
		return nil, byHand(text)
	}
	return data, nil
}

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
