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

// sendmailMC is sendmail.mc as on a cloud instance that sends through a smart host, with INPUT_MAIL_FILTER as our
// documentation has it. The second daemon reads its milter with T= shorter than a slow resolver.
const sendmailMC = `divert(0)dnl
define(` + "`_USE_ETC_MAIL_'" + `)dnl
define(` + "`MAIL_SETTINGS_DIR', `/mnt/etc/'" + `)dnl
define(` + "`sm_version', `8'" + `)dnl
include(` + "`cf.m4'" + `)dnl
OSTYPE(` + "`debian'" + `)dnl
define(` + "`confDOMAIN_NAME', `app.good.example'" + `)dnl
define(` + "`confRUN_AS_USER', `root'" + `)dnl
define(` + "`confTRUSTED_USER', `root'" + `)dnl
define(` + "`confDEF_USER_ID', `nobody:nogroup'" + `)dnl
define(` + "`confPID_FILE', `/mnt/pid'" + `)dnl
define(` + "`QUEUE_DIR', `/mnt/queue'" + `)dnl
define(` + "`STATUS_FILE', `/mnt/statistics'" + `)dnl
define(` + "`HELP_FILE', `/dev/null'" + `)dnl
define(` + "`ALIAS_FILE', `/mnt/etc/aliases'" + `)dnl
define(` + "`confSERVICE_SWITCH_FILE', `/mnt/etc/service.switch'" + `)dnl
undefine(` + "`confHOST_STATUS_DIRECTORY'" + `)dnl
define(` + "`confDONT_PROBE_INTERFACES', `True'" + `)dnl
define(` + "`confTO_IDENT', `0'" + `)dnl
define(` + "`confMIN_QUEUE_AGE', `0'" + `)dnl
define(` + "`SMART_HOST', `esmtp:[127.0.0.1]'" + `)dnl
define(` + "`ESMTP_MAILER_ARGS', `TCP $h 2525'" + `)dnl
FEATURE(` + "`nocanonify'" + `)dnl
FEATURE(` + "`accept_unresolvable_domains'" + `)dnl
FEATURE(` + "`access_db', `hash -T<TMPF> /mnt/etc/access'" + `)dnl
FEATURE(` + "`no_default_msa'" + `)dnl
INPUT_MAIL_FILTER(` + "`sealmilter', `S=unix:%[1]s, F=T'" + `)dnl
MAIL_FILTER(` + "`impatient', `S=unix:%[1]s, F=T, T=S:4s;R:4s;E:1m'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=MTA-v4, Port=25'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet6, Name=MTA-v6, Addr=" + sendmailIP6 + ", Port=25'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=MSA, Port=587, M=Ea'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=impatient, Port=%[2]d, InputMailFilters=impatient'" + `)dnl
define(` + "`confAUTH_MECHANISMS', `PLAIN LOGIN'" + `)dnl
define(` + "`confAUTH_OPTIONS', `A'" + `)dnl
TRUST_AUTH_MECH(` + "`PLAIN LOGIN'" + `)dnl
define(` + "`LOCAL_MAILER_PATH', `/mnt/root/usr/libexec/sendmail/mail.local'" + `)dnl
define(` + "`LOCAL_MAILER_ARGS', `mail.local -f $g $u'" + `)dnl
MAILER(` + "`local'" + `)dnl
MAILER(` + "`smtp'" + `)dnl
`

// submitMC is Debian's submit.mc: the sendmail command hands its mail to the daemon over loopback.
const submitMC = `divert(0)dnl
define(` + "`_USE_ETC_MAIL_'" + `)dnl
define(` + "`MAIL_SETTINGS_DIR', `/mnt/etc/'" + `)dnl
define(` + "`sm_version', `8'" + `)dnl
include(` + "`cf.m4'" + `)dnl
OSTYPE(` + "`debian'" + `)dnl
define(` + "`confDOMAIN_NAME', `app.good.example'" + `)dnl
define(` + "`confRUN_AS_USER', `mail:mail'" + `)dnl
define(` + "`confMIN_QUEUE_AGE', `0'" + `)dnl
define(` + "`MSP_QUEUE_DIR', `/mnt/clientqueue'" + `)dnl
define(` + "`confPID_FILE', `/mnt/clientqueue/pid'" + `)dnl
define(` + "`confSERVICE_SWITCH_FILE', `/mnt/etc/service.switch'" + `)dnl
undefine(` + "`confHOST_STATUS_DIRECTORY'" + `)dnl
FEATURE(` + "`msp', `[127.0.0.1]', `25'" + `)dnl
`

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

// configure writes everything below etc.
func (s *sendmailLab) configure() error {
	mail, err := lookAccount("mail")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(s.path("queue"), 0o700), os.Chmod(s.path("mail"), 0o777|os.ModeSticky), os.Chmod(s.path("clientqueue"), 0o770), os.Chown(s.path("clientqueue"), mail.uid, mail.gid)); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"sendmail.mc":      fmt.Sprintf(sendmailMC, "/mnt/run/"+filepath.Base(s.socket), impatient),
		"submit.mc":        submitMC,
		"aliases":          "",
		"relay-domains":    "",
		"local-host-names": "",
		"trusted-users":    "root\nmail\n",
		"service.switch":   "hosts files\naliases files\n",
		"hosts":            "127.0.0.1 app.good.example app localhost\n::1 localhost\n192.0.2.10 mail.sender.example\n",
		"resolv.conf":      "",
	} {
		if err := os.WriteFile(s.path("etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	cf := s.path("root", "usr", "share", "sendmail", "cf")
	for _, name := range []string{"sendmail", "submit"} {
		out, err := run(nil, "m4", "-D_CF_DIR_="+cf+"/", "-I", filepath.Join(cf, "m4"), s.path("etc", name+".mc"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.path("etc", name+".cf"), out, 0o644); err != nil {
			return err
		}
	}
	access := "Connect:127.0.0.1\tRELAY\nConnect:192.168.5\tRELAY\nTo:good.example\tRELAY\nTo:lax.example\tRELAY\n"
	_, err = run([]byte(access), s.path("root", "usr", "libexec", "sendmail", "makemap"), "-C", s.path("etc", "sendmail.cf"), "hash", s.path("etc", "access"))
	return err
}

// sasl makes the one account: Cyrus SASL with a password database of its own. Its folder stands in the place of
// /usr/lib/sasl2, where Debian's Sendmail has its Sendmail.conf.
func (s *sendmailLab) sasl() error {
	if err := os.WriteFile(s.path("sasl", "Sendmail.conf"), []byte("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /mnt/sasl/sasldb2\nmech_list: PLAIN LOGIN\n"), 0o644); err != nil {
		return err
	}
	user, realm, _ := strings.Cut(saslUser, "@")
	_, err := run([]byte(saslPassword), "saslpasswd2", "-c", "-p", "-f", s.path("sasl", "sasldb2"), "-u", realm, user)
	return err
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
