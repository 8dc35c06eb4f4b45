package plain

import (
	"bytes"
	"io"
)

// Colour is a terminal that shows the first word of our lines in colour: what a
// finding or a problem is. It stands behind Writer, whose output has no control
// characters, and adds none but its own; what others wrote stands further in its line.
func Colour(to io.Writer) io.Writer { return &colour{to: to, begin: true} }

type colour struct {
	to    io.Writer
	begin bool // the next byte begins a line
}

const (
	red, green, yellow, blue = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"
	plainAgain               = "\x1b[0m"
)

var coloured = []struct{ word, as string }{
	{"PASS", green}, {"WARN", yellow}, {"FAIL", red}, {"ok:", green}, {"error:", red}, {"warning:", yellow}, {"hint:", blue},
}

func (c *colour) Write(p []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(p) {
		rest := line
		if c.begin {
			for _, w := range coloured {
				if after, ok := bytes.CutPrefix(line, []byte(w.word+" ")); ok {
					out.WriteString(w.as + w.word + plainAgain + " ")
					rest = after
					break
				}
			}
		}
		out.Write(rest)
		c.begin = line[len(line)-1] == '\n'
	}
	if _, err := c.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
