package mta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/child"
	"github.com/sealmilter/sealmilter/milter/client"
)

// probePatience is what connecting to a socket and negotiating may take.
const probePatience = 10 * time.Second

// Reach connects to a milter's socket with the rights of user, where we are
// root: in a process of its own, since rights belong to one. That is the command
// `probe` of this program, which calls Probe.
func Reach(ctx context.Context, user, network, addr string) (asUser bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	root := os.Geteuid() == 0
	as := user
	if !root || as == "root" {
		as = ""
	}
	cmd, err := child.Command(ctx, as, "/proc/self/exe", "probe", network, addr)
	if err != nil {
		return false, err
	}
	_, err = child.Output(cmd)
	var failed *child.Failed
	switch {
	case err == nil:
		return root, nil
	case errors.As(err, &failed):
		if failed.Stderr != "" {
			err = errors.New(strings.TrimPrefix(failed.Stderr, "error: "))
		}
		return root, err
	}
	// Our own file may lie where that user cannot get at it.
	return false, fmt.Errorf("not tried as user %s: %w", user, err)
}

// Probe is Reach's other process: it connects, negotiates, and says nothing but
// what went wrong.
func Probe(network, addr string) error {
	s, err := client.Dial(network, addr)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}
