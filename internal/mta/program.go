// Package mta reads this host's MTA and runs programs: it finds them, waits for them
// for so long and no longer, and connects to sockets with the rights of others.
package mta

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

// Run runs a program and returns its output; the error carries its command line and
// what it said. sbin is searched as well: an admin's PATH may lack it.
func Run(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	out, err := run(ctx, limit, name, args...)
	if err != nil {
		return out, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return out, nil
}

// Output is Run for what is asked on the way, with postconf's patience; the error
// carries the program's name alone.
func Output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := run(ctx, postconfTime, name, args...)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

func run(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
			if p := filepath.Join(dir, name); !filepath.IsAbs(name) && Exists(p) {
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
		err = fmt.Errorf("did not end within %v: %w: %w", limit, context.DeadlineExceeded, err)
	}
	return out, err
}

// Exists reports whether there is a file at path, as far as we may know.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}
