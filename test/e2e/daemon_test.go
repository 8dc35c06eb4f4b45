//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is sealmilter as a package would run it: an ordinary user who is in the group postfix, owns the key
// folder and can write next to nothing else.
type daemon struct {
	dir    string // binary, configuration, keys, log
	socket string // unix socket below Postfix's queue directory
	inet   string // inet:127.0.0.1:PORT
	dns    string // resolver, HOST:PORT
	// dnsMore is appended to the dns section: ", timeout: 9s".
	dnsMore string
	as      account
	extra   int // supplementary group: postfix
	proc    *proc
}

// ourDomains are the domains that sealmilter signs for; their zones come from `sealmilter dns`.
var ourDomains = []string{"good.example", "lax.example"}

// ourNetwork has machines of ours that send without logging in.
const ourNetwork = "192.168.5.0/24"

// ourEgress is our own public address as the zones name it.
const ourEgress = "192.0.2.25"

// daemonIn is the daemon of the lab in dir, not yet connected to anything.
func daemonIn(dir string) *daemon { return &daemon{dir: filepath.Join(dir, "sealmilter")} }

func (d *daemon) binary() string { return filepath.Join(d.dir, "bin", "sealmilter") }
func (d *daemon) config() string { return filepath.Join(d.dir, "milter.yaml") }
func (d *daemon) keys() string   { return filepath.Join(d.dir, "keys") }
func (d *daemon) state() string  { return filepath.Join(d.dir, "state") }
func (d *daemon) logFile() string {
	return filepath.Join(d.dir, "sealmilter.log")
}

// build compiles the command of this checkout, or takes the binary that SEALMILTER_BINARY names.
func (d *daemon) build() error {
	if err := os.MkdirAll(filepath.Dir(d.binary()), 0o755); err != nil {
		return err
	}
	if given := os.Getenv("SEALMILTER_BINARY"); given != "" {
		data, err := os.ReadFile(given)
		if err != nil {
			return err
		}
		return os.WriteFile(d.binary(), data, 0o755)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", d.binary(), "../../cmd/sealmilter")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// configText is the lab's milter.yaml. more is appended: it may go on with the sign section (indented) or begin another.
func (d *daemon) configText(more string) string {
	return fmt.Sprintf(`authserv_id: mx.good.example
listen:
  - "unix:%s"
  - "%s"
admin: "unix:%s/run/admin.sock"
dns: {servers: ["%s"]%s}
outbound: {networks: [%s]}
egress: [%s]
sign:
  keys: %s
  domains: [%s]
%s`, d.socket, d.inet, d.dir, d.dns, d.dnsMore, ourNetwork, ourEgress, d.keys(), strings.Join(ourDomains, ", "), more)
}

// install makes the folders, the configuration and, as root like an administrator, the keys.
func (d *daemon) install(as account) error {
	postfix, err := lookAccount("postfix")
	if err != nil {
		return err
	}
	d.as, d.extra = as, postfix.gid
	for _, f := range []struct {
		dir  string
		mode os.FileMode
		gid  int
	}{{d.keys(), 0o700, as.gid}, {d.state(), 0o700, as.gid}, {filepath.Join(d.dir, "run"), 0o755, as.gid}, {filepath.Dir(d.socket), 0o750, postfix.gid}} {
		if err := os.MkdirAll(f.dir, 0o755); err != nil {
			return err
		}
		if err := os.Chown(f.dir, as.uid, f.gid); err != nil {
			return err
		}
		if err := os.Chmod(f.dir, f.mode); err != nil {
			return err
		}
	}
	if err := d.configure(""); err != nil {
		return err
	}
	for _, domain := range ourDomains {
		if _, err := d.cli("keys", "new", "--config", d.config(), domain); err != nil {
			return err
		}
	}
	return nil
}

// configure writes milter.yaml; the daemon sees it at its next start or SIGHUP.
func (d *daemon) configure(more string) error {
	return os.WriteFile(d.config(), []byte(d.configText(more)), 0o644)
}

// cli runs a subcommand as root.
func (d *daemon) cli(args ...string) ([]byte, error) {
	return run(nil, append([]string{d.binary()}, args...)...)
}

// zones are the zones of our domains: what `sealmilter dns` says to publish, its advice on SPF and DMARC followed as it
// says ("remove the ; in front"), and the host names. The host's own name is another zone's.
func (d *daemon) zones() (map[string]string, error) {
	zones := map[string]string{}
	for _, domain := range ourDomains {
		text, err := d.cli("dns", "--config", d.config(), "--format", "bind", domain)
		if err != nil {
			return nil, err
		}
		advice := regexp.MustCompile(`(?m)^; (\S*` + regexp.QuoteMeta(domain) + `\. \d+ IN TXT )`)
		zones[domain+"."] = advice.ReplaceAllString(string(text), "$1") + "\n" + fmt.Sprintf("mail.%s. A %s\n%s. MX 10 mail.%s.\n", domain, ourEgress, domain, domain)
	}
	return zones, nil
}

func (d *daemon) attr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(d.as.uid), Gid: uint32(d.as.gid), Groups: []uint32{uint32(d.extra)}}}
}

// launch starts `sealmilter serve`.
func (d *daemon) launch(log string, flags ...string) (*proc, error) {
	argv := append([]string{d.binary(), "serve", "--config", d.config(), "--state", d.state()}, flags...)
	return startProc("sealmilter", log, d.attr(), argv...)
}

// start starts the daemon and waits until both listeners accept.
func (d *daemon) start() error {
	p, err := d.launch(d.logFile())
	if err != nil {
		return err
	}
	d.proc = p
	if err := waitPort(p, "tcp", strings.TrimPrefix(d.inet, "inet:")); err != nil {
		return err
	}
	return waitPort(p, "unix", d.socket)
}

// stop ends the daemon as an init system would.
func (d *daemon) stop() { d.proc.stop(20 * time.Second) }

// kill is the fault: no clean-up of any kind.
func (d *daemon) kill() {
	d.proc.signal(syscall.SIGKILL)
	<-d.proc.done
}

// restartAfter makes sure that the daemon runs with the default configuration when the test is over.
func (d *daemon) restartAfter(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if err := d.configure(""); err != nil {
			t.Error(err)
		}
		d.stop()
		if err := d.start(); err != nil {
			t.Error(err)
		}
	})
}

// reload writes a configuration, sends SIGHUP, and waits until the log speaks of it.
func (d *daemon) reload(t *testing.T, more string, good bool) {
	t.Helper()
	if err := d.configure(more); err != nil {
		t.Fatal(err)
	}
	since := d.logged(t)
	d.proc.signal(syscall.SIGHUP)
	eventually(t, 10*time.Second, fmt.Sprintf("a reload in the log (good=%v)", good), func() bool {
		said := line(since(), "reload")
		return said != "" && strings.Contains(strings.ToLower(said), "error") != good
	})
}

// misbehaved returns the first line of the log that no test may cause: a panic, recovered or not, or what a binary
// built with -race reports.
func (d *daemon) misbehaved() string {
	text, _ := os.ReadFile(d.logFile())
	for _, sign := range []string{"panic", "DATA RACE", "fatal error"} {
		if l := line(string(text), sign); l != "" {
			return l
		}
	}
	return ""
}

// logged returns a function that reads what the daemon has logged since now.
func (d *daemon) logged(t *testing.T) func() string {
	t.Helper()
	before, err := os.ReadFile(d.logFile())
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		now, _ := os.ReadFile(d.logFile())
		return string(bytes.TrimPrefix(now, before))
	}
}

// rss is the daemon's resident memory in KiB.
func (d *daemon) rss(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.proc.pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// dialMilter connects to the milter socket as Postfix does.
func (d *daemon) dialMilter(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
