// Package query is what can be known about a query of the configuration without
// a database: that it is one statement, that it reads, and where its argument
// stands.
//
// It does not parse SQL: tables, columns and grammar are the database's to judge,
// and what a query may do there is a matter of GRANT.
package query

import (
	"fmt"
	"strings"
)

// The drivers, as the configuration names them.
const (
	MySQL    = "mysql"
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// maxText is more than anybody writes into a configuration.
const maxText = 4096

// Fault is what is wrong with a query, and what to do about it.
type Fault struct{ Message, Hint string }

func (f *Fault) Error() string { return f.Message }

// Check reports what is wrong with a query of that driver, which takes one
// argument or none; nil when nothing is.
func Check(driver, text string, argument bool) *Fault {
	if strings.TrimSpace(text) == "" {
		return &Fault{"the query is empty", "such as SELECT DomainName FROM domains_table"}
	}
	if len(text) > maxText {
		return &Fault{fmt.Sprintf("the query is longer than %d bytes", maxText), "make a view of it"}
	}
	if f := postfixForm(text, argument); f != nil {
		return f
	}
	bare, fault := outside(driver, text)
	if fault != nil {
		return fault
	}
	bare = strings.TrimRight(bare, " ;")
	if strings.Contains(bare, ";") {
		return &Fault{"the query is more than one statement", "one SELECT"}
	}
	words := strings.FieldsFunc(strings.ToUpper(bare), func(r rune) bool {
		return r != '_' && r != '$' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && r < 0x80
	})
	if len(words) == 0 || words[0] != "SELECT" && words[0] != "WITH" {
		return &Fault{"the query does not begin with SELECT", "only what reads is asked"}
	}
	for _, w := range words {
		switch w {
		case "INTO", "INSERT", "UPDATE", "DELETE":
			return &Fault{"the query has the word " + w, "only what reads is asked; a column of that name wants quotes"}
		}
	}
	return placeholders(driver, bare, argument)
}

// postfixForm finds the argument of Postfix's tables (mysql_table(5)) in place of ours.
func postfixForm(text string, argument bool) *Fault {
	for _, word := range []string{"'%s'", "'%d'", "'%u'"} {
		if !strings.Contains(text, word) {
			continue
		}
		if argument {
			return &Fault{word + " is how Postfix writes an argument", "write ? in its place, without quotes"}
		}
		return &Fault{word + " asks for one name, and this query must list all of them", "take that condition away, such as SELECT DomainName FROM domains_table"}
	}
	return nil
}

func placeholders(driver, bare string, argument bool) *Fault {
	marks, numbered := strings.Count(bare, "?"), 0
	if driver == Postgres {
		for i := range len(bare) - 1 {
			if bare[i] != '$' || bare[i+1] < '0' || bare[i+1] > '9' {
				continue
			}
			numbered++
			if bare[i+1] != '1' || i+2 < len(bare) && bare[i+2] >= '0' && bare[i+2] <= '9' {
				return &Fault{"the query has another argument than $1", "there is one, $1"}
			}
		}
		if numbered > 0 {
			marks = 0 // ? is an operator of jsonb
		}
	}
	switch {
	case !argument && marks+numbered > 0:
		return &Fault{"the query wants an argument, and there is none", "it must list all, such as SELECT DomainName FROM domains_table"}
	case argument && marks+numbered == 0:
		return &Fault{"the query has no ? for its argument", "such as SELECT source FROM alias_table WHERE destination = ?"}
	case argument && marks > 1:
		return &Fault{fmt.Sprintf("the query has %d arguments", marks), "there is one ?"}
	}
	return nil
}

// ForDriver is a query that passed Check in the driver's own form: without an end
// mark, and with $1 for PostgreSQL.
func ForDriver(driver, text string) string {
	bare, fault := outside(driver, text)
	if fault != nil {
		return text
	}
	text = text[:len(strings.TrimRight(bare, " ;"))]
	if driver != Postgres || strings.Contains(bare, "$1") {
		return text
	}
	if i := strings.IndexByte(bare, '?'); i >= 0 {
		text = text[:i] + "$1" + text[i+1:]
	}
	return text
}

// outside is the query with blanks in the place of all that stands in quotes.
// Comments and backslashes are refused: what ends a quote would depend on the
// database and its modes.
func outside(driver, text string) (string, *Fault) {
	out := []byte(text)
	for i := 0; i < len(out); i++ {
		c := out[i]
		next := byte(0)
		if i+1 < len(out) {
			next = out[i+1]
		}
		end := byte(0)
		switch {
		case c == '\\':
			return "", &Fault{"the query has a backslash", "write it without"}
		case c < ' ' || c == 0x7f:
			out[i] = ' '
		case c == '-' && next == '-', c == '/' && next == '*', c == '#' && driver == MySQL:
			return "", &Fault{"the query has a comment", "leave it away"}
		case c == '$' && driver == Postgres && (next < '0' || next > '9'):
			return "", &Fault{"the query has quotes of dollars", "take '...'"}
		case c == '\'' || c == '"' || c == '`' && driver != Postgres:
			end = c
		case c == '[' && driver == SQLite:
			end = ']'
		}
		if end == 0 {
			continue
		}
		n := strings.IndexByte(text[i+1:], end)
		if n < 0 {
			return "", &Fault{fmt.Sprintf("a quote of the query does not end: %c", c), ""}
		}
		if strings.ContainsRune(text[i+1:i+1+n], '\\') {
			return "", &Fault{"the query has a backslash", "write it without"}
		}
		// The quotes stay: an end mark between two of them is no end.
		for j := i + 1; j < i+1+n; j++ {
			out[j] = ' '
		}
		i += n + 1
	}
	return string(out), nil
}
