// Package words is what doctor says, in each language that it speaks. A sentence
// stands in the code in English, with the verbs of package fmt in the places of
// what varies; the tables have it in the other languages, with the same verbs.
//
// It deliberately translates no data (names, records, addresses, commands), no
// error of another room, and nothing that a script reads: levels, checks and
// owners are words of their own.
package words

import (
	"fmt"
	"strings"
)

// Lang is a language.
type Lang string

const (
	English Lang = "en"
	Korean  Lang = "ko"
)

// Parse reads a language as a user writes it.
func Parse(s string) (Lang, bool) {
	l := Lang(strings.ToLower(strings.TrimSpace(s)))
	return l, l == English || l == Korean
}

// OfLocale is the language of the first locale that is set, as LC_ALL, LC_MESSAGES and
// LANG are looked at in this order (POSIX locale(7)); English for all that we do not speak.
func OfLocale(locales ...string) Lang {
	for _, l := range locales {
		if l == "" {
			continue
		}
		name, _, _ := strings.Cut(l, ".")
		if name, _, _ = strings.Cut(name, "_"); strings.EqualFold(name, string(Korean)) {
			return Korean
		}
		return English
	}
	return English
}

// Text is what is said: sentences and data, joined. The zero value is nothing.
type Text struct{ parts []part }

type part struct {
	format string // of English; with data the text itself
	args   []any
	data   bool
}

// Say is a sentence. What is put into it may be a Text of its own. The format is a
// constant of the call, so that a test finds it.
func Say(format string, args ...any) Text { return Text{[]part{{format: format, args: args}}} }

// Data is what is the same in every language.
func Data(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{[]part{{format: s, data: true}}}
}

// And is t and then u.
func (t Text) And(u Text) Text { return Text{append(t.parts[:len(t.parts):len(t.parts)], u.parts...)} }

// Empty reports whether nothing is said.
func (t Text) Empty() bool { return len(t.parts) == 0 }

// String is the English text.
func (t Text) String() string { return t.In(English) }

// In is the text in a language; what a table lacks is said in English.
func (t Text) In(l Lang) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.data {
			b.WriteString(p.format)
			continue
		}
		args := make([]any, len(p.args))
		for i, a := range p.args {
			if inner, ok := a.(Text); ok {
				a = inner.In(l)
			}
			args[i] = a
		}
		b.WriteString(fmt.Sprintf(p.in(l), args...))
	}
	return b.String()
}

func (p part) in(l Lang) string {
	if l == Korean {
		for _, table := range []map[string]string{koreanDNS, koreanMTA, koreanHost, koreanKeys} {
			if s, ok := table[p.format]; ok {
				return s
			}
		}
	}
	return p.format
}
