package conformance

import (
	"regexp"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// difference is where another engine does not do what RFC 6376 says, seen in a
// signature that does not verify. docs/decisions/0011 has the reasons; a
// signature that none of them explains fails the test.
type difference struct {
	engine string // how its name begins
	name   string
	// holds reports whether it may show in a signature of form f.
	holds func(g generated, f form) bool
}

var differences = []difference{
	{"go-msgauth", "b= inside i=", func(_ generated, f form) bool { return strings.Contains(f.auid, "b=") }},
	{"go-msgauth", "CR by itself in a relaxed body", func(g generated, f form) bool { return f.body == "relaxed" && loneCR.MatchString(g.body) }},
	{"go-msgauth", "CR by itself in a relaxed field", func(g generated, f form) bool {
		return f.header == "relaxed" && anyField(g, func(h header.Field) bool { return loneCR.MatchString(h.Value) })
	}},
	{"python3-dkim", "white space before the colon", func(g generated, _ form) bool {
		return anyField(g, func(h header.Field) bool { return strings.TrimRight(h.Name, " \t") != h.Name })
	}},
	{"python3-dkim", "control character at the end of a relaxed field", func(g generated, f form) bool {
		return f.header == "relaxed" && anyField(g, func(h header.Field) bool { return edgeControl.MatchString(h.Value) })
	}},
	{"python3-dkim", "relaxed body whose last line has no end, but white space", func(g generated, f form) bool {
		return f.body == "relaxed" && unterminated(g) && strings.TrimRight(g.body, " \t") != g.body
	}},
	{"Mail::DKIM", "control character at the end of a relaxed field", func(g generated, f form) bool {
		return f.header == "relaxed" && anyField(g, func(h header.Field) bool { return edgeControl.MatchString(h.Value) })
	}},
	{"Mail::DKIM", "simple body whose last line has no end", func(g generated, f form) bool { return f.body == "simple" && unterminated(g) }},
}

var (
	loneCR = regexp.MustCompile(`\r(?:[^\n]|\z)`)
	// edgeControl is a control character that many languages call white space,
	// and RFC 5234's WSP does not include, at either end of a value.
	edgeControl = regexp.MustCompile(`\A\s*[\v\f\r]|[\v\f\r]\s*\z`)
)

func anyField(g generated, is func(header.Field) bool) bool {
	for _, f := range g.fields {
		if is(f) {
			return true
		}
	}
	return false
}

// unterminated: SMTP's DATA cannot make such a body, BDAT can.
func unterminated(g generated) bool { return g.body != "" && !strings.HasSuffix(g.body, "\r\n") }

// explain names the difference that may be why a signature does not verify, ""
// for none.
func explain(engine string, g generated, f form) string {
	for _, d := range differences {
		if strings.HasPrefix(engine, d.engine) && d.holds(g, f) {
			return d.name
		}
	}
	return ""
}
