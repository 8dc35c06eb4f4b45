package conformance

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildDaemon compiles the command of this checkout, or takes the binary that
// SEALMILTER_BINARY names.
func buildDaemon(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("SEALMILTER_BINARY"); given != "" {
		path, err := filepath.Abs(given)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := filepath.Join(t.TempDir(), "sealmilter")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "../../cmd/sealmilter")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// daemon is a running `sealmilter serve`.
type daemon struct {
	socket string
	cmd    *exec.Cmd
	done   chan struct{}
	log    lockedBuffer
}

// startDaemon runs the binary with config, to which the sockets are added,
// until the test ends.
func startDaemon(t *testing.T, binary, config string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "smconf") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{socket: filepath.Join(dir, "s"), done: make(chan struct{})}
	config = fmt.Sprintf("listen: \"unix:%s\"\nadmin: \"\"\n%s", d.socket, config)
	file := filepath.Join(dir, "milter.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(binary, "serve", "--strict", "--config", file, "--state", dir)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		<-d.done
		if bytes.Contains([]byte(d.log.String()), []byte("panic")) {
			t.Errorf("the daemon's log:\n%s", d.log.String())
		}
	})
	for end := time.Now().Add(patient); ; time.Sleep(10 * time.Millisecond) { // another process, which tells nobody
		if c, err := net.Dial("unix", d.socket); err == nil {
			c.Close()
			return d
		}
		select {
		case <-d.done:
			t.Fatalf("the daemon ended:\n%s", d.log.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("the daemon does not listen:\n%s", d.log.String())
		}
	}
}

// lockedBuffer is what a process says.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
