package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealmilter/sealmilter/internal/mta"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "probe" { // doctor's other process is our own program again
		main()
	}
	testscript.Main(m, map[string]func(){"sealmilter": main})
}

// TestScripts runs the command lines of testdata/script as a user types them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand": expand,
			"mode":   mode,
			"fails":  exits(exitProblems),
			"usage":  exits(exitUsage),
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "configured":
				return mta.Exists(defaultConfig), nil
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// exits makes a command that runs sealmilter and wants this exit code:
// "! exec" takes any but 0.
func exits(want int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		err := ts.Exec("sealmilter", args...)
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		var e *exec.ExitError
		if !errors.As(err, &e) || e.ExitCode() != want {
			ts.Fatalf("sealmilter %s: %v, want exit code %d", strings.Join(args, " "), err, want)
		}
	}
}

// expand FILE... puts the script's folder in the place of $WORK.
func expand(ts *testscript.TestScript, neg bool, files []string) {
	if neg || len(files) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	for _, f := range files {
		text := strings.ReplaceAll(ts.ReadFile(f), "$WORK", ts.Getenv("WORK"))
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(text), 0o644))
	}
}

// mode OCTAL FILE... fails unless each file has exactly this mode.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode OCTAL FILE...")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	for _, f := range args[1:] {
		info, err := os.Stat(ts.MkAbs(f))
		ts.Check(err)
		if got := info.Mode().Perm(); got != fs.FileMode(want) {
			ts.Fatalf("%s has mode %04o, not %04o", f, got, want)
		}
	}
}
