package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether the configuration can be used all the same.
type Severity uint8

const (
	Error Severity = iota
	Warning
)

// Problem is one mistake in a file.
type Problem struct {
	File     string
	Line     int // 1-based; 0 when it is about the file as a whole
	Message  string
	Hint     string // what to do; may be ""
	Severity Severity
}

// String is what check prints: one line, and one more with the hint.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("\n  hint: " + p.Hint)
	}
	return b.String()
}

// Problems of one file, in the order of its lines.
type Problems []Problem

// maxProblems are shown; a file with more is of some other kind.
const maxProblems = 100

// Failed reports whether one of them is an error.
func (ps Problems) Failed() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// String has all problems, each on its own lines.
func (ps Problems) String() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// Err is nil without an error among the problems.
func (ps Problems) Err() error {
	if !ps.Failed() {
		return nil
	}
	return errors.New(strings.TrimSuffix(ps.String(), "\n"))
}

// tidy sorts by line, drops repetitions and cuts off what nobody reads.
func (ps Problems) tidy(file string) Problems {
	for i := range ps {
		ps[i].File = file
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
	ps = slices.Compact(ps)
	if n := len(ps) - maxProblems; n > 0 {
		more := Problem{File: file, Message: fmt.Sprintf("and %d more problems", n), Severity: Warning}
		if ps[maxProblems:].Failed() {
			more.Severity = Error
		}
		ps = append(ps[:maxProblems:maxProblems], more)
	}
	return ps
}

// hinted is an error with a hint.
type hinted struct{ msg, hint string }

func (e hinted) Error() string { return e.msg }

func hintOf(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}
