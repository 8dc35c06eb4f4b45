package sendmail

import (
	"fmt"
	"strings"
)

// Name is what our milter is called in Sendmail's files.
const Name = "sealmilter"

// Timeouts is T= of our line. Sendmail's own are C:5m;S:10s;R:10s;E:5m: 10 s are
// short on a loaded host, and 5 minutes are long for a socket of this host.
const Timeouts = "C:30s;S:30s;R:30s;E:5m"

const (
	blockBegin = "dnl # sealmilter begin: sealmilter setup sendmail --undo takes these lines out"
	blockEnd   = "dnl # sealmilter end"
)

// Plan is what a set-up makes of a .mc.
type Plan struct {
	Text     string   // the whole .mc; as it was where nothing has to change
	Lines    string   // ours
	ByHand   bool     // a line for our socket stands there already, not written by set-up
	Problem  string   // it must not go on
	Warnings []string // what will not work as the admin may think
}

// Line is the .mc line of a milter. socket is in Sendmail's notation; a fault of
// the milter defers mail (F=T).
func Line(name, socket string) string {
	return fmt.Sprintf("INPUT_MAIL_FILTER(`%s', `S=%s, F=T, T=%s')dnl\n", name, socket, Timeouts)
}

// Plan adds our milter behind those that are there. The socket is in Sendmail's
// notation: unix:PATH or inet:PORT@HOST.
func (m *MC) Plan(socket string) Plan {
	p := Plan{Text: m.text, Lines: blockBegin + "\n" + Line(Name, socket) + blockEnd + "\n"}
	without, _ := Undo(m.text)
	rest := Parse(without)
	for _, f := range rest.Filters() {
		switch s := Equate(f.Spec, "S"); {
		case sameSocket(s, socket):
			p.ByHand = true
			if Equate(f.Spec, "F") != "T" {
				p.Warnings = append(p.Warnings, fmt.Sprintf("the milter %s has no F=T: while sealmilter is down, mail leaves unsigned and comes in unchecked", f.Name))
			}
		case f.Name == Name:
			p.Problem = fmt.Sprintf("a milter %s on another socket, %s, stands in the file; it was not written by set-up", Name, s)
		}
	}
	if p.Problem != "" {
		return p
	}
	if p.ByHand {
		p.Lines, p.Text = "", without
	} else {
		p.Text = rest.insert(p.Lines)
	}
	p.Warnings = append(p.Warnings, rest.rewrites()...)
	for _, c := range rest.calls {
		if list := Equate(strings.ReplaceAll(c.arg(0), ";", ","), "InputMailFilters"); c.name == "DAEMON_OPTIONS" && list != "" && !strings.Contains(list, Name) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("DAEMON_OPTIONS(%s) has milters of its own: mail to that port does not pass sealmilter", c.arg(0)))
		}
	}
	return p
}

// WithWitness adds a second milter behind all others.
func WithWitness(text, name, socket string) string {
	return Parse(text).insert(Line(name, socket))
}

// insert puts lines behind the last milter, so that they are the last, else in
// front of the mailers.
func (m *MC) insert(lines string) string {
	at := -1
	for _, c := range m.calls {
		if c.name == "MAIL_FILTER" || c.name == "INPUT_MAIL_FILTER" || c.name == "define" && c.arg(0) == filterList {
			at = nextLine(m.text, c.end)
		}
	}
	if at < 0 {
		at = len(m.text)
		for _, c := range m.calls {
			if strings.HasPrefix(c.name, "MAILER") || strings.HasPrefix(c.name, "LOCAL_RULE") || c.name == "LOCAL_CONFIG" || c.name == "LOCAL_NET_CONFIG" {
				at = strings.LastIndexByte(m.text[:c.start], '\n') + 1
				break
			}
		}
	}
	head := m.text[:at]
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	return head + lines + m.text[at:]
}

// rewrites names what changes From after the milters. Sendmail masquerades at
// delivery, so a signature over the old address breaks.
func (m *MC) rewrites() []string {
	var out []string
	for _, c := range m.calls {
		switch {
		case c.name == "MASQUERADE_AS" && c.arg(0) != "":
			out = append(out, fmt.Sprintf("MASQUERADE_AS(%s) rewrites From after sealmilter has signed: mail that it changes leaves with a broken signature; have the programs write their From as it is to be, or take it out", c.arg(0)))
		case c.name == "FEATURE" && c.arg(0) == "genericstable":
			out = append(out, "FEATURE(genericstable) rewrites From after sealmilter has signed: mail of the addresses in that table leaves with a broken signature")
		}
	}
	return out
}

// sameSocket compares two sockets in Sendmail's notation, where unix and local,
// and a plain path, are the same.
func sameSocket(a, b string) bool {
	plain := func(s string) string {
		for _, kind := range []string{"unix:", "local:"} {
			s = strings.TrimPrefix(s, kind)
		}
		return s
	}
	return plain(a) == plain(b)
}

// Undo takes our block out; found is false when there is none.
func Undo(text string) (out string, found bool) {
	var keep strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch t := strings.TrimRight(line, "\r\n"); {
		case !inside && t == blockBegin:
			inside, found = true, true
		case inside && t == blockEnd:
			inside = false
		case !inside:
			keep.WriteString(line)
		}
	}
	if inside { // somebody took the end out: what is ours cannot be told
		return text, false
	}
	return keep.String(), found
}
