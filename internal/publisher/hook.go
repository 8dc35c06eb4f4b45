package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/child"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// HookConfig says what to run.
type HookConfig struct {
	// Path is a program of root's or of the daemon's user, which nobody else can
	// change.
	Path string
	// Timeout ends it, with what it has started; 0: 2 min.
	Timeout time.Duration
}

const (
	defaultHookTimeout = 2 * time.Minute
	// maxSaid is how much of what it says is told when it fails.
	maxSaid = 4 << 10
	// exitLater is EX_TEMPFAIL of sysexits.h.
	exitLater = 75
)

type hook struct {
	path    string
	timeout time.Duration
}

// NewHook checks the program; it is not run yet.
//
// It is run as PROGRAM publish, or PROGRAM remove, with the record in SEALMILTER_NAME,
// SEALMILTER_VALUE, SEALMILTER_TTL and, as a line of a zone file, SEALMILTER_BIND;
// with the action again in SEALMILTER_ACTION; and for a name s1._domainkey.example.com
// with SEALMILTER_SELECTOR and SEALMILTER_DOMAIN. Beside them it has PATH, LANG and
// LC_ALL, /dev/null to read from, and / for its folder. Its exit code is 0 when the
// record is there or gone, and 75 (EX_TEMPFAIL) when it is to be tried again.
func NewHook(cfg HookConfig) (Publisher, error) {
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("timeout %v is negative", cfg.Timeout)
	}
	if _, err := trusted(cfg.Path); err != nil {
		return nil, err
	}
	return &hook{cfg.Path, cmp.Or(cfg.Timeout, defaultHookTimeout)}, nil
}

// Publish implements Publisher.
func (h *hook) Publish(ctx context.Context, c Change) error {
	if err := c.check(); err != nil {
		return err
	}
	path, err := trusted(h.path) // it may have changed since we started
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	action := "publish"
	if c.Remove {
		action = "remove"
	}
	cmd, err := child.Command(ctx, "", path, action)
	if err != nil {
		return err
	}
	said := &head{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(cmd.Env, c.environment(action)...)
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // it has ended well; what it started holds the pipe
		err = nil
	}
	return h.told(ctx, err, said)
}

// told makes an error of how it ended.
func (h *hook) told(ctx context.Context, err error, said *head) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("hook %s: ended with us: %w", h.path, ErrLater)
	case ctx.Err() != nil:
		return problem.Fail("it must end within "+h.timeout.String(), "hook %s: did not end in time: %w%s", h.path, ErrLater, said)
	case errors.As(err, &exit) && exit.ExitCode() == exitLater:
		return problem.Fail("", "hook %s: %w%s", h.path, ErrLater, said)
	case errors.As(err, &exit):
		return problem.Fail("exit code 0: done; 75: try again later", "hook %s: %w%s", h.path, err, said)
	}
	return problem.Fail("it must be a program, or a script that begins with #! and its interpreter", "hook %s: %w", h.path, err)
}

// environment has values of printable ASCII only (check).
func (c Change) environment(action string) []string {
	selector, domain, ok := strings.Cut(c.Name, "._domainkey.")
	if !ok {
		selector, domain = "", ""
	}
	line := ""
	if !c.Remove {
		line = c.line()
	}
	return []string{
		"SEALMILTER_ACTION=" + action,
		"SEALMILTER_NAME=" + c.Name,
		"SEALMILTER_VALUE=" + c.Value,
		fmt.Sprintf("SEALMILTER_TTL=%d", c.TTL),
		"SEALMILTER_DOMAIN=" + domain,
		"SEALMILTER_SELECTOR=" + selector,
		"SEALMILTER_BIND=" + line,
	}
}

// head keeps the beginning of what is written, and lets the writer write on.
type head struct {
	text []byte
	more bool
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), maxSaid-len(h.text))
	h.text = append(h.text, p[:n]...)
	h.more = h.more || n < len(p)
	return len(p), nil
}

// String is the end of an error's text.
func (h *head) String() string {
	text := strings.TrimSpace(string(h.text))
	if text == "" {
		return ""
	}
	if h.more {
		text += " ..."
	}
	return ": " + text
}
