package postfix

import (
	"slices"
	"strings"
)

// MainCF is a main.cf. The zero value is an empty file.
type MainCF struct{ blocks []block }

// ParseMain reads a main.cf. Nothing in it is an error: what is no assignment
// stays as it is.
func ParseMain(data string) *MainCF { return &MainCF{parse(data)} }

func (m *MainCF) String() string { return join(m.blocks) }

// Clone is a copy to edit.
func (m *MainCF) Clone() *MainCF { return &MainCF{slices.Clone(m.blocks)} }

// find is the index of the assignment that counts, the last one, or -1.
func (m *MainCF) find(name string) int {
	for i := len(m.blocks) - 1; i >= 0; i-- {
		if n, _, ok := assignment(m.blocks[i]); ok && n == name {
			return i
		}
	}
	return -1
}

func assignment(b block) (name, value string, ok bool) {
	if !b.text {
		return "", "", false
	}
	name, value, ok = strings.Cut(b.content(), "=")
	return strings.TrimSpace(name), strings.TrimSpace(value), ok
}

// Get returns the value as written, on one line.
func (m *MainCF) Get(name string) (value string, ok bool) {
	i := m.find(name)
	if i < 0 {
		return "", false
	}
	_, value, _ = assignment(m.blocks[i])
	return value, true
}

// Raw is the logical line as it stands.
func (m *MainCF) Raw(name string) string {
	if i := m.find(name); i >= 0 {
		return m.blocks[i].raw
	}
	return ""
}

// Names are the parameters that the file sets, in order, each once.
func (m *MainCF) Names() []string {
	var names []string
	for _, b := range m.blocks {
		if n, _, ok := assignment(b); ok && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// Set gives a parameter a value: in its place, comments within it kept below,
// or at the end of the file.
func (m *MainCF) Set(name, value string) {
	line := strings.TrimRight(name+" = "+value, " ") + "\n"
	i := m.find(name)
	if i < 0 {
		endLine(m.blocks)
		m.blocks = append(m.blocks, block{line, true})
		return
	}
	m.blocks[i].raw = line + comments(m.blocks[i].raw)
}

func comments(raw string) string {
	var b strings.Builder
	for line := range strings.Lines(raw) {
		if isComment(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// SetRaw puts a whole logical line in the place of a parameter's.
func (m *MainCF) SetRaw(name, raw string) {
	if i := m.find(name); i >= 0 {
		m.blocks[i].raw = raw
		return
	}
	endLine(m.blocks)
	m.blocks = append(m.blocks, block{raw, true})
}

// Append adds an item to a list: on the same line where there is one, on a line
// of its own where the list has several.
func (m *MainCF) Append(name, item string) {
	i := m.find(name)
	if i < 0 {
		m.Set(name, item)
		return
	}
	b := &m.blocks[i]
	if strings.Count(strings.TrimRight(b.raw, "\r\n"), "\n") > 0 {
		b.addLine("    " + item)
		return
	}
	b.raw = strings.TrimRight(b.raw, " \t\r\n") + " " + item + "\n"
}

// Delete takes the assignment that counts out of the file.
func (m *MainCF) Delete(name string) {
	if i := m.find(name); i >= 0 {
		m.blocks[i].raw = comments(m.blocks[i].raw)
		m.blocks[i].text = false
	}
}
