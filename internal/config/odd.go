package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// What people type that YAML takes for something else. It is looked at only
// where a file or a value is wrong already, or is never meant as it stands.

// curly are the quotes of word processors and web pages, which YAML takes for
// letters.
const curly = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb"

// oddBlank: a blank that is none for YAML, such as the no-break space of a web page.
func oddBlank(r rune) bool {
	return r > 0x7f && (unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' || r == '\u2060')
}

// mended are what was probably meant by s, and why s is not that.
func mended(s string) (all []mend) {
	if t := strings.Trim(s, curly); t != s && t != "" {
		all = append(all, mend{"curly quotes are letters to YAML: write ", t, ""})
	}
	if t := strings.TrimFunc(s, oddBlank); t != s && t != "" {
		all = append(all, mend{"a blank that is no plain space stands beside it: write ", t, ""})
	}
	if i := strings.IndexByte(s, '#'); i > 0 && !strings.ContainsFunc(s, unseen) {
		all = append(all, mend{"a comment needs a space before its #: write ", s[:i], " " + s[i:]})
	}
	return all
}

type mend struct{ why, value, rest string }

// plainWord: YAML reads the word as itself, without quotes.
func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, unseen) && !strings.ContainsAny(s, "#,[]{}&*!|>'\"%@`") && !strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") && !strings.HasPrefix(s, ":") && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "?")
}

// unseen: nothing that a hint could show as it is.
func unseen(r rune) bool { return r != '\t' && !unicode.IsPrint(r) && !oddBlank(r) }

func word(s string) string {
	if plainWord(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}

// separate splits what stands between blanks, commas or semicolons.
func separate(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || oddBlank(r) })
}

func flowList(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = word(w)
	}
	return strings.Join(out, ", ")
}

// misplaced are names that people look for at another place than we have them.
var misplaced = map[string]string{
	"selector":  "selectors belong to their domain: domains: [{name: example.com, selectors: [s1]}], in sign",
	"selectors": "selectors belong to their domain: domains: [{name: example.com, selectors: [s1]}], in sign",
	"domain":    "the domains to sign for are a list: domains: [example.com], in sign",
}

// meant is the hint for a value that is wrong, "" when nothing better than the
// error's own is known. v is overwritten.
func meant(v reflect.Value, n *tree.Node, path string, tag reflect.StructTag) string {
	s := n.Scalar
	if len(s) > maxString {
		return ""
	}
	for _, m := range mended(s) {
		if setText(v, m.value, tag) == nil {
			return m.why + word(m.value) + m.rest
		}
	}
	words := separate(s)
	if !strings.HasSuffix(path, "]") || len(words) < 2 || len(words) > 50 {
		return ""
	}
	for _, w := range words {
		if setText(v, w, tag) != nil || tag.Get("check") == "domain" && !strings.Contains(w, ".") {
			return ""
		}
	}
	return "these are " + fmt.Sprint(len(words)) + " entries; commas stand between: write " + flowList(words)
}

// lettersAsQuotes: curly quotes around a value that is no path and no free text.
// Some are mapped to something in a domain name, so that it would pass.
func lettersAsQuotes(s string, tag reflect.StructTag) bool {
	_, words := tag.Lookup("words")
	return (words || tag.Get("check") != "" && tag.Get("check") != "path") && strings.Trim(s, curly) != s
}

// oddWords warns of curly quotes around a word of the rules, which may be meant.
func (d *decoder) oddWords(n *tree.Node) {
	for i := range n.Items {
		d.oddWords(&n.Items[i])
	}
	if s := n.Scalar; !n.Quoted && len(s) <= maxString && strings.ContainsAny(s, curly) {
		if t := strings.TrimLeft(s, curly); t != s && strings.TrimRight(t, curly) != t {
			d.problems = append(d.problems, Problem{Line: n.Line, Severity: Warning, Message: "curly quotes are part of " + tree.Quote(s),
				Hint: "curly quotes are letters to YAML: write " + word(strings.Trim(s, curly))})
		}
	}
}

// oddValue warns of values that are possible and hardly meant.
func (d *decoder) oddValue(n *tree.Node, v reflect.Value, path string, tag reflect.StructTag) {
	switch x := v.Addr().Interface().(type) {
	case *netip.Prefix:
		if net, ok := tree.NoMask(*x); ok && !strings.Contains(n.Scalar, "/") {
			d.warnAt(path, fmt.Sprintf("%s: %s is one address; was the network meant?", path, x.Addr()), fmt.Sprintf("write %s for the network, %s for the one address", net, x))
		}
	case *string:
		if i := strings.IndexByte(n.Scalar, '#'); i > 0 && !n.Quoted && !strings.ContainsFunc(n.Scalar, unseen) && tag.Get("check") == "path" {
			d.warnAt(path, fmt.Sprintf("%s: # is part of %s", path, tree.Quote(n.Scalar)), "a comment needs a space before its #: write "+n.Scalar[:i]+" "+n.Scalar[i:])
		}
	}
}

// notAList is the hint for a value in the place of a list.
func notAList(n *tree.Node) string {
	switch {
	case n.Kind == tree.Map && len(n.Keys) > 0:
		return fmt.Sprintf(`each entry begins with a hyphen: "- %s:"`, word(n.Keys[0].Scalar))
	case n.Kind == tree.Map:
		return "write [] for none"
	case len(n.Scalar) > maxString:
		return "write [a, b, c]"
	case !n.Quoted && strings.HasPrefix(n.Scalar, "-") && len(n.Scalar) > 1:
		first, _, _ := strings.Cut(strings.TrimLeftFunc(n.Scalar[1:], oddBlank), " ")
		return fmt.Sprintf("a hyphen needs a space behind it: write - %s", word(first))
	}
	words := separate(n.Scalar)
	return fmt.Sprintf("write [%s]", flowList(words))
}

// colonHint: an address that ends in a colon is a name to YAML, and so is {user}.
func colonHint(n *tree.Node) string {
	if n.Kind == tree.Map && len(n.Keys) == 1 && n.Items[0].Kind == tree.Null {
		if w := "{" + n.Keys[0].Scalar + "}"; w == "{user}" {
			return fmt.Sprintf("braces are a map to YAML: write %q", w)
		}
		if a := n.Keys[0].Scalar + ":"; isAddress(a) {
			return fmt.Sprintf("an address that ends in a colon needs quotes: write %q", a)
		}
	}
	return ""
}

// misspelled: a name of the file was probably meant to be this one.
func (d *decoder) misspelled(name string) bool {
	want := fmt.Sprintf("did you mean %q?", name)
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Hint == want })
}
