// Package problem is what is wrong, as people and scripts are told it: how bad,
// where, what, and what to do about it. Every command prints it in this one form.
package problem

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/plain"
)

// Severity of a Problem.
type Severity string

const (
	Fault   Severity = "error"   // something does not work, or will not
	Warning Severity = "warning" // it works, and somebody should know
)

// Problem is one thing that is wrong.
type Problem struct {
	Severity Severity `json:"severity"`
	Place    string   `json:"place"` // FILE:LINE, the path of a key
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"` // what to do: as a rule a line to paste
}

// Print writes it, each part in its line: "error: PLACE: message", and below it
// "hint: ...".
func Print(w io.Writer, p Problem) {
	fmt.Fprintf(w, "%s: %s: %s\n", plain.Text(string(p.Severity)), plain.Text(p.Place), plain.Text(p.Message))
	hint(w, p.Hint)
}

// Faults reports whether one of them is more than a warning.
func Faults(list []Problem) bool {
	return slices.ContainsFunc(list, func(p Problem) bool { return p.Severity == Fault })
}

// Error ends what a command does, with what to do about it.
type Error struct {
	Err  error
	Hint string // may be ""
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Fail makes an Error; format and args are those of fmt.Errorf.
func Fail(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint}
}

// Hint is the hint of an error, "" without one.
func Hint(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// ErrShown ends a command whose problems are printed already.
var ErrShown = errors.New("problems found")

// PrintError writes an error in the same form, with a hint.
func PrintError(w io.Writer, err error, text string) {
	fmt.Fprintf(w, "error: %s\n", plain.Text(strings.TrimSuffix(err.Error(), ".")))
	hint(w, text)
}

func hint(w io.Writer, text string) {
	if text != "" {
		fmt.Fprintf(w, "hint: %s\n", plain.Text(text))
	}
}
