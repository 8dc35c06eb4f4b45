package setup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/child"
	"github.com/sealmilter/sealmilter/internal/sendmail"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter/witness"
)

// restartFor is how long a Sendmail may take until it greets after a restart.
const restartFor = 15 * time.Second

// milterTempfail is what Sendmail answers when a milter with F=T fails.
const milterTempfail = "4.3.2"

// prove builds a sendmail.cf from the new text, with a witness behind our milter,
// beside the real one. A Sendmail that serves a single connection (-bs, as under
// inetd) then passes on a message of each domain: the running one does not notice.
func (s *Sendmail) prove(ctx context.Context, text string, store *keys.Store) error {
	if s.Program == "" {
		return errors.New("where is Sendmail? name its program with --sendmail")
	}
	dir, err := os.MkdirTemp(filepath.Dir(s.MC), ".sealmilter-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := own(dir, 0o755, -1, -1); err != nil { // RunAsUser
		return err
	}
	token, sock := rand.Text(), filepath.Join(dir, "w.sock")
	mc, cf := filepath.Join(dir, "proof.mc"), filepath.Join(dir, "proof.cf")
	if err := os.WriteFile(mc, []byte(sendmail.WithWitness(text, "witness", "unix:"+sock)), 0o644); err != nil {
		return err
	}
	out, err := runProgram(ctx, "m4", "-I", filepath.Dir(s.MC), mc)
	if errors.Is(err, exec.ErrNotFound) {
		return fail("install m4", "%s cannot be built: %w", s.cfPath(), err)
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(cf, []byte(out), 0o644); err != nil {
		return err
	}
	if !sendmail.Uses(out, s.socket) || !sendmail.Uses(out, "unix:"+sock) {
		return fmt.Errorf("the milters do not arrive in a sendmail.cf that is built from %s; does it set confINPUT_MAIL_FILTERS in a file that it includes?", s.MC)
	}
	l, err := socket.Listen("unix", sock, socket.Options{Mode: 0o666})
	if err != nil {
		return err
	}
	w := witness.Listen(l, token)
	defer w.Close()
	for _, d := range s.Domains {
		// The null sender: the domain need not be in the DNS yet. What is signed goes by From.
		refused, err := s.oneConnection(ctx, cf, func(c net.Conn) error { return converse(c, "", d, token) })
		switch {
		case err != nil:
			return fmt.Errorf("a Sendmail with the new configuration: %w", err)
		case strings.Contains(refused, milterTempfail):
			return fmt.Errorf("a Sendmail with the new configuration cannot use %s: %s", s.socket, refused)
		case refused != "":
			s.warn("not proved with a message of %s: Sendmail refuses mail to postmaster@%s: %s", d, d, refused)
			continue
		}
		raw, err := await(ctx, w, smtpWitnessFor)
		if err != nil {
			return err
		}
		signing, _, err := store.PickTrial(d)
		if err == nil {
			err = provesItself(raw, signing)
		}
		if err != nil {
			return fmt.Errorf("a message of %s behind Sendmail and sealmilter: %w", d, err)
		}
		s.ok("a message of %s went through a Sendmail with the new %s: signed and verified; it was not delivered", d, filepath.Base(s.MC))
	}
	return nil
}

// oneConnection has Sendmail serve one connection from 127.0.0.1. refused is its
// reason not to take the message.
func (s *Sendmail) oneConnection(ctx context.Context, cf string, talk func(net.Conn) error) (refused string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	conn, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	theirs, err := l.Accept()
	if err != nil {
		return "", err
	}
	f, err := theirs.(*net.TCPConn).File()
	theirs.Close()
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, 2*smtpFor)
	defer cancel()
	cmd, err := child.Command(limited, "", s.Program, "-C", cf, "-bs")
	if err != nil {
		f.Close()
		return "", err
	}
	var stderr child.Bounded
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &stderr
	err = cmd.Start()
	f.Close()
	if err != nil {
		return "", err
	}
	conn.SetDeadline(time.Now().Add(smtpFor))
	err = talk(conn)
	conn.Close()
	ended := cmd.Wait()
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Error(), nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w (%v) %s", s.Program, err, ended, strings.TrimSpace(stderr.String()))
	}
	return "", nil
}

// greets asks the running Sendmail for a greeting and whether it takes a sender,
// which it does not while a milter with F=T fails. Nothing is sent.
func (s *Sendmail) greets(ctx context.Context) error {
	cf := s.cfText
	if now, err := os.ReadFile(s.cfPath()); err == nil {
		cf = string(now)
	}
	addr := sendmail.SMTPAddress(cf)
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(smtpFor))
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	if err := c.Hello("localhost"); err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	if err := c.Mail("postmaster@localhost"); err != nil && strings.Contains(err.Error(), milterTempfail) {
		return fmt.Errorf("%w: %s: %w", errMilterFails, addr, err)
	}
	c.Quit()
	return nil
}

var errMilterFails = errors.New("the restarted Sendmail cannot use the milter")

// greetsAgain waits for the restarted Sendmail, unless it defers mail already.
func (s *Sendmail) greetsAgain(ctx context.Context) error {
	for end := time.Now().Add(restartFor); ; {
		err := s.greets(ctx)
		if err == nil || errors.Is(err, errMilterFails) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}
