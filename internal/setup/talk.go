// Package setup sets the MTA of this host up to use sealmilter, and takes that
// back: keys, milter.yaml, the MTA's own files, each step proved before the next
// (docs/decisions/0007 and 0009). What is to be read and planned is in
// internal/postfix, internal/sendmail and internal/config; here it is done.
package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// Common is what both set-ups are told.
type Common struct {
	Talk
	Config       string   // path of milter.yaml, which need not exist
	Domains      []string // canonical names; none only for an undo
	DryRun, Undo bool

	done   *ledger
	locks  string // folder of the lock files; "" is lockFolder
	locked []*os.File
}

// Talk is what set-up says and asks. Questions are answered at a terminal, or
// all with yes.
type Talk struct {
	Out, Err io.Writer
	In       *bufio.Reader // nil: nobody is there to answer
	Yes      bool
	After    func(time.Duration) <-chan time.Time // nil: time.After
}

// fail ends a set-up; hint, for people, is what to do, and may be "".
func fail(hint, format string, args ...any) error { return problem.Fail(hint, format, args...) }

// say prints a line. Its format is ours, its values may be anybody's: none of them
// makes another line.
func (t Talk) say(format string, args ...any) { fmt.Fprintf(t.Out, format+"\n", plain.Args(args)...) }
func (t Talk) ok(format string, args ...any)  { t.say("ok: "+format, args...) }
func (t Talk) warn(format string, args ...any) {
	fmt.Fprintf(t.Err, "warning: "+format+"\n", plain.Args(args)...)
}
func (t Talk) section(title string)    { t.say("\n== %s", title) }
func (t Talk) wrong(text, hint string) { problem.PrintError(t.Err, errors.New(text), hint) }

// block prints lines that we put together, of files that root may write.
func (t Talk) block(lines string) {
	fmt.Fprintln(plain.Writer(t.Out), strings.TrimSuffix(lines, "\n"))
}

func (t Talk) problems(all []problem.Problem) {
	for _, p := range all {
		problem.Print(t.Err, p)
	}
}

// ask returns true for yes. It does not wait longer than ctx: nobody answers then, and
// the read is left behind for the end of the process.
func (t Talk) ask(ctx context.Context, question string) (bool, error) {
	if t.Yes {
		t.say("%s: yes (--yes)", question)
		return true, nil
	}
	if t.In == nil {
		return false, nil
	}
	fmt.Fprintf(t.Out, "%s? [y/N] ", plain.Text(question))
	answer := make(chan string, 1)
	go func() {
		line, _ := t.In.ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.Out)
		return false, errInterrupted
	case a := <-answer:
		return a == "y" || a == "yes", ended(ctx)
	}
}
