package hostile

import (
	"fmt"
	"regexp"
	"strings"
)

// Result is one resinfo of an Authentication-Results field (RFC 8601 §2.2).
type Result struct {
	Method, Status, Reason string
	Props                  map[string]string // "header.d" -> value
}

var (
	resultItem = regexp.MustCompile(`^([a-z]+)\.?([a-z]*)=("(?:[^"\\]|\\.)*"|[^\s"();]+)(?: |$)`)
	unescape   = regexp.MustCompile(`\\(.)`)
)

// ReadResults reads the value of a field of ours: no comments, no version,
// nothing left over. It knows nothing of how the daemon writes it.
func ReadResults(value string) (id string, results []Result, err error) {
	if strings.TrimLeft(value, "\r\n\t !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "" {
		return "", nil, fmt.Errorf("byte that is not printable: %q", value)
	}
	for _, l := range strings.Split(value, "\r\n") {
		if strings.ContainsAny(l, "\r\n") || len(l) > 998-len("Authentication-Results:") {
			return "", nil, fmt.Errorf("line %q", l)
		}
	}
	value = strings.ReplaceAll(value, "\r\n\t", " ")
	if strings.ContainsAny(value, "\r\n\t") {
		return "", nil, fmt.Errorf("fold that is none in %q", value)
	}
	parts := cutQuoted(strings.TrimSpace(value))
	for _, p := range parts[1:] {
		var r Result
		rest := strings.TrimSpace(p)
		for rest != "" {
			m := resultItem.FindStringSubmatch(rest)
			if m == nil {
				return "", nil, fmt.Errorf("no method, reason or property: %q", rest)
			}
			rest = strings.TrimLeft(rest[len(m[0]):], " ")
			v := m[3]
			if strings.HasPrefix(v, `"`) {
				v = unescape.ReplaceAllString(v[1:len(v)-1], "$1")
			}
			switch {
			case r.Method == "" && m[2] == "":
				r = Result{Method: m[1], Status: v, Props: map[string]string{}}
			case r.Method != "" && m[1] == "reason" && m[2] == "" && r.Reason == "":
				r.Reason = v
			case r.Method != "" && m[2] != "" && r.Props[m[1]+"."+m[2]] == "":
				r.Props[m[1]+"."+m[2]] = v
			default:
				return "", nil, fmt.Errorf("%q is out of place in %q", m[0], p)
			}
		}
		if r.Method == "" {
			return "", nil, fmt.Errorf("empty result in %q", value)
		}
		results = append(results, r)
	}
	return parts[0], results, nil
}

// cutQuoted cuts at the semicolons outside of quotes.
func cutQuoted(s string) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
