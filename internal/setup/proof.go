package setup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/child"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter/witness"
)

const (
	selfTestFor = 8 * time.Second  // a daemon that was told to reload needs a moment
	witnessFor  = 30 * time.Second // pickup looks at once; a busy host may be late
	smtpFor     = time.Minute      // postscreen greets after 6 s
	sendmailFor = time.Minute      // it only writes a file, where Postfix is well
	// Postfix answers after the witness has.
	smtpWitnessFor = 2 * time.Second
	// In the queue directory, while a proof runs.
	witnessFolder = "sealmilter-setup"
)

// proof is what stands in Postfix while it proves itself.
type proof struct {
	host    postfix.Host
	socket  string // of the witness, as this process sees it
	item    string // as Postfix has to name it
	group   string
	domain  string
	signing []*keys.Key
	id      string // authserv-id
	token   string
	alone   bool // no other milter stands in main.cf
	// stranger: the message comes from an address that is not loopback.
	stranger bool
	notes    []string // what could not be seen
}

// newProof puts the witness into a folder of its own in Postfix's queue, which
// belongs to root. Our own socket's folder may be the daemon's, who could move the
// witness away and put a link there.
func newProof(h postfix.Host) *proof {
	p := &proof{host: h, group: h.Values.Get("mail_owner"), token: rand.Text()}
	at := filepath.Join(witnessFolder, postfix.WitnessSocket)
	p.socket = filepath.Join(h.Values.Get("queue_directory"), at)
	p.item = "unix:" + at
	if h.OwnDefaultAction() {
		p.item = "{ " + p.item + ", default_action=accept, connect_timeout=5s }"
	}
	return p
}

// run sends a message with the sendmail command and one by SMTP, and looks at
// both behind our milter. Each is named in proved, or there is a note why not.
func (p *proof) run(ctx context.Context, w *witness.Witness) (proved, notes []string, err error) {
	if !p.host.LocalMilters() {
		notes = append(notes, "not proved with the sendmail command: master.cf keeps its mail from milters")
	} else {
		if err := p.bySendmail(ctx); err != nil {
			return nil, nil, err
		}
		raw, err := await(ctx, w, witnessFor)
		if err == nil {
			err = p.judge(raw)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("a message of the sendmail command: %w", err)
		}
		proved = append(proved, "the sendmail command")
	}
	addr := p.smtpAddress()
	if addr == "" {
		notes = append(notes, p.notes...)
		return proved, append(notes, "not proved over SMTP: no such service answers on this host's own addresses"), nil
	}
	to, err := netip.ParseAddrPort(addr)
	p.stranger = err == nil && !to.Addr().IsLoopback()
	// A process of before the reload may take the first connection.
	for range 3 {
		refused, err := p.bySMTP(ctx, addr)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("a message to %s: %w", addr, err)
		case refused != "":
			notes = append(notes, p.notes...)
			return proved, append(notes, "not proved over SMTP: "+addr+" refuses mail to postmaster@"+p.domain+": "+refused), nil
		}
		raw, err := await(ctx, w, smtpWitnessFor)
		if err == nil {
			if err := p.judge(raw); err != nil {
				return nil, nil, fmt.Errorf("a message to %s: %w", addr, err)
			}
			return append(proved, "SMTP to "+addr), append(notes, slices.Compact(p.notes)...), nil
		}
	}
	return nil, nil, fmt.Errorf("messages to %s did not pass sealmilter: the mail log says why", addr)
}

func await(ctx context.Context, w *witness.Witness, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case raw := <-w.Seen():
		return raw, nil
	case <-ctx.Done():
		return "", errNoProof
	}
}

func (p *proof) bySendmail(ctx context.Context) error {
	path := p.host.Values.Get("sendmail_path")
	if path == "" {
		path = "/usr/sbin/sendmail"
	}
	who := "postmaster@" + p.domain
	ctx, cancel := context.WithTimeout(ctx, sendmailFor)
	defer cancel()
	cmd, err := child.Command(ctx, "", path, "-C", p.host.Values.Get("config_directory"), "-i", "-f", who, "--", who)
	if err != nil {
		return err
	}
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(testMessage(p.domain, p.token, time.Now()), "\r\n", "\n"))
	if _, err := child.Output(cmd); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// bySMTP plays a client of the host itself. refused is Postfix's reason not to
// take the message, which need not have to do with us.
func (p *proof) bySMTP(ctx context.Context, addr string) (refused string, err error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(smtpFor))
	err = converse(conn, "postmaster@"+p.domain, p.domain, p.token)
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Error(), nil
	}
	return "", err
}

// converse sends the message of a domain, to its postmaster.
func converse(conn net.Conn, mailFrom, domain, token string) error {
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return err
	}
	who := "postmaster@" + domain
	if err := c.Hello("localhost"); err != nil {
		return err
	}
	if err := c.Mail(mailFrom); err != nil {
		return err
	}
	if err := c.Rcpt(who); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(testMessage(domain, token, time.Now()))); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// smtpAddress is where this host takes mail from the world: its SMTP service on
// the first of its own addresses that answers.
func (p *proof) smtpAddress() string {
	for _, s := range p.host.Master.Services() {
		if s.Type != "inet" || s.Command != "smtpd" && s.Command != "postscreen" || p.host.Reinjection(s) {
			continue
		}
		host, port := "", s.Name
		if i := strings.LastIndexByte(s.Name, ':'); i >= 0 {
			host, port = strings.Trim(s.Name[:i], "[]"), s.Name[i+1:]
		}
		if slices.Contains([]string{"submission", "submissions", "smtps", "465", "587"}, port) {
			continue
		}
		if _, marked := s.Option("milter_macro_daemon_name"); marked {
			continue
		}
		hosts := []string{host}
		if host == "" {
			hosts = []string{"127.0.0.1", "::1"}
			for _, i := range postfix.List(p.host.Values.Get("inet_interfaces")) {
				if i != "all" && i != "loopback-only" {
					hosts = append(hosts, strings.Trim(i, "[]"))
				}
			}
		}
		for _, h := range hosts {
			addr := net.JoinHostPort(h, port)
			if c, err := net.DialTimeout("tcp", addr, 2*time.Second); err == nil {
				c.Close()
				return addr
			}
		}
	}
	return ""
}

// listen opens the witness's socket, of Postfix's group by that of the folder;
// close takes both away.
func (p *proof) listen() (w *witness.Witness, close func(), err error) {
	dir := filepath.Dir(p.socket)
	if err := socketFolder(dir, p.group); err != nil {
		return nil, nil, err
	}
	l, err := socket.Listen("unix", p.socket, socket.Options{Mode: 0o660})
	if err != nil {
		return nil, nil, err
	}
	w = witness.Listen(l, p.token)
	return w, func() { w.Close(); os.Remove(dir) }, nil
}
