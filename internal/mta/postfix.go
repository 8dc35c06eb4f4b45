package mta

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/child"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

// postconfTime is what postconf and its like may take.
const postconfTime = 20 * time.Second

// FindPostconf looks where PATH of an ordinary user does not, too.
func FindPostconf() (string, bool) {
	if p, err := exec.LookPath("postconf"); err == nil {
		return p, true
	}
	for _, p := range []string{"/usr/sbin/postconf", "/usr/local/sbin/postconf"} {
		if Exists(p) {
			return p, true
		}
	}
	return "", false
}

// Refusal is why Postfix cannot read its configuration, in its own words, and what
// to do. ok is false when it is not Postfix that says so: no program, no time.
func Refusal(err error) (said, hint string, ok bool) {
	var failed *child.Failed
	if !errors.As(err, &failed) {
		return "", "", false
	}
	for line := range strings.Lines(failed.Stderr) {
		if _, text, fatal := strings.Cut(line, "fatal: "); fatal {
			said = strings.TrimSpace(text)
		}
	}
	switch {
	case said == "":
		return "", "", false
	case strings.HasPrefix(said, "open ") && strings.Contains(said, "main.cf: No such file"):
		return said, `Postfix is installed without a configuration: dpkg-reconfigure postfix, and choose "Internet Site" (its "No configuration" makes no main.cf)`, true
	}
	return said, "correct that line; postconf says when it is good", true
}

// Postfix reads the effective values of the parameters in names, and master.cf; dir
// is the configuration's folder where it is not Postfix's own.
func Postfix(ctx context.Context, postconf, dir string, names []string) (main postfix.Values, master string, err error) {
	var base []string
	if dir != "" {
		base = []string{"-c", dir}
	}
	names = append(names[:len(names):len(names)], "config_directory")
	// -x expands $name; before Postfix 2.10 it does not exist.
	out, err := Output(ctx, postconf, append(append(base[:len(base):len(base)], "-x"), names...)...)
	if err != nil {
		out, err = Output(ctx, postconf, append(base[:len(base):len(base)], names...)...)
	}
	if err != nil {
		return nil, "", err
	}
	main = postfix.ParseValues(out)
	if dir == "" {
		dir = main["config_directory"]
	}
	text, err := os.ReadFile(filepath.Join(dir, "master.cf"))
	return main, string(text), err
}
