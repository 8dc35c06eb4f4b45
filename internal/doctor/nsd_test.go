package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
)

// TestDNSByARealServer: what the double says, NSD says as well: each case's zone is served
// by it and asked for over the network by the daemon's own client.
func TestDNSByARealServer(t *testing.T) {
	if _, err := exec.LookPath("nsd"); err != nil {
		if os.Getenv("SEALMILTER_CI") == "1" {
			t.Fatal("no nsd: run test/e2e/install-packages.sh")
		}
		t.Skip("no nsd: run test/e2e/install-packages.sh")
	}
	var root strings.Builder
	var broken []string
	var served []bed
	for _, b := range beds(t) {
		records, names, ok := zoneFile(t, b.zone)
		if !ok {
			continue // one type of a name fails, and others of it do not
		}
		root.WriteString(records)
		broken = append(broken, names...)
		served = append(served, b)
	}
	if left := len(dnsCases) - len(served); left > 4 {
		t.Errorf("%d cases are not served", left)
	}
	server := startNSD(t, root.String(), broken)
	for _, b := range served {
		t.Run(b.name, func(t *testing.T) {
			c, err := dnsclient.New(dnsclient.Config{Servers: []string{server}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			compare(t, b.find(t, c), b.own(b.want))
		})
	}
}

// zoneFile writes a zone of the double as records of a zone file (RFC 1035 §5.1); names
// are those that fail with all their types. ok is false where that cannot be had.
func zoneFile(t *testing.T, text string) (records string, broken []string, ok bool) {
	t.Helper()
	var out strings.Builder
	has := map[string]bool{}
	for line := range strings.Lines(text) {
		f := fieldsOf(t, strings.TrimSpace(line))
		if len(f) == 0 {
			continue
		}
		name, typ, data := f[0], strings.ToUpper(f[1]), f[2:]
		if strings.HasPrefix(data[0], "!") {
			broken = append(broken, name+".")
			continue
		}
		if ip, err := netip.ParseAddr(name); err == nil && typ == "PTR" {
			name = resolve.ReverseName(ip)
		}
		has[name+"."] = true
		switch typ {
		case "TXT":
			for i, s := range data {
				data[i] = quotedChunks(s)
			}
		case "MX", "CNAME", "PTR":
			if last := &data[len(data)-1]; *last != "." {
				*last += "."
			}
		}
		fmt.Fprintf(&out, "%s. %s %s\n", name, typ, strings.Join(data, " "))
	}
	for i, name := range broken {
		if ip, err := netip.ParseAddr(strings.TrimSuffix(name, ".")); err == nil {
			broken[i] = resolve.ReverseName(ip) + "."
		}
		if has[broken[i]] {
			return "", nil, false
		}
	}
	return out.String(), broken, true
}

// fieldsOf are the words of a line of the double's zone.
func fieldsOf(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for line != "" {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			out, line = append(out, word), strings.TrimSpace(rest)
			continue
		}
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatal(line, err)
		}
		s, err := strconv.Unquote(q)
		if err != nil {
			t.Fatal(line, err)
		}
		out, line = append(out, s), strings.TrimSpace(line[len(q):])
	}
	return out
}

// quotedChunks are character-strings of at most 255 bytes.
func quotedChunks(s string) string {
	var out []string
	for {
		n := min(len(s), 255)
		out = append(out, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:n])+`"`)
		if s = s[n:]; s == "" {
			return strings.Join(out, " ")
		}
	}
}

// startNSD serves the root with these records; broken zones have no file: SERVFAIL.
func startNSD(t *testing.T, records string, broken []string) (server string) {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf(`
	username: ""
	chroot: ""
	server-count: 1
	rrl-ratelimit: 0
	minimal-responses: yes
	database: ""
	zonesdir: "%[1]s"
	pidfile: "%[1]s/nsd.pid"
	xfrdfile: "%[1]s/xfrd.state"
	zonelistfile: "%[1]s/zone.list"
	xfrdir: "%[1]s"
remote-control:
	control-enable: no
zone:
	name: "."
	zonefile: "%[1]s/root"
`, dir)
	for _, name := range broken {
		conf += fmt.Sprintf("zone:\n\tname: \"%s\"\n\tzonefile: \"%s/none\"\n", name, dir)
	}
	zone := "$ORIGIN .\n$TTL 5\n@ IN SOA ns.lab.example. hostmaster.lab.example. 1 3600 900 86400 5\n@ IN NS ns.lab.example.\nns.lab.example. A 127.0.0.1\n" + records
	if err := os.WriteFile(filepath.Join(dir, "root"), []byte(zone), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("nsd-checkzone", ".", filepath.Join(dir, "root")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// Somebody else may take the port before NSD does.
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		file := filepath.Join(dir, "nsd.conf")
		if err := os.WriteFile(file, []byte(fmt.Sprintf("server:\n\tip-address: 127.0.0.1@%d", port)+conf), 0o644); err != nil {
			t.Fatal(err)
		}
		server := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if runNSD(t, file, server) {
			return server
		}
	}
	t.Fatal("nsd does not start")
	return ""
}

// runNSD starts it and waits until it answers; false says that it ended.
func runNSD(t *testing.T, file, server string) bool {
	t.Helper()
	cmd := exec.Command("nsd", "-d", "-c", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said strings.Builder
	cmd.Stderr, cmd.Stdout = &said, &said
	if err := cmd.Start(); err != nil {
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
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if c, err := net.Dial("tcp", server); err == nil {
			c.Close()
			return true
		}
		select {
		case <-ended:
			t.Logf("nsd ended: %s", said.String())
			return false
		case <-tick.C:
		}
	}
	t.Fatal("nsd does not listen")
	return false
}
