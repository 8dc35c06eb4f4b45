package header

import "strings"

// Hidden returns the fields that a reader finds inside f who ends a line at
// every CR and LF: what stands behind a line end that folds nothing. RFC 5322
// §2.2 allows neither alone, MTAs let a bare CR through all the same, and
// software such as Python's email package takes it for a line end.
func (f Field) Hidden() []Field {
	rest := f.Name + ":" + f.Value
	if !strings.ContainsAny(rest, "\r\n") {
		return nil
	}
	var found []Field
	for first := true; rest != ""; first = false {
		line := rest
		if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		switch {
		case first || line == "":
		case line[0] != ' ' && line[0] != '\t':
			if name, value, ok := strings.Cut(line, ":"); ok {
				found = append(found, Field{Name: name, Value: value})
			}
		case len(found) > 0:
			found[len(found)-1].Value += line
		}
	}
	return found
}

// Visible drops what is not a visible ASCII character of a field's name: some
// readers do not see it, or take the name without it.
func Visible(name string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, name)
}
