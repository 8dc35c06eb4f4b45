package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// programFor bounds every program. A restart of the daemon may take the 90 s of
	// its TimeoutStopSec=.
	programFor = 3 * time.Minute
	// lettingGo is how long what a killed program has started may hold its output.
	lettingGo = time.Second
)

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
	cmd := exec.CommandContext(limited, path, args...)
	var stderr strings.Builder
	cmd.Stderr, cmd.WaitDelay = &stderr, lettingGo
	out, err := cmd.Output()
	if ctx.Err() == nil && limited.Err() != nil {
		return string(out), fmt.Errorf("%s %s: did not end within %v: %w %s", name, strings.Join(args, " "), limit, context.DeadlineExceeded, strings.TrimSpace(stderr.String()))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		said := strings.TrimSpace(stderr.String() + string(out))
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said)
	}
	return string(out), err
}

// exists reports whether there is a file at path, as far as we may know.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}
