// Package setup sets the MTA of this host up to use sealmilter, and takes that
// back: keys, milter.yaml, the MTA's own files, each step proved before the next
// (docs/decisions/0007 and 0009). What is to be read and planned is in
// internal/postfix, internal/sendmail and internal/config; here it is done.
package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/keys"
)

// Common is what both set-ups are told.
type Common struct {
	Talk
	Config       string   // path of milter.yaml, which need not exist
	Domains      []string // canonical names; none only for an undo
	DryRun, Undo bool

	// LoadKeys reads the keys of sign.domains.
	LoadKeys func(*config.Config) (*keys.Store, []keys.Problem)
	// Prove has a key sign, and a second implementation verify it.
	Prove func(*keys.Key) error

	locks  string // folder of the lock files; "" is lockFolder
	locked []*os.File
}

// Talk is what set-up says and asks. Questions are answered at a terminal, or
// all with yes.
type Talk struct {
	Out, Err io.Writer
	In       *bufio.Reader // nil: nobody is there to answer
	Yes      bool
	// Problem prints what is wrong with a configuration.
	Problem func(config.Problem)
}

// Failure ends a set-up. Hint, for people, is what to do; it may be "".
type Failure struct {
	Err  error
	Hint string
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

func fail(hint, format string, args ...any) error {
	return &Failure{Err: fmt.Errorf(format, args...), Hint: hint}
}

// ErrShown ends a set-up whose problems are printed already.
var ErrShown = errors.New("problems found")

func (t Talk) say(format string, args ...any)  { fmt.Fprintf(t.Out, format+"\n", args...) }
func (t Talk) ok(format string, args ...any)   { t.say("ok: "+format, args...) }
func (t Talk) warn(format string, args ...any) { fmt.Fprintf(t.Err, "warning: "+format+"\n", args...) }
func (t Talk) section(title string)            { t.say("\n== %s", title) }

func (t Talk) wrong(text, hint string) {
	fmt.Fprintf(t.Err, "error: %s\n", text)
	if hint != "" {
		fmt.Fprintf(t.Err, "hint: %s\n", hint)
	}
}

// ask returns true for yes.
func (t Talk) ask(question string) bool {
	if t.Yes {
		t.say("%s: yes (--yes)", question)
		return true
	}
	if t.In == nil {
		return false
	}
	fmt.Fprintf(t.Out, "%s? [y/N] ", question)
	line, _ := t.In.ReadString('\n')
	line = strings.ToLower(strings.TrimSpace(line))
	return line == "y" || line == "yes"
}
