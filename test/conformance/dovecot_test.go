package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// dovecotIMAP is Debian's imap process of Dovecot, which serves one mailbox on stdin
// and stdout when it is not started by Dovecot's master.
const dovecotIMAP = "/usr/lib/dovecot/imap"

// dovecot reads the From fields of messages as its ENVELOPE has them.
type dovecot struct{ dir, conf string }

func needDovecot(t *testing.T) *dovecot {
	t.Helper()
	if _, err := os.Stat(dovecotIMAP); err != nil {
		why := "needs Debian's package dovecot-imapd: run test/e2e/install-packages.sh"
		if os.Getenv("SEALMILTER_CI") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	// Not t.TempDir, which is below a directory of mode 0700: Dovecot serves no
	// mail to root, so as root it is another user's.
	dir, err := os.MkdirTemp("", "sealmilter-dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &dovecot{dir: dir, conf: filepath.Join(dir, "dovecot.conf")}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65534 // nobody
	}
	conf := fmt.Sprintf("base_dir = %[1]s/run\nstate_dir = %[1]s/run\nmail_location = maildir:%[1]s/mail\nlog_path = /dev/null\nprotocols =\nssl = no\n"+
		"mail_fsync = never\nmail_uid = %d\nmail_gid = %d\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n", dir, uid, gid)
	if err := os.WriteFile(d.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"", "run", "mail", "mail/cur", "mail/new", "mail/tmp"} {
		path := filepath.Join(dir, sub)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(path, 0o755), os.Chown(path, uid, gid)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// authors gives for each value of a From field the mailbox@host of its addresses.
func (d *dovecot) authors(values []string) ([][]string, error) {
	mail := filepath.Join(d.dir, "mail")
	for i, v := range values {
		name := filepath.Join(mail, "cur", fmt.Sprintf("%07d.x:2,", i+1))
		if err := os.WriteFile(name, []byte("From:"+v+"\r\n\r\nx\r\n"), 0o644); err != nil {
			return nil, err
		}
	}
	defer func() { // with its index files
		for _, pattern := range []string{"cur/*", "dovecot*"} {
			names, _ := filepath.Glob(filepath.Join(mail, pattern))
			for _, n := range names {
				os.Remove(n)
			}
		}
	}()
	cmd := exec.Command(dovecotIMAP, "-c", d.conf)
	cmd.Env = []string{"USER=reader", "HOME=" + mail}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_, err = io.WriteString(in, "a EXAMINE INBOX\r\nb FETCH 1:* (ENVELOPE)\r\n")
	all, bad := readEnvelopes(bufio.NewReader(out), len(values))
	in.Close() // it ends with its input, whatever it was about to say
	io.Copy(io.Discard, out)
	if err := errors.Join(err, bad, cmd.Wait()); err != nil {
		return nil, fmt.Errorf("%s: %w: %.2000s", dovecotIMAP, err, said.String())
	}
	return all, nil
}

// readEnvelopes reads IMAP's answers to FETCH ENVELOPE (RFC 3501 §7.4.2).
func readEnvelopes(in *bufio.Reader, n int) ([][]string, error) {
	all := make([][]string, n)
	found := 0
	for found < n {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%d of %d envelopes: %w", found, n, err)
		}
		var seq int
		if _, err := fmt.Sscanf(line, "* %d FETCH (ENVELOPE ", &seq); err != nil || seq < 1 || seq > n {
			continue
		}
		l := &imapList{in: in, line: line[strings.Index(line, "ENVELOPE ")+len("ENVELOPE "):]}
		v, err := l.value()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		envelope, _ := v.([]any)
		if len(envelope) != 10 {
			return nil, fmt.Errorf("%q: %d parts", line, len(envelope))
		}
		from, _ := envelope[2].([]any)
		for _, a := range from {
			parts, _ := a.([]any)
			if len(parts) != 4 {
				return nil, fmt.Errorf("%q: no address", line)
			}
			for _, p := range []int{1, 3} { // a route, and the host
				if host, ok := parts[p].(string); ok {
					local, _ := parts[2].(string)
					all[seq-1] = append(all[seq-1], local+"@"+host)
				}
			}
		}
		found++
	}
	return all, nil
}

// imapList parses NIL, strings, literals and lists of them.
type imapList struct {
	in   *bufio.Reader
	line string
}

func (l *imapList) value() (any, error) {
	switch {
	case strings.HasPrefix(l.line, "NIL"):
		l.line = l.line[3:]
		return nil, nil
	case strings.HasPrefix(l.line, "("):
		l.line = l.line[1:]
		list := []any{}
		for {
			l.line = strings.TrimLeft(l.line, " ")
			if strings.HasPrefix(l.line, ")") {
				l.line = l.line[1:]
				return list, nil
			}
			v, err := l.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	case strings.HasPrefix(l.line, `"`):
		var b strings.Builder
		for i := 1; i < len(l.line); i++ {
			switch c := l.line[i]; c {
			case '"':
				l.line = l.line[i+1:]
				return b.String(), nil
			case '\\':
				i++
				b.WriteByte(l.line[i])
			default:
				b.WriteByte(c)
			}
		}
	case strings.HasPrefix(l.line, "{"):
		size, err := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(strings.TrimSpace(l.line), "{"), "}"))
		if err != nil {
			return nil, err
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(l.in, b); err != nil {
			return nil, err
		}
		l.line, err = l.in.ReadString('\n')
		return string(b), err
	}
	return nil, fmt.Errorf("no value at %.100q", l.line)
}
