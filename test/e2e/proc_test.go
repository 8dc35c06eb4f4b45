//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proc is a program of the lab in the foreground, its output in a file. It is ended by its pid only.
type proc struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the process has ended; err is valid then
	err  error
}

// startProc starts argv with its output appended to log. attr may be nil.
func startProc(name, log string, attr *syscall.SysProcAttr, argv ...string) (*proc, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Pdeathsig = syscall.SIGTERM // when the test binary dies of its time limit
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = f, f, attr
	cmd.Dir = "/"
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &proc{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

func (p *proc) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal is nil-safe and says nothing about a process that is gone.
func (p *proc) signal(s syscall.Signal) {
	if p != nil && !p.ended() {
		_ = p.cmd.Process.Signal(s)
	}
}

// wait returns the process's end, or an error after d.
func (p *proc) wait(d time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(d):
		return fmt.Errorf("%s (pid %d) still runs after %v", p.name, p.pid(), d)
	}
}

// stop ends the process: SIGTERM, and SIGKILL when it does not go.
func (p *proc) stop(d time.Duration) {
	if p == nil {
		return
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(d):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// run executes a command to its end and returns its standard output. The error holds what it said.
func run(stdin []byte, argv ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s: %w\n%s%s", strings.Join(argv, " "), err, errs.Bytes(), out.Bytes())
	}
	return out.Bytes(), nil
}

// poll asks until ok or the time is over. What it waits for happens in other processes, which tell nobody.
func poll(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func eventually(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	if !poll(d, ok) {
		t.Fatalf("%s: not within %v", what, d)
	}
}

// waitPort waits until something accepts on addr, or p (if known) has ended.
func waitPort(p *proc, network, addr string) error {
	up := poll(20*time.Second, func() bool {
		c, err := net.DialTimeout(network, addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil || (p != nil && p.ended())
	})
	if p == nil && !up {
		return fmt.Errorf("nobody accepts on %s", addr)
	}
	if p != nil && (!up || p.ended()) {
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s does not accept on %s\n%s", p.name, addr, lastLines(string(text), 15))
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// freePorts returns n loopback ports that are free now on TCP and UDP, IPv4 and IPv6.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []interface{ Close() error }
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for tries := 0; len(ports) < n && tries < 50*n; tries++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, l)
		port := l.Addr().(*net.TCPAddr).Port
		six, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port))
		if err != nil {
			continue
		}
		held = append(held, six)
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		held = append(held, u)
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("no %d free loopback ports", n)
	}
	return ports, nil
}
