//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// labPrefix begins the name of the temporary directory.
const labPrefix = "smlab"

// insideVar tells the test binary that it runs in the namespaces, and names the lab's directory.
const insideVar = "SEALMILTER_E2E_INSIDE"

// isolate makes the lab's directory, builds sealmilter (which may ask the network for modules) and runs this test binary
// again as the first process of network, process and mount namespaces of its own. So two labs cannot meet: unbound
// shares its port with whoever else binds it (SO_REUSEPORT), and each lab would get half of the other's DNS answers. And
// nothing is left when a run is killed: with their first process all others end.
func isolate() int {
	dir, err := os.MkdirTemp("", labPrefix)
	if err == nil {
		err = os.Chmod(dir, 0o755) // Postfix, the daemon and the pipe alias are other users
	}
	if err == nil {
		err = daemonIn(dir).build()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		return 1
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		return 1
	}
	runtime.LockOSThread() // the child lives as long as the thread that started it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVar+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Run()
	if err == nil || ctx.Err() != nil {
		_ = os.RemoveAll(dir)
	} else {
		fmt.Fprintf(os.Stderr, "e2e: logs, queue and mailboxes are kept in %s\n", dir)
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	}
	fmt.Fprintf(os.Stderr, "e2e: the suite in its namespaces: %v\n", err)
	return 1
}

// settleIn makes the new namespaces fit to live in. /etc/postfix becomes a copy: the suite writes into its main.cf.
func settleIn(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	if _, err := run(nil, "ip", "link", "set", "lo", "up"); err != nil {
		return err
	}
	etc := filepath.Join(dir, "etc-postfix")
	if _, err := run(nil, "cp", "-a", "/etc/postfix", etc); err != nil {
		return err
	}
	if err := unix.Mount(etc, "/etc/postfix", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("/etc/postfix: %w", err)
	}
	return nil
}
