// Package manpage writes manual pages: roff with the man macros, and what those of the
// service and of milter.yaml say.
package manpage

import (
	"bytes"
	"fmt"
	"strings"
)

// Page writes roff with the man macros.
type Page struct{ bytes.Buffer }

// New begins a page; date is that of the build.
func New(name string, section int, date, version string) *Page {
	p := &Page{}
	fmt.Fprintf(p, ".TH %s %d %s \"sealmilter %s\" sealmilter\n", roff(strings.ToUpper(name)), section, date, roff(version))
	return p
}

// A hyphen is a minus, so that options can be copied.
var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`)

func roff(s string) string { return roffEscapes.Replace(s) }

// line is one line of text, which must not look like a request.
func (p *Page) line(s string) {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		p.WriteString(`\&`)
	}
	p.WriteString(roff(s) + "\n")
}

// Section begins one.
func (p *Page) Section(title string) { p.WriteString(".SH " + title + "\n") }

// Name is the line that whatis(1) reads; there a name's hyphens stay as they are.
func (p *Page) Name(name, short string) { fmt.Fprintf(p, "%s \\- %s\n", name, roff(short)) }

// Bold is a line as it stands, in bold.
func (p *Page) Bold(s string) {
	p.WriteString(".nf\n.B ")
	p.WriteString(roff(s) + "\n.fi\n")
}

// Text is filled; an empty line begins a paragraph.
func (p *Page) Text(s string) {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l == "" {
			p.WriteString(".PP\n")
		} else {
			p.line(l)
		}
	}
}

// Item is a term with what it means.
func (p *Page) Item(term, s string) {
	p.WriteString(".TP\n.B " + roff(term) + "\n")
	p.line(s)
}

// Verbatim is text as it stands.
func (p *Page) Verbatim(s string) {
	p.WriteString(".nf\n")
	for l := range strings.Lines(strings.TrimRight(s, "\n")) {
		p.line(strings.TrimRight(l, " \n"))
	}
	p.WriteString(".fi\n")
}
