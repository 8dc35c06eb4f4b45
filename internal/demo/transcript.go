package demo

import (
	"fmt"
	"strings"
)

func (d *demo) title(title, command string) {
	fmt.Fprintf(d.out, "\n%s\n", title)
	if command != "" {
		fmt.Fprintf(d.out, "    $ %s\n", command)
	}
}

// fields shows the fields of a name as the recipient gets them.
func (d *demo) fields(raw, name string) {
	show := false
	for line := range strings.Lines(headOf(strings.ReplaceAll(raw, "\r\n", "\n"))) {
		if line[0] != ' ' && line[0] != '\t' {
			show = strings.HasPrefix(line, name+":")
		}
		if show {
			fmt.Fprint(d.out, "    + ", strings.ReplaceAll(line, "\t", "        "))
		}
	}
}

func (d *demo) check(what string, ok bool) {
	word := "ok"
	if !ok {
		word = "NOT SO"
		d.failed = append(d.failed, what)
	}
	fmt.Fprintf(d.out, "    %s: %s\n", word, what)
}

// headOf is the header section.
func headOf(raw string) string {
	head, _, _ := strings.Cut(raw, "\n\n")
	return head + "\n"
}

// topField is the first field, unfolded.
func topField(raw string) string {
	var b strings.Builder
	for i, line := range strings.Split(raw, "\r\n") {
		if i > 0 && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, " ") {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

func indent(prefix, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(prefix + line)
	}
	return b.String()
}

func ellipsis(s string, n int) string {
	if len(s) > n {
		return s[:n-3] + "..."
	}
	return s
}
