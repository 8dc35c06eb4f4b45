package auth

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Kinds of token of a structured field (RFC 5322 §3.2). The specials
// < > @ , ; : are their own kinds.
const (
	tokEnd    byte = 0
	tokWord   byte = 'w' // atoms and dots, and any byte from 0x80 on (RFC 6532)
	tokQuoted byte = 'q' // quoted-string with its quotes
)

// Gaps before a token.
const (
	gapNone    byte = iota
	gapSpace        // white space, folds
	gapComment      // at least one comment
)

type token struct {
	kind byte
	gap  byte
	text string
}

// maxComments bounds the nesting of comments. Nobody nests more than two.
const maxComments = 50

// lexer cuts a field value into tokens. It is linear in the value's length.
type lexer struct {
	s string
	i int
}

var errLiteral = errors.New("domain literal in the From field")

const specials = "<>@,;:"

func (l *lexer) next() (token, error) {
	gap, err := l.gap()
	if err != nil {
		return token{}, err
	}
	if l.i == len(l.s) {
		return token{kind: tokEnd, gap: gap}, nil
	}
	start := l.i
	kind := l.s[l.i]
	switch {
	case kind == '"':
		kind, err = tokQuoted, l.quoted()
	case strings.IndexByte(specials, kind) >= 0:
		l.i++
		if kind == '@' && strings.HasPrefix(l.s[l.i:], "[") {
			// RFC 5322 §3.4.1 domain-literal: an address, and no domain.
			err = errLiteral
		}
	case kind == ')' || kind == '\\':
		// A backslash quotes in quoted strings and comments only; outside, some
		// take it for the end of a special's meaning and some do not.
		err = errors.New("stray " + string(rune(kind)))
	default:
		kind, err = tokWord, l.word()
	}
	return token{kind, gap, l.s[start:l.i]}, err
}

// gap skips white space, folds and comments (CFWS).
func (l *lexer) gap() (byte, error) {
	gap := gapNone
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case c == '(':
			if err := l.comment(); err != nil {
				return gap, err
			}
			gap = gapComment
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if err := l.step(); err != nil {
				return gap, err
			}
			gap = max(gap, gapSpace)
		default:
			return gap, nil
		}
	}
	return gap, nil
}

// step goes over one character, or over the line end of a fold. Line ends
// that fold nothing and control characters are errors wherever they stand
// (RFC 5322 §2.2): readers cut the field there, drop them, or show them.
func (l *lexer) step() error {
	c := l.s[l.i]
	switch {
	case c == '\r' || c == '\n':
		l.i++
		if c == '\r' {
			if !strings.HasPrefix(l.s[l.i:], "\n") {
				return errors.New("bare CR in the From field")
			}
			l.i++
		}
		if l.i == len(l.s) || l.s[l.i] != ' ' && l.s[l.i] != '\t' {
			return errors.New("line end in the From field")
		}
	case c < ' ' && c != '\t', c == 0x7f:
		return errors.New("control character in the From field")
	default:
		l.i++
	}
	return nil
}

// comment skips a comment with the comments in it.
func (l *lexer) comment() error {
	start, depth := l.i, 0
	for l.i < len(l.s) {
		switch l.s[l.i] {
		case '(':
			if depth++; depth > maxComments {
				return errors.New("comments nested too deeply")
			}
		case ')':
			depth--
		case '\\':
			l.i++ // quoted-pair
			if l.i == len(l.s) {
				return errComment
			}
		}
		if err := l.step(); err != nil {
			return err
		}
		if depth == 0 {
			// A reader that knows no comments sees an angle-addr here.
			if c := l.s[start:l.i]; strings.Contains(c, "<") && strings.Contains(c, "@") {
				return errors.New("address in a comment")
			}
			return nil
		}
	}
	return errComment
}

var errComment = errors.New("comment is not closed")

func (l *lexer) quoted() error {
	for l.i++; l.i < len(l.s); {
		switch l.s[l.i] {
		case '"':
			l.i++
			return nil
		case '\\':
			l.i++
			if l.i == len(l.s) {
				return errQuoted
			}
		}
		if err := l.step(); err != nil {
			return err
		}
	}
	return errQuoted
}

var errQuoted = errors.New("quoted string is not closed")

func (l *lexer) word() error {
	if n := encodedWord(l.s[l.i:]); n > 0 {
		l.i += n
		return nil
	}
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case strings.IndexByte(specials+`()\" `+"\t\r\n", c) >= 0:
			return nil
		case strings.HasPrefix(l.s[l.i:], "=?") && encodedWord(l.s[l.i:]) > 0:
			return nil
		default:
			if err := l.step(); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxEncoded is the longest encoded word that is taken as one. RFC 2047 §2
// allows 75 bytes; some software does not cut them up.
const maxEncoded = 1000

// encodedWord returns the length of the encoded word at the start of s, 0 if
// there is none (RFC 2047 §2). An "@" in it, which RFC 2047 §5 forbids, is common and no
// special; one with another special in it is not taken as a word, as readers
// that parse before they decode do not either.
func encodedWord(s string) int {
	if !strings.HasPrefix(s, "=?") {
		return 0
	}
	marks, charset := 0, 0
	for i := 2; i < min(len(s), maxEncoded); i++ {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`<>,;:()\"`, c) >= 0:
			return 0
		case c == '?' && marks == 0:
			marks, charset = 1, i
		case c == '?' && marks == 1:
			if i != charset+2 { // RFC 2047 §4: B or Q
				return 0
			}
			marks = 2
		case c == '?':
			if strings.HasPrefix(s[i:], "?=") {
				return i + 2
			}
		}
	}
	return 0
}

// hidesAddress reports whether a word without an "@" may have one for a reader
// that decodes encoded words (RFC 2047 §4) before it parses, or that decodes
// malformed ones.
func hidesAddress(w string) bool {
	if strings.Contains(w, "=40") {
		return true // Q encoding, perhaps cut up by a bare comma
	}
	i := strings.Index(w, "=?")
	if i < 0 {
		return false
	}
	parts := strings.SplitN(w[i+2:], "?", 3)
	if len(parts) < 3 || len(parts[1]) != 1 || strings.Count(w, "=?") > 1 {
		return true
	}
	// UTF-7 can write an @ without the byte.
	if charset := parts[0]; len(charset) >= 5 && strings.EqualFold(charset[:5], "utf-7") {
		return true
	}
	text, whole := strings.CutSuffix(parts[2], "?=")
	switch parts[1] {
	case "q", "Q":
		return strings.Contains(text, "@")
	case "b", "B":
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		return !whole || err != nil || strings.Contains(string(b), "@")
	}
	return true
}
