package postfix

import "strings"

// block is one logical line with its physical lines, or the comments and empty
// lines between two of them. postconf(5), master(5): a line that begins with
// white space continues the one before; empty lines and comments do not end it.
type block struct {
	raw  string // as it stands, line ends included
	text bool   // a logical line, not comments
}

// parse cuts a file into blocks; joined they are the file.
func parse(data string) []block {
	var blocks []block
	var between string // comments that may still turn out to lie within a logical line
	flush := func() {
		if between != "" {
			blocks = append(blocks, block{raw: between})
			between = ""
		}
	}
	for line := range strings.Lines(data) {
		switch {
		case isComment(line):
			between += line
		case (line[0] == ' ' || line[0] == '\t') && len(blocks) > 0 && blocks[len(blocks)-1].text:
			blocks[len(blocks)-1].raw += between + line
			between = ""
		default:
			flush()
			blocks = append(blocks, block{raw: line, text: true})
		}
	}
	flush()
	return blocks
}

func isComment(line string) bool {
	t := strings.TrimLeft(line, " \t\r\n")
	return t == "" || t[0] == '#'
}

func join(blocks []block) string {
	var b strings.Builder
	for _, bl := range blocks {
		b.WriteString(bl.raw)
	}
	return b.String()
}

// content is the logical line on one physical line, without comments.
func (b block) content() string {
	var parts []string
	for line := range strings.Lines(b.raw) {
		if !isComment(line) {
			parts = append(parts, strings.TrimSpace(line))
		}
	}
	return strings.Join(parts, " ")
}

// addLine puts a line behind the last one of the block.
func (b *block) addLine(line string) {
	if !strings.HasSuffix(b.raw, "\n") {
		b.raw += "\n"
	}
	b.raw += line + "\n"
}

// endLine completes the last line of a file before something is added.
func endLine(blocks []block) {
	if n := len(blocks); n > 0 && !strings.HasSuffix(blocks[n-1].raw, "\n") {
		blocks[n-1].raw += "\n"
	}
}

// List splits a value at commas and white space; braces hold their content
// together, as in `{ unix:x, default_action=accept }`.
func List(value string) []string {
	var items []string
	start, depth := -1, 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			if start >= 0 {
				items = append(items, value[start:i])
			}
			start = -1
			continue
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		}
		if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		items = append(items, value[start:])
	}
	return items
}
