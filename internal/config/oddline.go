package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/policy/tree"
)

var (
	// fieldNoSpace: "name:value".
	fieldNoSpace = regexp.MustCompile(`^(\s*(?:- +)?)([A-Za-z_]+):([^\s:].*)$`)
	// fieldOther: "name = value", and the colon of CJK keyboards.
	fieldOther  = regexp.MustCompile(`^(\s*)([A-Za-z_]+)\s*(?:=|\x{ff1a})\s*(\S.*)$`)
	dashNoSpace = regexp.MustCompile(`^(\s*)-([^\s\-].*)$`)
	cleanField  = regexp.MustCompile(`^\s*(?:- +)*[A-Za-z_.]+:(?:\s|$)`)
	addressLike = regexp.MustCompile(`\[[0-9A-Fa-f:.]+\]:[0-9]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(?:/[0-9]+)?`)
)

// oddLine finds, at or shortly before a line that YAML cannot read, the one that
// is the reason; Line is 0 when none looks so.
func oddLine(data []byte, line int) Problem {
	const most = 50 // lines back: comments and blank lines may stand between
	lines := strings.SplitN(string(data), "\n", line+1)
	lines = lines[:min(line, len(lines))]
	names := fieldWords()
	for i := len(lines) - 1; i >= 0 && i > len(lines)-most; i-- {
		l := strings.TrimSuffix(lines[i], "\r")
		if t := strings.TrimSpace(l); t == "" || t[0] == '#' || len(l) > maxString || strings.ContainsFunc(l, unseen) {
			continue
		}
		if msg, hint := oddText(l, names, i == len(lines)-1); msg != "" {
			return Problem{Line: i + 1, Message: msg, Hint: hint}
		}
		if i < len(lines)-1 && cleanField.MatchString(l) {
			break
		}
	}
	return Problem{}
}

func oddText(l string, names []string, here bool) (msg, hint string) {
	if strings.ContainsFunc(l, oddBlank) {
		plain := strings.Map(func(r rune) rune {
			if oddBlank(r) {
				return ' '
			}
			return r
		}, l)
		if head := l[:strings.IndexFunc(l, oddBlank)]; strings.Trim(head, " -") == "" || strings.HasSuffix(head, ":") {
			return "a blank that is no plain space (a web page's, or Alt+Space)", "write " + tree.Quote(strings.TrimRight(plain, " "))
		}
	}
	if m := fieldNoSpace.FindStringSubmatch(l); m != nil && slices.Contains(names, m[2]) &&
		(strings.TrimSpace(m[1]) == "" || slices.Contains([]string{"name", "zone", "id", "addr"}, m[2])) {
		return fmt.Sprintf("no space behind %q", m[2]+":"), fmt.Sprintf("write %s%s: %s", strings.TrimLeft(m[1], " \t"), m[2], m[3])
	}
	if m := fieldOther.FindStringSubmatch(l); m != nil && slices.Contains(names, m[2]) {
		return fmt.Sprintf("%q is followed by no colon and space", m[2]), fmt.Sprintf("write %s: %s", m[2], m[3])
	}
	if m := dashNoSpace.FindStringSubmatch(l); m != nil && strings.TrimSpace(l) != "---" {
		return "no space behind the hyphen", "write - " + m[2]
	}
	if here && strings.ContainsAny(l, "[{") {
		for _, a := range addressLike.FindAllString(l, 8) {
			if isAddress(a) && !strings.Contains(l, `"`+a) && !strings.Contains(l, `'`+a) {
				return "not YAML: an address with colons between brackets", fmt.Sprintf("it needs quotes: write %q", a)
			}
		}
	}
	return "", ""
}

func isAddress(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// fieldWords are the names of all fields, without their sections.
func fieldWords() []string {
	all := Paths()
	for i, p := range all {
		all[i] = p[strings.LastIndexByte(p, '.')+1:]
	}
	return append(all, "name", "if", "action", "reply")
}

// notAMap: the file as a whole is a word or a list; one line of it may say why.
func notAMap(data []byte, problems Problems) Problems {
	for i := range problems {
		end := problems[i].Line
		if odd := oddLine(data, end); odd.Line > 0 {
			problems[i] = odd
		}
	}
	return problems
}
