package edit

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// setScalar sets an option of the top level, where none is set or with force.
func setScalar(text, name, value string, force bool) (string, error) {
	top := document(text)
	n := child(top, name)
	if m := meant(n); !isNull(m) && (m.Value == value || !force && m.Value != "") {
		return text, nil
	}
	whole := name + ": " + plain(value)
	try := text + whole + "\n"
	if n != nil {
		try = replaceValue(text, keyLine(top, name), plain(value))
	}
	good := func(a, b *yaml.Node) bool {
		return (a == nil || a.Kind == yaml.ScalarNode) && b.Kind == yaml.ScalarNode && b.Value == value
	}
	return first(text, []string{name}, good, whole, try)
}

// replaceValue puts another value behind the key of a line, counted from 1. The
// comment behind it stays.
func replaceValue(text string, line int, value string) string {
	all := lines(text)
	key, rest, _ := strings.Cut(all[line-1], ":")
	rest = strings.TrimSpace(rest)
	comment := strings.TrimSpace(rest[tokenLength(rest):])
	if comment != "" {
		comment = "  " + comment
	}
	all[line-1] = key + ": " + value + comment + "\n"
	return strings.Join(all, "")
}

// tokenLength is the length of the scalar with which s begins.
func tokenLength(s string) int {
	switch {
	case s == "" || s[0] == '#':
		return 0
	case s[0] == '"' || s[0] == '\'':
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && s[0] == '"', strings.HasPrefix(s[i:], "''") && s[0] == '\'':
				i++ // what comes next is no end
			case s[i] == s[0]:
				return i + 1
			}
		}
		return len(s)
	}
	if i := strings.Index(s, " #"); i >= 0 {
		return i
	}
	return len(s)
}

// plain writes a scalar: without quotes where it can be read in no other way.
func plain(s string) string {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}
	if s == "" || s[0] == '-' || strings.ContainsFunc(s, odd) {
		return fmt.Sprintf("%q", s)
	}
	return s
}
