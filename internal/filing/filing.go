// Package filing is about what becomes of mail that the policy only tags
// (quarantine: tag): the lines that make a delivery agent put it into a folder
// of its own, and whether this host has any. It changes nothing, and cannot see
// what a user's own filters do.
package filing

import (
	"os"
	"path/filepath"
	"strings"
)

// Field is what tagged mail has; policy adds it, and removes what arrives.
const Field = "X-Quarantine"

// Sieve is a script for all users of Dovecot's Pigeonhole (RFC 5228, RFC 5490).
// It stops, so that no vacation of a user's answers a forger's victim.
const Sieve = `require ["fileinto", "mailbox"];
if exists "X-Quarantine" {
  fileinto :create "Junk";
  stop;
}
`

// SievePath is where set-up and the guides have the script.
const SievePath = "/etc/dovecot/sieve/quarantine.sieve"

// Dovecot makes version 2.3 run the script before the users' own.
const Dovecot = `protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
protocol lda {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve_before = ` + SievePath + `
}
`

// Procmail is for the top of /etc/procmailrc.
const Procmail = `DROPPRIVS=yes

:0
* ^X-Quarantine:
{
  :0 icw
  | mkdir -p "$HOME/mail"

  :0:
  $HOME/mail/Junk
}
`

const (
	// maxFile bounds what is read of one file: a filter is a text of people's.
	maxFile = 1 << 20
	// maxFiles bounds the scripts of a folder.
	maxFiles = 1000
)

// Host is where to look.
type Host struct {
	Root string // "" for /
	// Dovecot is what doveconf -n prints, "" when it is not here.
	Dovecot string
	// Checks is Postfix's milter_header_checks, which sees the fields that
	// milters add.
	Checks string
}

// Look returns the file by which tagged mail is filed for all users, "" when
// none mentions the field.
func (h Host) Look() string {
	paths := []string{"/etc/procmailrc", "/etc/maildroprc", "/etc/courier/maildroprc"}
	paths = append(paths, sieves(h.Dovecot)...)
	for _, table := range strings.FieldsFunc(h.Checks, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if kind, path, ok := strings.Cut(table, ":"); ok && (kind == "regexp" || kind == "pcre") {
			paths = append(paths, path)
		}
	}
	for _, p := range paths {
		if found := h.mentioned(p); found != "" {
			return found
		}
	}
	return ""
}

// sieves lists the scripts and folders of scripts that Dovecot runs for all
// users; of a Dovecot that does not run Sieve, none.
func sieves(conf string) []string {
	var paths []string
	runs := false
	for line := range strings.Lines(conf) {
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok:
		case name == "mail_plugins" && strings.Contains(value, "sieve"), name == "sieve" && value == "yes": // 2.3, 2.4
			runs = true
		case strings.HasPrefix(name, "sieve_before"), strings.HasPrefix(name, "sieve_after"), name == "sieve_default", name == "sieve_script_path":
			value, _, _ = strings.Cut(strings.TrimPrefix(value, "file:"), ";")
			paths = append(paths, value)
		}
	}
	if !runs {
		return nil
	}
	return paths
}

// mentioned is path, or a script in the folder path, when it names the field.
func (h Host) mentioned(path string) string {
	if !filepath.IsAbs(path) || strings.ContainsAny(path, "%~") { // a user's
		return ""
	}
	if scripts, _ := filepath.Glob(filepath.Join(h.Root, path, "*.sieve")); len(scripts) > 0 {
		for _, s := range scripts[:min(len(scripts), maxFiles)] {
			if mentions(s) {
				return strings.TrimPrefix(s, h.Root)
			}
		}
		return ""
	}
	if mentions(filepath.Join(h.Root, path)) {
		return path
	}
	return ""
}

// mentions reports whether the file names the field outside of comments.
func mentions(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if strings.Contains(strings.ToLower(line), strings.ToLower(Field)) {
			return true
		}
	}
	return false
}

// Advice is what to do where Look finds nothing.
func (h Host) Advice() string {
	var b strings.Builder
	b.WriteString("Forged mail that looks forwarded is delivered with a field " + Field + " (policy.quarantine: tag), and nothing here files it.\n")
	file := func(path, text string) {
		b.WriteString("\n" + path + "\n")
		for line := range strings.Lines(text) {
			b.WriteString(strings.TrimRight("    "+line, " \n") + "\n")
		}
	}
	if h.Dovecot != "" {
		b.WriteString("With Dovecot's Sieve (package dovecot-sieve, or dovecot-pigeonhole):\n")
		file(SievePath, Sieve)
		file("/etc/dovecot/conf.d/99-quarantine.conf (Dovecot 2.3)", Dovecot)
		b.WriteString("\nThen: sievec " + SievePath + " && systemctl restart dovecot\n")
	} else {
		b.WriteString("Where procmail delivers:\n")
		file("/etc/procmailrc", Procmail)
	}
	b.WriteString("\nOr keep it in the MTA's hold queue: policy: {quarantine: hold}\n")
	return b.String()
}
