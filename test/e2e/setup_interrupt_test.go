//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a new pseudoterminal: our side, and the program's.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	fd := int(ours.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// interrupt runs set-up at a terminal and presses Ctrl-C when it has said at.
func (s *setupLab) interrupt(t *testing.T, at string, args ...string) (out string, code int) {
	t.Helper()
	ours, theirs := terminal(t)
	cmd := exec.Command(s.lab.daemon.binary(), append([]string{"setup", "postfix", "--config", s.config, "--postfix-config", s.mta.etc()}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	patience := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer patience.Stop()
	var all strings.Builder
	pressed := false
	for buf := make([]byte, 4096); ; {
		n, err := ours.Read(buf) // EIO when the program has ended
		all.Write(buf[:n])
		if !pressed && strings.Contains(all.String(), at) {
			pressed = true
			if _, err := ours.WriteString("\x03"); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	err := cmd.Wait()
	out = strings.ReplaceAll(all.String(), "\r\n", "\n")
	var exit *exec.ExitError
	if !pressed || !errors.As(err, &exit) {
		t.Fatalf("pressed %v, %v:\n%s", pressed, err, out)
	}
	return out, exit.ExitCode()
}

// TestSetupIsInterrupted: Ctrl-C at the question and in the middle of the work ends it
// at once with 130, says what stays, and leaves Postfix's files as they were.
func TestSetupIsInterrupted(t *testing.T) {
	s := newSetupLab(t)
	before := s.files(t)
	for _, c := range []struct {
		at   string
		args []string
		want string
	}{
		{"[y/N]", nil, "nothing was changed"},
		{"== Postfix", []string{"--yes"}, "main.cf and master.cf are as they were. Made and kept: keys of new.example in "},
	} {
		out, code := s.interrupt(t, c.at, append(c.args, setupDomains...)...)
		if code != 130 || !strings.Contains(out, "error: interrupted\n") || !strings.Contains(out, "hint: "+c.want) {
			t.Errorf("%s: exit code %d\n%s", c.at, code, out)
		}
		if s.files(t) != before {
			t.Errorf("%s: main.cf or master.cf is another one", c.at)
		}
		made, _ := filepath.Glob(filepath.Join(s.keys, "new.example", "*.pem"))
		if (len(made) > 0) != (c.args != nil) {
			t.Errorf("%s: keys %v", c.at, made)
		}
	}
	// It goes on from there.
	s.mustSetup(t, setupDomains...)
	s.mustSetup(t, "--undo")
}
