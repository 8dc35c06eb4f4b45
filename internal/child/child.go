// Package child starts other programs, our own probes among them. A child has
// nothing of ours but what it is told: no terminal, no environment, no open
// files. Who runs as another user may be watched and steered by all that this
// user runs (ptrace(2), /proc/PID/environ), so that an environment is public to
// them, and a session of root's is a way onto root's terminal (TIOCSTI).
//
// It is the one place that starts processes and that gives them other rights.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Path is where children find programs: an admin's own may lack sbin.
	Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// MaxOutput bounds what is taken from a child: the settings of a Postfix with
	// everything in it have some 100 KB.
	MaxOutput = 4 << 20
	// lingers is how long a child's own children may hold its pipes open.
	lingers = time.Second
)

// ErrOutput: the child said more than MaxOutput bytes.
var ErrOutput = errors.New("it says too much")

// errNoDeadline is a fault of the caller's.
var errNoDeadline = errors.New("a program is started without a deadline")

// Command prepares a program, as another user where there is a name; ctx needs a
// deadline. It has a session of its own, so that it and its children end with ctx;
// /dev/null for input; and / for its folder. Callers may set Dir and Stdin, add to
// Env what everybody may read, and set Stdout and Stderr to a writer that is bounded
// or a file of this purpose.
func Command(ctx context.Context, as, path string, args ...string) (*exec.Cmd, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errNoDeadline
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=" + Path, "LANG=C", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = lingers
	if as != "" {
		cred, err := credential(as)
		if err != nil {
			return nil, err
		}
		cmd.SysProcAttr.Credential = cred
	}
	return cmd, closeOnExec()
}

// Output runs the program and returns what it writes to its standard output. One
// that ended badly is a Failed.
func Output(cmd *exec.Cmd) (string, error) {
	stdout, stderr := &Bounded{}, &Bounded{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case stdout.over || stderr.over:
		return "", ErrOutput
	case errors.Is(err, exec.ErrWaitDelay): // it has ended well; a daemon that it started lives
		err = nil
	case errors.As(err, &exit):
		err = &Failed{exit, strings.TrimSpace(stderr.buf.String()), strings.TrimSpace(stdout.buf.String())}
	}
	return stdout.buf.String(), err
}

// Failed is a program that ran and ended badly.
type Failed struct {
	*exec.ExitError
	Stderr, Stdout string
}

func (f *Failed) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%v: %s", f.ExitError, strings.TrimSpace(f.Stderr+" "+f.Stdout)), ": ")
}

func (f *Failed) Unwrap() error { return f.ExitError }

// Bounded keeps what a child says, and ends one that says more than MaxOutput
// bytes: its next write fails.
type Bounded struct {
	buf  bytes.Buffer
	over bool
}

func (b *Bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > MaxOutput {
		b.over = true
		return 0, io.ErrShortWrite
	}
	return b.buf.Write(p)
}

func (b *Bounded) String() string { return b.buf.String() }

// credential is what initgroups(3) gives a user: Postfix's daemons get it, too.
func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{}
	for _, s := range ids {
		if n, err := strconv.ParseUint(s, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	uid, errU := strconv.ParseUint(u.Uid, 10, 32)
	gid, errG := strconv.ParseUint(u.Gid, 10, 32)
	c.Uid, c.Gid = uint32(uid), uint32(gid)
	return c, errors.Join(errU, errG)
}

// closeOnExec marks what we were started with ourselves: Go does so only with
// what it opens.
func closeOnExec() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
