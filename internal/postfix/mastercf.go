package postfix

import (
	"slices"
	"strings"
)

// MasterCF is a master.cf.
type MasterCF struct{ blocks []block }

// ParseMaster reads a master.cf.
func ParseMaster(data string) *MasterCF { return &MasterCF{parse(data)} }

func (m *MasterCF) String() string { return join(m.blocks) }

// Clone is a copy to edit.
func (m *MasterCF) Clone() *MasterCF { return &MasterCF{slices.Clone(m.blocks)} }

// Service is one entry (master(5)).
type Service struct {
	Name, Type string // "127.0.0.1:10025", "inet"
	Chroot     string // "y", "n" or "-"
	Command    string
	Options    []Option // -o, in order; the last of a name counts
	index      int
}

// Option is one -o name=value.
type Option struct {
	Name, Value string
	flag, at    span // of "-o" and of name=value in the entry; equal when written together
}

type span struct{ start, end int }

// Key names the entry: name and type are unique together.
func (s Service) Key() string { return s.Name + " " + s.Type }

// Option returns the value that counts.
func (s Service) Option(name string) (value string, ok bool) {
	o := s.find(name)
	if o == nil {
		return "", false
	}
	return o.Value, true
}

func (s Service) find(name string) *Option {
	for i := len(s.Options) - 1; i >= 0; i-- {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	return nil
}

// Services are the entries in order. Lines with fewer than eight fields are
// none; Postfix would not start with them.
func (m *MasterCF) Services() []Service {
	var out []Service
	for i, b := range m.blocks {
		if !b.text {
			continue
		}
		w := words(b.raw)
		if len(w) < 8 {
			continue
		}
		text := func(n int) string { return b.raw[w[n].start:w[n].end] }
		s := Service{Name: text(0), Type: text(1), Chroot: text(4), Command: text(7), index: i}
		for n := 8; n < len(w); n++ {
			arg, ok := strings.CutPrefix(text(n), "-o")
			flag, at := w[n], w[n]
			switch {
			case !ok:
				continue
			case arg == "" && n+1 < len(w):
				n++
				arg, at = text(n), w[n]
			}
			if inner, ok := strings.CutPrefix(arg, "{"); ok { // -o { name = value }, from 3.0
				arg = strings.TrimSuffix(inner, "}")
			}
			name, value, _ := strings.Cut(arg, "=")
			s.Options = append(s.Options, Option{strings.TrimSpace(name), strings.Join(strings.Fields(value), " "), flag, at})
		}
		out = append(out, s)
	}
	return out
}

// words are the fields of an entry. White space between braces does not part
// them (master(5), from 3.0).
func words(raw string) []span {
	var out []span
	depth, start, end, pos := 0, -1, 0, 0
	for line := range strings.Lines(raw) {
		if isComment(line) {
			pos += len(line)
			continue
		}
		for i := 0; i < len(line); i++ {
			c := line[i]
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				if start >= 0 && depth == 0 {
					out = append(out, span{start, end})
					start = -1
				}
				continue
			}
			if start < 0 {
				start = pos + i
			}
			end = pos + i + 1
			switch {
			case c == '{':
				depth++
			case c == '}' && depth > 0:
				depth--
			}
		}
		pos += len(line)
	}
	if start >= 0 {
		out = append(out, span{start, end})
	}
	return out
}

// Get finds an entry by its key.
func (m *MasterCF) Get(key string) (Service, bool) {
	for _, s := range m.Services() {
		if s.Key() == key {
			return s, true
		}
	}
	return Service{}, false
}

// Set gives an option of an entry a value: in its place, or on a new line below
// the entry. It does nothing without such an entry.
func (m *MasterCF) Set(key, name, value string) {
	s, ok := m.Get(key)
	if !ok {
		return
	}
	arg := name + "=" + value
	if strings.ContainsAny(value, " \t") {
		arg = "{ " + name + " = " + value + " }"
	}
	b := &m.blocks[s.index]
	o := s.find(name)
	if o == nil {
		b.addLine("  -o " + arg)
		return
	}
	if o.flag == o.at {
		arg = "-o " + arg
	}
	b.raw = b.raw[:o.at.start] + arg + b.raw[o.at.end:]
}

// raw is the option's name=value as it stands, "" when it is not set.
func (m *MasterCF) raw(key, name string) string {
	s, _ := m.Get(key)
	if o := s.find(name); o != nil && o.flag != o.at {
		return m.blocks[s.index].raw[o.at.start:o.at.end]
	}
	return ""
}

// setRaw puts back what raw returned, in the place of the option.
func (m *MasterCF) setRaw(key, name, raw string) {
	s, _ := m.Get(key)
	if o := s.find(name); o != nil {
		b := &m.blocks[s.index]
		b.raw = b.raw[:o.at.start] + raw + b.raw[o.at.end:]
	}
}

// Delete takes an option out of an entry, with its line when nothing else
// stands there.
func (m *MasterCF) Delete(key, name string) {
	s, ok := m.Get(key)
	if !ok {
		return
	}
	o := s.find(name)
	if o == nil {
		return
	}
	b := &m.blocks[s.index]
	start, end := o.flag.start, o.at.end
	for start > 0 && (b.raw[start-1] == ' ' || b.raw[start-1] == '\t') {
		start--
	}
	rest := strings.TrimLeft(b.raw[end:], " \t\r")
	if (start == 0 || b.raw[start-1] == '\n') && strings.HasPrefix(rest, "\n") {
		end = len(b.raw) - len(rest) + 1
	}
	b.raw = b.raw[:start] + b.raw[end:]
}
