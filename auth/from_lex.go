package auth

import (
	"errors"
	"fmt"
	"strings"
)

// Kinds of token of a structured field (RFC 5322 §3.2). The specials
// < > @ , ; : are their own kinds.
const (
	tokWord   byte = 'w' // atoms and dots, and any byte from 0x80 on (RFC 6532)
	tokQuoted byte = 'q' // quoted-string with its quotes
	tokCoded  byte = 'e' // encoded word (RFC 2047 §2)
)

type token struct {
	kind  byte
	gap   bool // white space or comments before it
	doubt bool // behind a quote or parenthesis that is not closed
	pos   int
	text  string
}

// dialect is how readers differ about the same characters.
type dialect struct {
	escapes bool // a backslash quotes outside of quoted strings and comments, too
	plain   bool // parentheses are white space
	pairs   bool // letters of two bytes, the second of which may be ASCII (Shift_JIS, Big5, GBK)
	coded   bool // encoded words hold specials, and stand in quoted strings, too
	raw     bool // encoded words are words like others
}

const (
	// maxComments bounds the nesting of comments. Nobody nests more than two.
	maxComments = 50
	// maxUnclosed is how many parentheses that are not closed are looked
	// through. Behind them none begins a comment, and all text counts.
	maxUnclosed = 8
	// maxTokens bounds the words, addresses and specials of one reading. A list of
	// five thousand mailboxes has fewer, and each costs fifty times its bytes.
	maxTokens = 40_000

	specials = "<>@,;:"
)

var (
	errNested = errors.New("comments nested too deeply")
	errTokens = fmt.Errorf("more than %d words in the From field", maxTokens)
)

// lexer cuts an unfolded field value into tokens. It is linear in the value's
// length. What is not closed is text, and makes what follows doubtful.
type lexer struct {
	s        string
	i        int
	how      dialect
	words    wordFinder
	unclosed int  // parentheses
	noQuotes bool // one was not closed
	doubt    bool
}

// lex appends the tokens of s to ts.
func lex(ts []token, s string, how dialect) ([]token, error) {
	l := lexer{s: s, how: how, words: newWordFinder(s, how.coded)}
	if how.raw {
		l.words = newWordFinder("", false)
	}
	for {
		gap, err := l.gap()
		if err != nil {
			return nil, err
		}
		if l.i == len(l.s) {
			return ts, nil
		}
		t := token{gap: gap, pos: l.i, kind: l.s[l.i]}
		switch {
		case t.kind == '"' && l.quoted():
			t.kind = tokQuoted
		case strings.IndexByte(specials, t.kind) >= 0:
			l.i++
		default:
			if t.kind = tokWord; l.word() {
				t.kind = tokCoded
			}
		}
		if len(ts) == maxTokens {
			return nil, errTokens
		}
		t.text, t.doubt = s[t.pos:l.i], l.doubt
		ts = append(ts, t)
	}
}

// gap skips white space and comments (CFWS).
func (l *lexer) gap() (bool, error) {
	found := false
	for l.i < len(l.s) {
		c := l.s[l.i]
		switch {
		case c == ' ' || c == '\t' || l.how.plain && (c == '(' || c == ')'):
			l.i++
		case c == '(' && l.unclosed < maxUnclosed:
			closed, err := l.comment()
			if err != nil {
				return false, err
			}
			if !closed {
				l.unclosed++
				l.doubt = true
				return found, nil
			}
		default:
			return found, nil
		}
		found = true
	}
	return found, nil
}

// comment skips a comment with the comments in it, and nothing where it is not
// closed.
func (l *lexer) comment() (closed bool, err error) {
	depth := 0
	for i := l.i; i < len(l.s); i += l.step(i) {
		switch l.s[i] {
		case '(':
			if depth++; depth > maxComments {
				return false, errNested
			}
		case ')':
			if depth--; depth == 0 {
				l.i = i + 1
				return true, nil
			}
		case '\\':
			i++ // quoted-pair
		}
	}
	return false, nil
}

func (l *lexer) quoted() bool {
	if l.noQuotes {
		return false
	}
	for i := l.i + 1; i < len(l.s); i += l.step(i) {
		if l.how.coded {
			for n := l.words.at(i); n > 0; n = l.words.at(i) {
				i += n
			}
			if i >= len(l.s) {
				break
			}
		}
		switch l.s[i] {
		case '"':
			l.i = i + 1
			return true
		case '\\':
			i++
		}
	}
	l.noQuotes, l.doubt = true, true
	return false
}

// step is the length of the character at i.
func (l *lexer) step(i int) int {
	if l.how.pairs && i+1 < len(l.s) && isPair(l.s[i], l.s[i+1]) {
		return 2
	}
	return 1
}

// isPair reports whether two bytes may be one letter of Shift_JIS, Big5, GBK,
// GB 18030, UHC or EUC.
func isPair(a, b byte) bool {
	return a > 0x80 && a < 0xff && (b >= 0x40 && b != 0x7f || a == 0x8e || a == 0x8f)
}

// word goes over at least one character.
func (l *lexer) word() (encoded bool) {
	if n := l.words.at(l.i); n > 0 {
		l.i += n
		return true
	}
	for first := true; l.i < len(l.s); first = false {
		switch c := l.s[l.i]; {
		case c == ' ' || c == '\t' || strings.IndexByte(specials, c) >= 0:
			return false
		case !first && (c == '"' && !l.noQuotes || c == '(' && l.unclosed < maxUnclosed):
			return false
		case l.how.plain && (c == '(' || c == ')'):
			return false
		case !first && strings.HasPrefix(l.s[l.i:], "=?") && l.words.at(l.i) > 0:
			return false
		case c == '\\' && l.how.escapes && l.i+1 < len(l.s):
			l.i++
		}
		l.i = min(l.i+l.step(l.i), len(l.s))
	}
	return false
}
