package postfix

import (
	"strings"

	"github.com/sealmilter/sealmilter/internal/postfix/version"
)

// Values are the parameters in force, as postconf(1) prints them, defaults
// included.
type Values map[string]string

// ParseValues reads what postconf(1) prints.
func ParseValues(out string) Values {
	v := Values{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(line, "="); ok {
			v[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return v
}

// Expand puts values in the place of $name, ${name} and $(name). Conditional
// forms stay as they are.
func (v Values) Expand(s string) string {
	left := maxReferences
	return v.expand(s, 0, &left)
}

const (
	// maxDepth ends a loop of parameters that name each other.
	maxDepth = 10
	// maxReferences ends one that grows on the way: a = $a$a.
	maxReferences = 1000
)

func (v Values) expand(s string, depth int, left *int) string {
	if depth > maxDepth || !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			break
		}
		name, rest := reference(after)
		value, known := v[name]
		switch {
		case strings.HasPrefix(after, "$"): // $$ is one $
			b.WriteByte('$')
			rest = after[1:]
		case name == "" || !known || *left == 0:
			b.WriteString("$" + after[:len(after)-len(rest)])
		default:
			*left--
			b.WriteString(v.expand(value, depth+1, left))
		}
		s = rest
	}
	return b.String()
}

// reference reads the name behind a $. The name comes first and its bracket
// after it, so that brackets without an end are not looked for again and again.
func reference(s string) (name, rest string) {
	closing := ""
	after := s
	if s != "" {
		closing = map[byte]string{'{': "}", '(': ")"}[s[0]]
		after = s[len(closing):]
	}
	rest = strings.TrimLeft(after, wordBytes)
	name = after[:len(after)-len(rest)]
	rest, ok := strings.CutPrefix(rest, closing)
	if !ok {
		return "", s
	}
	return name, rest
}

const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// Get is an expanded value.
func (v Values) Get(name string) string { return v.Expand(v[name]) }

// atLeast compares mail_version with major.minor; one that cannot be read is
// older than all.
func (v Values) atLeast(major, minor int) bool {
	n, _ := version.Parse(v["mail_version"])
	return n.AtLeast(major, minor)
}

// HidesFirst: see version.Version.
func (v Values) HidesFirst() bool {
	n, _ := version.Parse(v["mail_version"])
	return n.HidesFirst()
}

// chrootDefault is what "-" in the chroot column means. master(5): no, before
// Postfix 3.0 yes; with compatibility_level 0 the old default stays in force.
func (v Values) chrootDefault() bool {
	return !v.atLeast(3, 0) || strings.HasPrefix(v.Get("compatibility_level")+".", "0.") || v["compatibility_level"] == ""
}

// Chrooted reports whether the service runs with the queue directory as its
// root.
func (v Values) Chrooted(s Service) bool {
	switch s.Chroot {
	case "y":
		return true
	case "n":
		return false
	}
	return v.chrootDefault()
}
