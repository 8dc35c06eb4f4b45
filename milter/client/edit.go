package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gomilter "github.com/emersion/go-milter"
)

type field struct{ name, value string }

// split cuts a message into fields (values with their leading space, folds as
// CRLF) and the body, with CRLF line ends. A line that is no field begins the
// body, as in Postfix.
func split(raw string) ([]field, string) {
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	var fields []field
	for raw != "" {
		line, rest, _ := strings.Cut(raw, "\r\n")
		if line == "" {
			raw = rest
			break
		}
		folded := line[0] == ' ' || line[0] == '\t'
		name, value, ok := strings.Cut(line, ":")
		switch {
		case folded && len(fields) > 0:
			fields[len(fields)-1].value += "\r\n" + line
		case folded || !ok || !isName(name):
			return fields, raw
		default:
			fields = append(fields, field{name, value})
		}
		raw = rest
	}
	return fields, raw
}

// isName: printable ASCII, white space allowed before the colon only.
func isName(s string) bool {
	s = strings.TrimRight(s, " \t")
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func join(fields []field, body string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.name + ":" + f.value + "\r\n")
	}
	return b.String() + "\r\n" + body
}

var errEdit = errors.New("edit that this client cannot apply")

// apply does one edit as Postfix would: indexes count within a name, and a
// deletion renumbers at once. What is hidden is not counted by a change, and is by
// an insertion.
func (s *Session) apply(fields []field, e gomilter.ModifyAction, a *Answer) ([]field, error) {
	value := strings.ReplaceAll(e.HeaderValue, "\n", "\r\n")
	if !s.leadingSpace() && value != "" {
		value = " " + value
	}
	switch e.Code {
	case gomilter.ActInsertHeader:
		at := min(int(e.HeaderIndex), len(fields))
		return slices.Insert(fields, at, field{e.HeaderName, value}), nil
	case gomilter.ActChangeHeader:
		n := 0
		for i := min(s.hidden, len(fields)); i < len(fields); i++ {
			if !strings.EqualFold(strings.TrimRight(fields[i].name, " \t"), e.HeaderName) {
				continue
			}
			if n++; n != int(e.HeaderIndex) {
				continue
			}
			if value == "" {
				return slices.Delete(fields, i, i+1), nil
			}
			fields[i] = field{e.HeaderName, value}
			break
		}
		return fields, nil
	case gomilter.ActQuarantine:
		a.Held = e.Reason
		return fields, nil
	}
	return fields, fmt.Errorf("%w: %q", errEdit, e.Code)
}
