//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sendmailLab is a Sendmail from Debian's packages, unpacked and not installed: they conflict with Postfix's. It has
// its own network namespace, where every client address of the tests is real, and its own mount namespace, where dir is
// /mnt: Sendmail takes no files from below a world-writable directory. It is a gateway: all mail but that of its own
// host's users goes to the sink.
type sendmailLab struct {
	dir    string
	socket string // the milter's
	net    *proc  // holds the namespaces
	daemon *proc
	syslog *net.UnixConn
	sink   *sink
}

// Where Sendmail and the clients are, inside the namespace.
const (
	sendmailIP  = ourEgress
	sendmailIP6 = "2001:db8:1::25"
	msaPort     = 587  // submission: nobody sends without logging in
	impatient   = 2526 // the port whose milter must not be silent for more than 4 s
)

// printer is a machine in ourNetwork.
var printer = from{"192.168.5.9", "", "printer.good.example"}

// sendmailPackages lists the package files that install-packages.sh fetched.
func sendmailPackages() ([]string, error) {
	cache := os.Getenv("SEALMILTER_CACHE")
	if cache == "" {
		cache = "/var/cache/sealmilter-e2e"
	}
	var files []string
	for _, p := range []string{"sendmail-bin", "sendmail-base", "sendmail-cf"} {
		found, _ := filepath.Glob(filepath.Join(cache, p+"_*.deb"))
		if len(found) == 0 {
			return nil, errors.New(p + " (as a file)")
		}
		files = append(files, slices.Max(found))
	}
	return files, nil
}

// The namespaces live as long as the sleep. /dev becomes a directory of ours for the sake of /dev/log.
const namespaceScript = `set -e
cd "$0"
mount --bind "$1" run
mount --rbind "$0" /mnt
mount --bind etc/hosts /etc/hosts
mount --bind etc/resolv.conf /etc/resolv.conf
mount --bind sasl /usr/lib/sasl2
mount --bind mail /var/mail
for f in null zero random urandom; do touch dev/$f; mount --bind /dev/$f dev/$f; done
mount --rbind dev /dev
hostname app.good.example
ip link set lo up
for a in 192.0.2.10/32 192.0.2.20/32 203.0.113.66/32 192.168.5.9/32 ` + sendmailIP + `/32 ` + sendmailIP6 + `/128 2001:db8:66::6/128; do
	ip addr add $a dev lo
done
touch up
exec sleep infinity
`

func (s *sendmailLab) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *sendmailLab) start() error {
	packages, err := sendmailPackages()
	if err != nil {
		return err
	}
	for _, d := range []string{"etc", "dev", "run", "queue", "clientqueue", "root", "sasl", "mail"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return err
		}
	}
	for _, p := range packages {
		if _, err := run(nil, "dpkg-deb", "-x", p, s.path("root")); err != nil {
			return err
		}
	}
	if err := errors.Join(s.configure(), s.sasl()); err != nil {
		return err
	}
	if s.syslog, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path("dev", "log"), Net: "unixgram"}); err != nil {
		return err
	}
	go s.writeLog()
	s.net, err = startProc("namespaces", s.path("namespaces.log"), nil,
		"unshare", "--net", "--uts", "--mount", "--propagation", "private", "sh", "-c", namespaceScript, s.dir, filepath.Dir(s.socket))
	if err != nil {
		return err
	}
	if !poll(10*time.Second, func() bool { _, err := os.Stat(s.path("up")); return err == nil || s.net.ended() }) || s.net.ended() {
		text, _ := os.ReadFile(s.net.log)
		return fmt.Errorf("no namespaces for Sendmail\n%s", text)
	}
	if err := s.inside(func() error {
		l, err := net.Listen("tcp", "127.0.0.1:2525")
		if err == nil {
			s.sink = sinkOn(l)
		}
		return err
	}); err != nil {
		return err
	}
	s.daemon, err = startProc("sendmail", s.path("sendmail.out"), nil,
		s.argv("/mnt/root/usr/libexec/sendmail/sendmail", "-C", "/mnt/etc/sendmail.cf", "-bD", "-q1h")...)
	if err != nil {
		return err
	}
	for _, addr := range []string{sendmailIP + ":25", "[" + sendmailIP6 + "]:25", fmt.Sprintf("%s:%d", sendmailIP, impatient)} {
		up := poll(20*time.Second, func() bool {
			conn, err := s.connect("", addr)
			if err == nil {
				conn.Close()
			}
			return err == nil || s.daemon.ended()
		})
		if !up || s.daemon.ended() {
			out, _ := os.ReadFile(s.daemon.log)
			logged, _ := os.ReadFile(s.path("mail.log"))
			return fmt.Errorf("Sendmail does not accept on %s\n%s\n%s", addr, out, lastLines(string(logged), 15))
		}
	}
	return nil
}

// argv is a command inside the namespaces.
func (s *sendmailLab) argv(cmd ...string) []string {
	return append([]string{"nsenter", "--target", fmt.Sprint(s.net.pid()), "--net", "--uts", "--mount"}, cmd...)
}

func (s *sendmailLab) writeLog() {
	f, err := os.OpenFile(s.path("mail.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := s.syslog.Read(buf)
		if err != nil {
			return
		}
		fmt.Fprintf(f, "%s\n", buf[:n])
	}
}

func (s *sendmailLab) stop() {
	if s == nil {
		return
	}
	s.daemon.stop(5 * time.Second)
	if s.sink != nil {
		s.sink.close()
	}
	s.net.stop(0)
	if s.syslog != nil {
		s.syslog.Close()
	}
}

// inside runs f in the network namespace. Sockets that f makes stay there. f must not start processes.
//
// The thread goes back: it must not end, because processes that it started would end with it (Pdeathsig in startProc).
func (s *sendmailLab) inside(f func() error) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.net.pid()))
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // a thread astray would break other tests in odd ways
		}
	}()
	return f()
}

// connect opens a TCP connection inside, from the given address unless that is "".
func (s *sendmailLab) connect(ip, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if ip != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	var conn net.Conn
	err := s.inside(func() (err error) {
		conn, err = d.Dial("tcp", addr)
		return err
	})
	return conn, err
}

// open connects as who, up to the reply to EHLO.
func (s *sendmailLab) open(who from, port int) (*client, error) {
	host := sendmailIP
	if strings.Contains(who.ip, ":") {
		host = sendmailIP6
	}
	conn, err := s.connect(who.ip, net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, r: bufio.NewReaderSize(conn, 8192)}
	rep, err := c.reply()
	if err == nil && rep.code == 220 {
		rep, err = c.cmd("EHLO " + who.helo)
	}
	if err != nil || rep.code != 250 {
		conn.Close()
		return nil, fmt.Errorf("%v: %w", rep, errOr(err, "refused"))
	}
	return c, nil
}

// dial is open for a test.
func (s *sendmailLab) dial(t *testing.T, who from) *client {
	t.Helper()
	c, err := s.open(who, 25)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return c
}

// command runs Sendmail's sendmail command.
func (s *sendmailLab) command(stdin []byte, args ...string) ([]byte, error) {
	return run(stdin, s.argv(append([]string{"/mnt/root/usr/libexec/sendmail/sendmail"}, args...)...)...)
}

// submit gives a message with LF line ends to the sendmail command, as programs do.
func (s *sendmailLab) submit(t *testing.T, mailFrom, to string, msg []byte) {
	t.Helper()
	if _, err := s.command(msg, "-Ac", "-C", "/mnt/etc/submit.cf", "-oi", "-f", mailFrom, to); err != nil {
		t.Fatal(err)
	}
}

// quarantined lists the quarantined messages: queue id -> what `mailq -qQ` says.
func (s *sendmailLab) quarantined(t *testing.T) map[string]string {
	t.Helper()
	out, err := s.command(nil, "-C", "/mnt/etc/sendmail.cf", "-bp", "-qQ")
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	id := ""
	first := regexp.MustCompile(`^[0-9A-Za-z]{14}`)
	for line := range strings.Lines(string(out)) {
		if m := first.FindString(line); m != "" {
			id = m
		}
		if id != "" {
			held[id] += line
		}
	}
	return held
}

// logged returns a function that reads what Sendmail has logged since now.
func (s *sendmailLab) logged() func() string {
	before, _ := os.ReadFile(s.path("mail.log"))
	return func() string {
		now, _ := os.ReadFile(s.path("mail.log"))
		return string(now[len(before):])
	}
}
