package publisher

import "strings"

// token is a word, a text in quotes, or one of { } ;
type token struct {
	text string
	line int
	mark bool // one of { } ;
}

// lex cuts BIND's configuration into tokens, without its three kinds of comments.
// ok is false for quotes and comments without an end.
func lex(text string) (all []token, line int, ok bool) {
	line = 1
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#' || strings.HasPrefix(rest, "//"):
			if n := strings.IndexByte(rest, '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return all, line, false
			}
			line += strings.Count(rest[:n+4], "\n")
			i += n + 4
		case c == '{' || c == '}' || c == ';':
			all = append(all, token{text: string(c), line: line, mark: true})
			i++
		case c == '"':
			n := strings.IndexAny(rest[1:], "\"\n")
			if n < 0 || rest[1+n] == '\n' {
				return all, line, false
			}
			all = append(all, token{text: rest[1 : 1+n], line: line})
			i += n + 2
		default:
			n := strings.IndexAny(rest, " \t\r\n{};\"#")
			if n < 0 {
				n = len(rest)
			}
			all = append(all, token{text: rest[:n], line: line})
			i += n
		}
	}
	return all, line, true
}

// parseBind reads key NAME { algorithm WORD; secret TEXT; };
func parseBind(text string) (k keyText, err error) {
	tokens, last, ok := lex(text)
	if k.line = last; !ok {
		return k, errForm
	}
	next := func() token {
		if len(tokens) == 0 {
			return token{line: last, mark: true}
		}
		t := tokens[0]
		tokens, k.line = tokens[1:], t.line
		return t
	}
	mark := func(s string) bool { t := next(); return t.mark && t.text == s }
	if t := next(); t.mark || t.text != "key" {
		return k, errForm
	}
	name := next()
	if name.mark {
		return k, errForm
	}
	if err := k.setName(name.text); err != nil {
		return k, err
	}
	if !mark("{") {
		return k, errForm
	}
	for {
		word := next()
		if word.mark && word.text == "}" {
			break
		}
		value := next()
		if word.mark || value.mark {
			return k, errForm
		}
		switch {
		case word.text == "algorithm" && k.algorithm == "":
			err = k.setAlgorithm(value.text)
		case word.text == "secret" && k.secret == nil:
			err = k.setSecret(value.text)
		default:
			err = errForm
		}
		if err != nil {
			return k, err
		}
		if !mark(";") {
			return k, errForm
		}
	}
	if k.algorithm == "" || k.secret == nil {
		return k, errForm
	}
	if len(tokens) > 0 && !mark(";") || len(tokens) > 0 && tokens[0].text != "key" {
		return k, errForm
	}
	if len(tokens) > 0 {
		k.line = tokens[0].line
		return k, errSeveral
	}
	return k, nil
}
