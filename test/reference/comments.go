package main

import (
	"regexp"
	"strings"
)

// setting is a line that sets an option: indent, name, the rest.
var setting = regexp.MustCompile(`^( *)([a-z_]+):( .*|)$`)

// comments are what the example says: intro is the first comment, about the
// names by their path with dots.
func comments(example string) (intro []string, about map[string][]string) {
	about = map[string][]string{}
	var path, head []string
	column := -1 // of the comment behind the last setting
	for line := range strings.Lines(example) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimLeft(line, " ")
		at := len(line) - len(bare)
		switch m := setting.FindStringSubmatch(line); {
		case bare == "":
			if intro == nil { // the head of the file
				intro = head
			}
			head, column = nil, -1
		case strings.HasPrefix(bare, "#") && at == column:
			name := strings.Join(path, ".")
			about[name] = append(about[name], uncomment(bare))
		case strings.HasPrefix(bare, "#"):
			head, column = append(head, uncomment(bare)), -1
		case m != nil:
			path = append(path[:len(m[1])/2], m[2])
			name := strings.Join(path, ".")
			about[name], head, column = head, nil, -1
			if i := strings.Index(line, " # "); i >= 0 {
				column = i + 1
				about[name] = append(about[name], uncomment(line[column:]))
			}
		}
	}
	return intro, about
}

func uncomment(s string) string { return strings.TrimPrefix(strings.TrimPrefix(s, "#"), " ") }

const maxProse = 12 // lines of a comment that are text; longer ones have an order of their own

// markdown is a comment as text, with indented lines as they are.
func markdown(lines []string) string {
	var b strings.Builder
	fenced := false
	for i, l := range lines {
		end := i+1 == len(lines) || !strings.HasPrefix(lines[i+1], " ")
		if fenced && len(lines) <= maxProse && l == "" && end {
			continue // between the lines as they are and the text behind them
		}
		switch code := strings.HasPrefix(l, " ") || len(lines) > maxProse; {
		case code && !fenced && len(lines) > maxProse:
			b.WriteString("```text\n")
		case code && !fenced:
			b.WriteString("\n```yaml\n")
		case fenced && !code:
			b.WriteString("```\n\n")
		}
		if fenced = strings.HasPrefix(l, " ") || len(lines) > maxProse; !fenced {
			l = escaped.Replace(l)
		}
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	if fenced {
		b.WriteString("```\n")
	}
	return strings.TrimLeft(b.String(), "\n")
}

var escaped = strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`)
