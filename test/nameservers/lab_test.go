//go:build e2e

package nameservers

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/dnsclient"
)

// The primary and the secondary of example.com, on one port.
const (
	primaryIP   = "127.0.0.1"
	secondaryIP = "::1"
)

const options = `options {
	directory "%[1]s";
	pid-file "%[1]s/named.pid";
	session-keyfile "%[1]s/session.key";
	managed-keys-directory "%[1]s";
	%[2]s;
	recursion no;
	dnssec-validation no;
	notify explicit;
	notify-delay 0;
	allow-transfer { any; };
	allow-notify { any; };
};
controls { };
`

// The keys are tsig-keygen's. What key up may do is what the hint of a refusal says.
const primaryZones = `include "%[1]s/up.key";
include "%[1]s/reader.key";
zone "example.com" {
	type master;
	file "example.com.zone";
	also-notify { %[2]s port %[3]d; };
	update-policy { grant up subdomain _domainkey.example.com. TXT; grant up subdomain dkim.example.com. TXT;
		grant reader name race._domainkey.example.com. CNAME; };
};
zone "static.example" { type master; file "static.example.zone"; };
`

const secondaryZones = `include "%[3]s";
zone "example.com" {
	type slave;
	masterfile-format text;
	file "example.com.zone";
	masters port %[2]d { %[1]s; };
};
`

var zones = map[string]string{
	"example.com": `$TTL 5
@ SOA ns1 hostmaster 1 3600 900 86400 5
@ NS ns1
@ NS ns2
@ TXT "v=spf1 mx -all"
ns1 A 127.0.0.1
ns2 AAAA ::1
mixed.dkim A 192.0.2.1
mixed.dkim TXT "one"
mixed.dkim TXT "two"
cust._domainkey CNAME cust.dkim
away._domainkey NS ns.example.net.
`,
	"static.example": "$TTL 5\n@ SOA ns1 hostmaster 1 3600 900 86400 5\n@ NS ns1\nns1 A 127.0.0.1\n",
}

type named struct {
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
}

type lab struct {
	port               int
	primary, secondary *named
	resolver           *dnsclient.Client
}

func newLab(t *testing.T) *lab {
	t.Helper()
	need(t, "named", "tsig-keygen", "nsupdate")
	l := &lab{port: freePort(t)}
	l.primary, l.secondary = &named{dir: t.TempDir()}, &named{dir: t.TempDir()}
	for name, text := range zones {
		write(t, filepath.Join(l.primary.dir, name+".zone"), text)
	}
	for _, key := range []string{"up", "reader"} {
		write(t, l.key(key), output(t, "tsig-keygen", "-a", "hmac-sha256", key))
	}
	l.primary.start(t, fmt.Sprintf(options, l.primary.dir, fmt.Sprintf("listen-on port %d { %s; }; listen-on-v6 { none; }", l.port, primaryIP))+fmt.Sprintf(primaryZones, l.primary.dir, secondaryIP, l.port))
	l.ready(t, primaryIP)
	l.secondary.start(t, fmt.Sprintf(options, l.secondary.dir, fmt.Sprintf("listen-on { none; }; listen-on-v6 port %d { %s; }", l.port, secondaryIP))+fmt.Sprintf(secondaryZones, primaryIP, l.port, l.key("up")))
	l.ready(t, secondaryIP)
	var err error
	if l.resolver, err = dnsclient.New(dnsclient.Config{Servers: []string{l.addr(primaryIP).String()}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.resolver.Close)
	return l
}

func (l *lab) key(name string) string { return filepath.Join(l.primary.dir, name+".key") }

func (l *lab) addr(ip string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(l.port))
}

// txt is what a server has at a name, "" for nothing.
func (l *lab) txt(t *testing.T, ip, name string) string {
	t.Helper()
	said, err := dnsclient.AskTXT(t.Context(), l.addr(ip), name, false)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(said.Records, said.Alias), "|")
}

func (l *lab) ready(t *testing.T, ip string) {
	t.Helper()
	eventually(t, "named at "+ip+" has its zone", func() bool {
		said, err := dnsclient.AskTXT(t.Context(), l.addr(ip), "example.com", false)
		return err == nil && said.Authoritative
	})
}

// copyOf copies a program: the profile that AppArmor has for the installed one knows
// nothing of our folders.
func copyOf(t *testing.T, dir, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, name)
	if err := os.WriteFile(own, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return own
}

// need skips, or fails where nothing may be skipped.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("SEALMILTER_CI") == "1" {
				t.Fatalf("%v: run test/e2e/install-packages.sh", err)
			}
			t.Skipf("%v: run test/e2e/install-packages.sh", err)
		}
	}
}

func (n *named) start(t *testing.T, conf string) {
	t.Helper()
	own := copyOf(t, n.dir, "named")
	write(t, filepath.Join(n.dir, "named.conf"), conf)
	log, err := os.Create(filepath.Join(n.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command(own, "-g", "-n", "1", "-c", filepath.Join(n.dir, "named.conf"))
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.done = make(chan struct{})
	go func() {
		_ = n.cmd.Wait()
		close(n.done)
	}()
	t.Cleanup(func() {
		n.stop()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(n.dir, "log"))
			t.Logf("%s", text)
		}
	})
}

func (n *named) stop() {
	_ = n.cmd.Process.Signal(syscall.SIGCONT)
	_ = n.cmd.Process.Signal(syscall.SIGKILL)
	<-n.done
}

// pause stops all its threads.
func (n *named) pause(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "named is stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.cmd.Process.Pid))
		for _, path := range threads {
			if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), ") T ") {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func output(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", argv, err, out)
	}
	return string(out)
}

// freePort is free with TCP and UDP on both addresses.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", primaryIP+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		other, err := net.Listen("tcp", fmt.Sprintf("[%s]:%d", secondaryIP, port))
		if err != nil {
			continue
		}
		defer other.Close()
		u, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		defer u.Close()
		return port
	}
	t.Fatal("no free port")
	return 0
}

// eventually waits for what happens in other processes, which tell nobody.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
