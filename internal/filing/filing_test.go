package filing

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	tagged = "From: a@b.example\nTo: x@y.example\nX-Quarantine: dmarc-quarantine; dmarc=fail\nSubject: x\n\nhello\n"
	plain  = "From: a@b.example\nTo: x@y.example\nSubject: X-Quarantine: no\n\nX-Quarantine: no\n"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// program finds a delivery agent, or skips.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SEALMILTER_CI") == "1" {
			t.Fatal(err)
		}
		t.Skipf("%v: it is in Debian's package %s", err, pkg)
	}
	return path
}

// TestSieveFilesTaggedMail: a real Pigeonhole understands the script, and puts
// tagged mail into Junk and other mail nowhere else than before.
func TestSieveFilesTaggedMail(t *testing.T) {
	sieve := program(t, "sieve-test", "dovecot-sieve")
	dir := t.TempDir()
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65534 // Dovecot delivers nothing as root
	}
	conf := write(t, filepath.Join(dir, "dovecot.conf"), "protocols =\nssl = no\nlog_path = /dev/stderr\nbase_dir = "+dir+"/run\nstate_dir = "+dir+"/run\n"+
		fmt.Sprintf("mail_uid = %d\nmail_gid = %d\nmail_home = %[3]s\nmail_location = maildir:%[3]s/Maildir\n", uid, gid, dir))
	script := write(t, filepath.Join(dir, "quarantine.sieve"), Sieve)
	for mail, want := range map[string]string{tagged: "store message in folder: Junk", plain: "store message in folder: INBOX"} {
		// sieve-test gives root's rights up; that user must get at the files.
		for _, d := range []string{dir, filepath.Dir(dir)} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(sieve, "-c", conf, script, write(t, filepath.Join(dir, "m.eml"), mail)).CombinedOutput()
		if err != nil || strings.Count(string(out), "store message") != 1 || !strings.Contains(string(out), want) {
			t.Errorf("%v, want %q:\n%s", err, want, out)
		}
	}
}

// TestProcmailFilesTaggedMail: the same with a real procmail.
func TestProcmailFilesTaggedMail(t *testing.T) {
	procmail := program(t, "procmail", "procmail")
	dir := t.TempDir()
	rc := write(t, filepath.Join(dir, "procmailrc"), Procmail)
	for _, mail := range []string{tagged, plain, tagged} {
		cmd := exec.Command(procmail, "-m", "HOME="+dir, "DEFAULT="+dir+"/inbox", rc)
		cmd.Stdin = strings.NewReader(mail)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	}
	junk, _ := os.ReadFile(dir + "/mail/Junk")
	inbox, _ := os.ReadFile(dir + "/inbox")
	if strings.Count(string(junk), "X-Quarantine: dmarc") != 2 || string(inbox) != plain+"\n" {
		t.Errorf("Junk:\n%s\ninbox:\n%s", junk, inbox)
	}
}

func TestLook(t *testing.T) {
	const runs = "protocol lmtp {\n  mail_plugins = \" sieve\"\n}\nplugin {\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n  "
	for name, tc := range map[string]struct {
		dovecot, checks, file, text, want string
	}{
		"nothing":                        {"", "", "/etc/nothing", "", ""},
		"the script as it is written":    {runs + "sieve_before = " + SievePath + "\n}\n", "", SievePath, Sieve, SievePath},
		"a folder of scripts":            {runs + "sieve_before2 = /etc/dovecot/before.d\n}\n", "", "/etc/dovecot/before.d/x.sieve", Sieve, "/etc/dovecot/before.d/x.sieve"},
		"with an option":                 {runs + "sieve_after = file:/etc/x.sieve;bindir=/var/x\n}\n", "", "/etc/x.sieve", Sieve, "/etc/x.sieve"},
		"any case":                       {runs + "sieve_default = /etc/x.sieve\n}\n", "", "/etc/x.sieve", "if exists \"x-quarantine\" { keep; }", "/etc/x.sieve"},
		"Dovecot 2.4":                    {"protocol lmtp {\n  mail_plugins {\n    sieve = yes\n  }\n}\nsieve_script a {\n  type = before\n  sieve_script_path = /etc/x.sieve\n}\n", "", "/etc/x.sieve", Sieve, "/etc/x.sieve"},
		"only in a comment":              {runs + "sieve_before = /etc/x.sieve\n}\n", "", "/etc/x.sieve", "# if exists \"X-Quarantine\" {}\nkeep;\n", ""},
		"something else":                 {runs + "sieve_before = /etc/x.sieve\n}\n", "", "/etc/x.sieve", "keep;\n", ""},
		"a script that nobody runs":      {runs + "}\n", "", SievePath, Sieve, ""},
		"a Dovecot without Sieve":        {"plugin {\n  sieve_before = /etc/x.sieve\n}\n", "", "/etc/x.sieve", Sieve, ""},
		"a user's":                       {runs + "sieve_before = /var/%u.sieve\n}\n", "", "/var/%u.sieve", Sieve, ""},
		"procmail":                       {"", "", "/etc/procmailrc", Procmail, "/etc/procmailrc"},
		"maildrop":                       {"", "", "/etc/courier/maildroprc", "if (/^X-Quarantine:/) { to \"$HOME/Maildir/.Junk\" }\n", "/etc/courier/maildroprc"},
		"Postfix, of milters' fields":    {"", "hash:/etc/a, pcre:/etc/postfix/checks", "/etc/postfix/checks", "/^X-Quarantine:/ REDIRECT a@b.example\n", "/etc/postfix/checks"},
		"Postfix, a table of other kind": {"", "hash:/etc/postfix/checks", "/etc/postfix/checks", "/^X-Quarantine:/ HOLD\n", ""},
		"a file larger than filters are": {"", "", "/etc/procmailrc", strings.Repeat("\n", maxFile) + Procmail, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root+tc.file, tc.text)
			if got := (Host{Root: root, Dovecot: tc.dovecot, Checks: tc.checks}).Look(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestGuidesFileTaggedMail: what the guides have people type is what is tested
// here.
func TestGuidesFileTaggedMail(t *testing.T) {
	for guide, texts := range map[string][]string{
		"postfix-mariadb-dovecot.md": {Sieve, Dovecot},
		"sendmail-nat.md":            {Procmail},
	} {
		for _, dir := range []string{"", "ko/"} {
			text, err := os.ReadFile("../../docs/guides/" + dir + guide)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range texts {
				if !strings.Contains(string(text), "\n"+want) {
					t.Errorf("%s%s does not have\n%s", dir, guide, want)
				}
			}
		}
	}
}
