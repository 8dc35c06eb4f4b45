package sendmail

import (
	"slices"
	"strings"
)

// MC is the text of a sendmail.mc.
type MC struct {
	text  string
	calls []call
}

// call is a macro call outside of quotes and comments. args are without their
// quotes; nil where there are no parentheses.
type call struct {
	name       string
	args       []string
	start, end int // in the text
}

// arg is the argument i from 0, "" where there is none.
func (c call) arg(i int) string {
	if i < len(c.args) {
		return strings.TrimSpace(c.args[i])
	}
	return ""
}

// Parse cuts a sendmail.mc into macro calls. Any text is one.
func Parse(text string) *MC {
	m := &MC{text: text}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '#':
			i = nextLine(text, i)
		case c == '`':
			i = quoted(text, i)
		case isWord(c):
			end := word(text, i)
			name := text[i:end]
			switch {
			case name == "dnl":
				i = nextLine(text, end)
			case end < len(text) && text[end] == '(':
				c := call{name: name, start: i}
				c.args, c.end = arguments(text, end)
				m.calls = append(m.calls, c)
				i = c.end
			default:
				m.calls = append(m.calls, call{name: name, start: i, end: end})
				i = end
			}
		default:
			i++
		}
	}
	return m
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func word(s string, i int) int {
	for i < len(s) && isWord(s[i]) {
		i++
	}
	return i
}

// nextLine is where the line after the one at i begins.
func nextLine(s string, i int) int {
	if n := strings.IndexByte(s[min(i, len(s)):], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(s)
}

// quoted is the end of the quoted text that begins at i; m4 quotes nest.
func quoted(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '`':
			depth++
		case '\'':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// arguments reads the arguments behind the parenthesis at i and returns where
// they end.
func arguments(s string, i int) (args []string, end int) {
	var arg strings.Builder
	depth := 0
	for i++; i < len(s); {
		switch c := s[i]; {
		case c == '`':
			to := quoted(s, i)
			arg.WriteString(strings.TrimSuffix(s[i+1:to], "'"))
			i = to
			continue
		case isWord(c):
			to := word(s, i)
			if s[i:to] == "dnl" {
				i = nextLine(s, to)
				continue
			}
			arg.WriteString(s[i:to])
			i = to
			continue
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return append(args, arg.String()), i + 1
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			args = append(args, arg.String())
			arg.Reset()
			i++
			continue
		}
		arg.WriteByte(s[i])
		i++
	}
	return append(args, arg.String()), len(s)
}

// Define is the last value that define gives a name, "" without one.
func (m *MC) Define(name string) string {
	for _, c := range slices.Backward(m.calls) {
		if c.name == "define" && c.arg(0) == name {
			return c.arg(1)
		}
	}
	return ""
}

// Includes are the files that the .mc includes.
func (m *MC) Includes() []string {
	var files []string
	for _, c := range m.calls {
		if c.name == "include" && c.arg(0) != "" {
			files = append(files, c.arg(0))
		}
	}
	return files
}

// Filter is a milter of the .mc.
type Filter struct {
	Name string
	Spec string // S=unix:/run/x.sock, F=T
	end  int
}

const filterList = "confINPUT_MAIL_FILTERS"

// Filters are the milters that each message passes, in Sendmail's order: that of
// INPUT_MAIL_FILTER, or the one that confINPUT_MAIL_FILTERS gives.
func (m *MC) Filters() []Filter {
	known := map[string]Filter{}
	var names []string
	for _, c := range m.calls {
		switch {
		case c.name == "MAIL_FILTER" || c.name == "INPUT_MAIL_FILTER":
			known[c.arg(0)] = Filter{c.arg(0), c.arg(1), c.end}
			if c.name == "INPUT_MAIL_FILTER" {
				names = append(names, c.arg(0))
			}
		case c.name == "define" && c.arg(0) == filterList:
			names = nil
			for n := range strings.SplitSeq(c.arg(1), ",") {
				if n = strings.TrimSpace(n); n != "" {
					names = append(names, n)
				}
			}
		}
	}
	var out []Filter
	for _, n := range names {
		if f, ok := known[n]; ok {
			out = append(out, f)
		}
	}
	return out
}

// Equate is the value of a letter in a milter's or daemon's options: 'F' in
// "S=unix:/run/x.sock, F=T".
func Equate(spec, letter string) string {
	for item := range strings.SplitSeq(spec, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if strings.EqualFold(strings.TrimSpace(name), letter) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
