package header

import "strings"

// Hidden returns the fields that a reader finds inside f who ends a line at
// every CR and LF: what stands behind a line end that folds nothing. RFC 5322
// §2.2 allows neither alone, MTAs let a bare CR through all the same, and
// software such as Python's email package takes it for a line end.
func (f Field) Hidden() []Field {
	return f.HiddenCalled(func(string) bool { return true })
}

// HiddenCalled is Hidden for the fields whose name called wants. The others,
// of which a field can hide 40,000, cost a look at their name.
func (f Field) HiddenCalled(called func(name string) bool) []Field {
	if !hides(f.Name+":") && !hides(f.Value) {
		return nil
	}
	var found []Field
	var value strings.Builder // of the last one
	open := false             // the last line belongs to it
	end := func() {
		if open {
			found[len(found)-1].Value = value.String()
			value.Reset()
		}
		open = false
	}
	rest := f.Name + ":" + f.Value
	for first := true; rest != ""; first = false {
		n := 0
		for n < len(rest) && rest[n] != '\r' && rest[n] != '\n' {
			n++
		}
		line := rest[:n]
		rest = rest[min(n+1, len(rest)):]
		switch {
		case first || line == "":
		case line[0] != ' ' && line[0] != '\t':
			name, text, ok := strings.Cut(line, ":")
			if !ok {
				break // no field, and no part of the one before
			}
			end()
			if called(name) {
				found = append(found, Field{Name: name})
				value.WriteString(text)
				open = true
			}
		case open:
			value.WriteString(line)
		}
	}
	end()
	return found
}

// hides reports whether a line end in s folds nothing. Most fields have none or
// are folded well, and this is asked for each of a message.
func hides(s string) bool {
	if strings.IndexByte(s, '\r') < 0 && strings.IndexByte(s, '\n') < 0 {
		return false
	}
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
