package child

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// report is a shell that says what it has of ours.
const report = `tr '\0' '\n' </proc/$$/environ; echo "sid $(cut -d' ' -f6 /proc/$$/stat) pid $$"; ls -l /proc/$$/fd; id -u`

// A secret in the environment and an open file, as a shell hands them to us,
// stay with us, and so does the terminal's session.
func TestChildHasNothingOfOurs(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(secret, syscall.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	users := []string{""}
	if os.Geteuid() == 0 {
		users = append(users, "nobody")
	}
	for _, as := range users {
		cmd, err := Command(soon(t), as, "/bin/sh", "-c", report)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Output(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, "hunter2") || strings.Contains(out, "HOME=") {
			t.Errorf("as %q: our environment:\n%s", as, out)
		}
		if strings.Contains(out, secret) || strings.Count(out, " -> ") != 3 || strings.Contains(out, "/dev/pts") || strings.Contains(out, "/dev/tty") {
			t.Errorf("as %q: a file of ours:\n%s", as, out)
		}
		var sid, pid string
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) == 4 && f[0] == "sid" {
				sid, pid = f[1], f[3]
			}
		}
		if sid == "" || sid != pid {
			t.Errorf("as %q: session %s, process %s: not its own", as, sid, pid)
		}
		if root := strings.HasSuffix(out, "\n0\n"); as != "" && root {
			t.Errorf("as %q: it is root:\n%s", as, out)
		}
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags of the open file: %x, %v", flags, err)
	}
}

// A child that talks without end does not fill our memory.
func TestOutputIsBounded(t *testing.T) {
	// The last one ends well, and what it leaves behind holds the other pipe.
	for _, to := range []string{"exec yes", "exec yes >&2", "sleep 30 >&2 & head -c 5000000 /dev/zero; exit 0"} {
		cmd, err := Command(soon(t), "", "/bin/sh", "-c", to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Output(cmd); !errors.Is(err, ErrOutput) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// What the child started ends with it.
func TestChildrenEndWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(soon(t))
	cmd, err := Command(ctx, "", "/bin/sh", "-c", "sleep 1000 & echo $!; wait")
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if _, err := out.Read(b); err != nil {
		t.Fatal(err)
	}
	cancel()
	began := time.Now()
	cmd.Wait()
	if d := time.Since(began); d > lingers {
		t.Errorf("its child held us for %s", d)
	}
}

func TestFailed(t *testing.T) {
	cmd, err := Command(soon(t), "", "/bin/sh", "-c", "echo why >&2; echo what; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	out, err := Output(cmd)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || err.Error() != "exit status 3: why what" || out != "what\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := Command(t.Context(), "", "/bin/true"); !errors.Is(err, errNoDeadline) {
		t.Errorf("without a deadline: %v", err)
	}
	if _, err := Command(soon(t), "no-such-user-here", "/bin/true"); err == nil {
		t.Error("a user that is none")
	}
}
