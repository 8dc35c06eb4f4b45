package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/sendmail"
	"github.com/sealmilter/sealmilter/internal/wholefile"
	"github.com/sealmilter/sealmilter/keys"
)

// commands finds out how sendmail.cf is built and Sendmail restarted here, unless
// the command line says it. Red Hat has a script beside the Makefile for hosts
// without make.
func (s *Sendmail) commands(ctx context.Context) {
	dir := filepath.Dir(s.MC)
	if s.Rebuild == "" {
		_, noMake := exec.LookPath("make")
		st, err := os.Stat(filepath.Join(dir, "make"))
		switch {
		case mta.Exists(filepath.Join(dir, "Makefile")) && noMake == nil:
			s.Rebuild = "make -C " + quote(dir)
		case err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0:
			s.Rebuild = quote(filepath.Join(dir, "make"))
		default:
			s.Rebuild = fmt.Sprintf("m4 -I %s %s >%s.new && mv %[3]s.new %[3]s", quote(dir), quote(s.MC), quote(s.cfPath()))
		}
	}
	if s.Restart == "" && mta.Exists("/run/systemd/system") {
		if _, err := runProgram(ctx, "systemctl", "is-active", "--quiet", "sendmail.service"); err == nil {
			s.Restart = "systemctl restart sendmail"
		}
	}
	for _, p := range []string{"/usr/libexec/sendmail/sendmail", "/usr/sbin/sendmail.sendmail", "/usr/sbin/sendmail"} {
		if s.Program == "" && mta.Exists(p) {
			s.Program = p
		}
	}
}

// quote makes one word of a path for the shell.
func quote(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// backup is the .mc without us.
func (s *Sendmail) backup() string { return s.MC + ".before-sealmilter" }

// wire proves the new sendmail.mc beside the running Sendmail, then puts it in
// place.
func (s *Sendmail) wire(ctx context.Context, plan sendmail.Plan, store *keys.Store) error {
	s.section("Sendmail")
	if err := s.prove(ctx, plan.Text, store); err != nil {
		return fail("Sendmail was not touched; its log says more", "%w", err)
	}
	if plan.Text == s.mcText && sendmail.Uses(s.cfText, s.socket) {
		s.ok("%s and %s are as they should be already", s.MC, s.cfPath())
		return nil
	}
	if _, ours := sendmail.Undo(s.mcText); !ours && plan.Text != s.mcText {
		if err := wholefile.Replace(s.backup(), []byte(s.mcText), 0o600); err != nil {
			return err
		}
		s.say("%s as it was is in %s", s.MC, s.backup())
	}
	if err := s.put(ctx, plan.Text, true); err != nil {
		return err
	}
	s.ok("%s and %s stand; --undo takes our lines out", s.MC, s.cfPath())
	return nil
}

// put writes the .mc, has the .cf built and Sendmail restarted. Unless Sendmail
// then does, or no longer does, use our socket, everything is put back.
func (s *Sendmail) put(ctx context.Context, text string, using bool) (err error) {
	greeted := s.greets(ctx)
	restarted := false
	defer func() {
		if err == nil {
			return
		}
		// The caller may have given up; putting back must not.
		back := context.WithoutCancel(ctx)
		rerr := wholefile.Replace(s.MC, []byte(s.mcText), 0o644)
		if s.cfText != "" && rerr == nil {
			rerr = wholefile.Replace(s.cfPath(), []byte(s.cfText), 0o644)
		}
		if rerr != nil {
			err = fail("sendmail.mc as it was is in "+s.backup(), "%w; and putting %s and %s back failed: %w", err, s.MC, s.cfPath(), notBack{rerr})
			return
		}
		if restarted {
			if _, rerr := runProgram(back, "sh", "-c", s.Restart); rerr != nil {
				err = fail("restart Sendmail", "%w; %s and %s are as they were, but Sendmail does not restart: %w", err, s.MC, s.cfPath(), notBack{rerr})
				return
			}
		}
		err = fail(s.MC+" and "+s.cfPath()+" are as they were", "%w", err)
	}()
	if err := wholefile.Replace(s.MC, []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := runProgram(ctx, "sh", "-c", s.Rebuild); err != nil {
		return err
	}
	cf, err := os.ReadFile(s.cfPath())
	if err != nil {
		return err
	}
	if sendmail.Uses(string(cf), s.socket) != using {
		return fmt.Errorf("`%s` did not build %s from %s", s.Rebuild, s.cfPath(), s.MC)
	}
	s.ok("built by `%s`", s.Rebuild)
	if s.Restart == "" {
		s.warn("restart Sendmail now: it works with its old configuration until then")
		return nil
	}
	restarted = true
	if _, err := runProgram(ctx, "sh", "-c", s.Restart); err != nil {
		return err
	}
	if greeted != nil {
		s.ok("restarted by `%s`", s.Restart)
		s.warn("not tried over SMTP: %s", greeted)
		return nil
	}
	if err := s.greetsAgain(ctx); err != nil {
		return err
	}
	s.ok("restarted by `%s`: it takes mail", s.Restart)
	return nil
}

// takeBack is --undo.
func (s *Sendmail) takeBack(ctx context.Context) error {
	text, found := sendmail.Undo(s.mcText)
	if !found {
		return fail("a milter that was added by hand goes out by hand", "nothing to undo: no lines of set-up stand in %s", s.MC)
	}
	for _, f := range s.mc.Filters() {
		if f.Name == sendmail.Name {
			s.socket = sendmail.Equate(f.Spec, "S")
		}
	}
	s.block(postfix.Diff(s.MC, s.mcText, text))
	if s.DryRun {
		s.say("\nNothing was changed (--dry-run). %s; %s", s.Rebuild, or(s.Restart, "restart Sendmail"))
		return nil
	}
	if err := s.put(ctx, text, false); err != nil {
		return err
	}
	s.ok("our lines are out of %s; mail leaves unsigned from now on", s.MC)
	s.say("Keys, %s and the daemon stay as they are.", s.Config)
	return nil
}
