package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

func newSetup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "set this host's mail server up to use sealmilter",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSetupPostfix(), newSetupSendmail(), newSetupProbe())
	return cmd
}

// talk is what set-up says and asks. Questions are answered at a terminal, or
// all with yes by --yes.
type talk struct {
	out, err io.Writer
	in       *bufio.Reader // nil: nobody is there to answer
	yes      bool
}

func newTalk(cmd *cobra.Command, yes bool) talk {
	t := talk{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), yes: yes}
	if isTerminal(os.Stdin) {
		t.in = bufio.NewReader(os.Stdin)
	}
	return t
}

// isTerminal: /dev/null, a character device too, has no terminal's settings.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (t talk) say(format string, args ...any)  { fmt.Fprintf(t.out, format+"\n", args...) }
func (t talk) ok(format string, args ...any)   { t.say("ok: "+format, args...) }
func (t talk) warn(format string, args ...any) { fmt.Fprintf(t.err, "warning: "+format+"\n", args...) }
func (t talk) section(title string)            { t.say("\n== %s", title) }

// ask returns true for yes.
func (t talk) ask(question string) bool {
	if t.yes {
		t.say("%s: yes (--yes)", question)
		return true
	}
	if t.in == nil {
		return false
	}
	fmt.Fprintf(t.out, "%s? [y/N] ", question)
	line, _ := t.in.ReadString('\n')
	line = strings.ToLower(strings.TrimSpace(line))
	return line == "y" || line == "yes"
}

// runProgram runs a program and returns its output; the error carries what it said.
// sbin is searched as well: an admin's PATH may lack it.
func runProgram(ctx context.Context, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
			if p := filepath.Join(dir, name); !filepath.IsAbs(name) && exists(p) {
				path, err = p, nil
				break
			}
		}
	}
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		said := strings.TrimSpace(stderr.String() + string(out))
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said)
	}
	return string(out), err
}

// canonicalDomains puts the domains of --domain into their canonical form, in
// place. Only an undo needs none.
func canonicalDomains(domains []string, undo bool, mta string) error {
	if len(domains) == 0 && !undo {
		return &failure{
			err:  errors.New("which domain? --domain is missing"),
			hint: "the part behind the @ of your addresses: sealmilter setup " + mta + " --domain example.com",
			code: exitUsage,
		}
	}
	for i, d := range domains {
		name, err := resolve.CanonicalName(d)
		if err != nil {
			return badDomain(err)
		}
		domains[i] = name
	}
	return nil
}
