package header

import "strings"

// Hidden returns the fields that a reader finds inside f who ends a line at
// every CR and LF: what stands behind a line end that folds nothing. RFC 5322
// §2.2 allows neither alone, MTAs let a bare CR through all the same, and
// software such as Python's email package takes it for a line end.
func (f Field) Hidden() []Field {
	if !hides(f.Name+":") && !hides(f.Value) {
		return nil
	}
	var found []Field
	var value strings.Builder // of the last one
	end := func() {
		if n := len(found); n > 0 {
			found[n-1].Value = value.String()
			value.Reset()
		}
	}
	rest := f.Name + ":" + f.Value
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
			if name, text, ok := strings.Cut(line, ":"); ok {
				end()
				found = append(found, Field{Name: name})
				value.WriteString(text)
			}
		case len(found) > 0:
			value.WriteString(line)
		}
	}
	end()
	return found
}

// hides reports whether a line end in s folds nothing. Most fields are folded
// well, and this is asked for each of a message.
func hides(s string) bool {
	lineEnd := false
	for i := range len(s) {
		switch s[i] {
		case '\r', '\n':
			lineEnd = true
		case ' ', '\t':
			lineEnd = false
		default:
			if lineEnd {
				return true
			}
		}
	}
	return false
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
