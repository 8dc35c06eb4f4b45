package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/child"
)

// programFor bounds every program. A restart of the daemon may take the 90 s of
// its TimeoutStopSec=.
const programFor = 3 * time.Minute

// runProgram runs a program and returns its output; the error carries what it said.
// sbin is searched as well: an admin's PATH may lack it.
func runProgram(ctx context.Context, name string, args ...string) (string, error) {
	return runFor(ctx, programFor, name, args...)
}

func runFor(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
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
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd, err := child.Command(limited, "", path, args...)
	if err != nil {
		return "", err
	}
	out, err := child.Output(cmd)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return out, fmt.Errorf("%s %s: did not end within %v: %w: %w", name, strings.Join(args, " "), limit, context.DeadlineExceeded, err)
	}
	if err != nil {
		return out, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return out, nil
}

// exists reports whether there is a file at path, as far as we may know.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}
