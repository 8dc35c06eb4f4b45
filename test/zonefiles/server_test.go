package zonefiles

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/dnsclient"
)

// program finds a program of Debian's; an ordinary user's PATH lacks sbin.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	why := "needs " + name + " (Debian's bind9, bind9-utils and nsd): run test/e2e/install-packages.sh"
	if os.Getenv("SEALMILTER_CI") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// freePort is free for UDP and TCP on 127.0.0.1.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		p, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		l.Close()
		if err == nil {
			p.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// zones are the texts of zone files, by the zones' names.
type zones map[string]string

// head begins each zone.
const head = "$TTL 300\n@ IN SOA ns.lab.example. hostmaster.lab.example. 1 3600 900 86400 300\n@ IN NS ns.lab.example.\n"

// write puts each zone into a file, and returns what a configuration says of them.
func (z zones) write(t *testing.T, dir, stanza string) string {
	t.Helper()
	var conf strings.Builder
	n := 0
	for name, text := range z {
		n++
		file := filepath.Join(dir, fmt.Sprintf("zone%d", n)) // a name may have 253 bytes
		if err := os.WriteFile(file, []byte(head+text), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&conf, stanza, name, file)
	}
	return conf.String()
}

// bind starts named with the zones, and returns a resolver that asks it.
func bind(t *testing.T, z zones) *dnsclient.Client {
	t.Helper()
	path, dir, port := program(t, "named"), t.TempDir(), freePort(t)
	// Debian's AppArmor profile lets /usr/sbin/named read its own folders only.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "named")
	if err := os.WriteFile(copied, text, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`options { directory "%[1]s"; listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; notify no; pid-file none; session-keyfile none;
	managed-keys-directory "%[1]s"; dnssec-validation no; empty-zones-enable no; };
controls { };
`, dir, port) + z.write(t, dir, "zone \"%s\" { type primary; file \"%s\"; };\n")
	file := filepath.Join(dir, "named.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, "all zones loaded", copied, "-g", "-c", file, "-n", "1")
	return resolver(t, port)
}

// nsd starts NSD with the zones, and returns a resolver that asks it.
func nsd(t *testing.T, z zones) *dnsclient.Client {
	t.Helper()
	path, dir, port := program(t, "nsd"), t.TempDir(), freePort(t)
	conf := fmt.Sprintf(`server:
	ip-address: 127.0.0.1@%d
	username: ""
	chroot: ""
	server-count: 1
	verbosity: 1
	database: ""
	zonesdir: "%[2]s"
	pidfile: "%[2]s/nsd.pid"
	xfrdfile: "%[2]s/xfrd.state"
	zonelistfile: "%[2]s/zone.list"
	xfrdir: "%[2]s"
remote-control:
	control-enable: no
`, port, dir) + z.write(t, dir, "zone:\n\tname: \"%s\"\n\tzonefile: \"%s\"\n")
	file := filepath.Join(dir, "nsd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, "nsd started", path, "-d", "-c", file)
	return resolver(t, port)
}

func resolver(t *testing.T, port int) *dnsclient.Client {
	t.Helper()
	c, err := dnsclient.New(dnsclient.Config{Servers: []string{fmt.Sprintf("127.0.0.1:%d", port)}, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// start starts a server in the foreground and waits until it says that it serves. It is
// ended by its pid.
func start(t *testing.T, ready string, argv ...string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // when the test binary dies of its time limit
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		r.Close()
	})
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			t.Fatalf("%s: %v\n%s", argv[0], err, &said)
		}
		if strings.Contains(line, ready) {
			break
		}
	}
	if err := r.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // so that it never waits for us
}
