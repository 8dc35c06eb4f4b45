// Package daemon builds and runs sealmilter as a process of its own, for tests
// and measurements that need to know what the real program costs: CPU time,
// resident memory, goroutines. Linux only; it needs no root.
package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options of Start.
type Options struct {
	Binary string // made by Build
	Dir    string // for the socket, the configuration and the log; it must exist
	DNS    string // IP:PORT of the resolver
	// AuthservID; "" is mx.siege.example.
	AuthservID string
	// More is YAML of the top level: "limits: {connections: 100}\n".
	More string
}

// Daemon is a running `sealmilter serve`.
type Daemon struct {
	Socket  string // unix
	metrics string
	log     string
	cmd     *exec.Cmd
	ended   chan struct{}
	err     error // valid when ended is closed
}

// Build compiles the command of this module into dir, or takes the binary that
// SEALMILTER_BINARY names; race is -race, and always compiles. The program's
// path comes back.
func Build(dir string, race bool) (string, error) {
	if given := os.Getenv("SEALMILTER_BINARY"); given != "" && !race {
		return filepath.Abs(given)
	}
	bin := filepath.Join(dir, "sealmilter")
	args := []string{"build", "-buildvcs=false", "-o", bin}
	if race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/sealmilter/sealmilter/cmd/sealmilter")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// Start runs the daemon and waits until it accepts connections, and questions
// for its metrics.
func Start(o Options) (*Daemon, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		Socket: filepath.Join(o.Dir, "milter.sock"), metrics: l.Addr().String(),
		log: filepath.Join(o.Dir, "log"), ended: make(chan struct{}),
	}
	l.Close()
	config := filepath.Join(o.Dir, "milter.yaml")
	text := fmt.Sprintf("authserv_id: %s\nlisten: [\"unix:%s\"]\nadmin: \"unix:%s\"\nmetrics: {listen: %q}\n%s",
		cmp.Or(o.AuthservID, "mx.siege.example"), d.Socket, filepath.Join(o.Dir, "admin.sock"), d.metrics, o.More)
	if !strings.Contains(o.More, "dns:") {
		text += fmt.Sprintf("dns: {servers: [%q]}\n", o.DNS)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	f, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d.cmd = exec.Command(o.Binary, "serve", "--config", config, "--state", filepath.Join(o.Dir, "state"))
	d.cmd.Stdout, d.cmd.Stderr = f, f
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // when the test dies of its time limit
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if accepts("unix", d.Socket) && accepts("tcp", d.metrics) {
			return d, nil
		}
		select {
		case <-d.ended:
			return nil, fmt.Errorf("the daemon did not start: %w\n%s", d.err, d.Log())
		default:
		}
		if time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("the daemon does not accept\n%s", d.Log()), d.Stop())
		}
	}
}

func accepts(network, addr string) bool {
	c, err := net.Dial(network, addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// Stop ends the daemon as an init system would. The error is its own, or says
// that it had to be killed.
func (d *Daemon) Stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
		return d.err
	case <-time.After(60 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.ended
		return errors.New("the daemon did not end within 60 s of SIGTERM")
	}
}

// Log is what the daemon has logged.
func (d *Daemon) Log() string {
	b, _ := os.ReadFile(d.log)
	return string(b)
}

// bugs are words of a log that nothing from outside may cause: panics, caught
// or not, and what a binary that was built with -race reports.
var bugs = regexp.MustCompile(`(?i)\bpanic|DATA RACE|fatal error`)

// Misbehaved returns the first sign of a bug of ours, "" for none.
func (d *Daemon) Misbehaved() string {
	select {
	case <-d.ended:
		return fmt.Sprintf("it ended: %v", d.err)
	default:
	}
	for line := range strings.Lines(d.Log()) {
		if bugs.MatchString(line) {
			return line
		}
	}
	for _, where := range []string{"session", "message", "check"} {
		n, err := d.Metric(`sealmilter_panics_total{where="` + where + `"}`)
		if err != nil {
			return err.Error()
		}
		if n != 0 {
			return fmt.Sprintf("%v panics in %s", n, where)
		}
	}
	return ""
}

// Metric reads one value of the daemon's Prometheus page by its full name.
func (d *Daemon) Metric(name string) (float64, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + d.metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// Goroutines of the daemon, that of the question included.
func (d *Daemon) Goroutines() (int, error) {
	n, err := d.Metric("go_goroutines")
	return int(n), err
}

// CPU is the processor time that the daemon's threads have used. The kernel
// counts it in nanoseconds as long as a thread lives, and Go keeps its threads.
func (d *Daemon) CPU() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", d.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no schedstat: %v", err)
	}
	var sum time.Duration
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return 0, err
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			return 0, fmt.Errorf("%s: %q", f, text)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// PeakRSS is the most memory that was resident since the start, in bytes.
func (d *Daemon) PeakRSS() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, errors.New("no VmHWM")
}
