//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// dovecotLab is a Dovecot that only authenticates, as most of our users' Postfix asks it.
type dovecotLab struct {
	dir  string
	proc *proc
}

// The accounts of the lab: the usual one, one of another tenant, and one whose name has no domain. All have the
// same password.
const (
	saslUser, saslPassword = "kim@good.example", "correct horse"
	saslTenant, saslBare   = "lee@lax.example", "park"
)

// The account in the language of Dovecot 2.3, and of 2.4, which wants its version in the first line.
const (
	dovecot23 = `disable_plaintext_auth = no
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%%u %[2]s
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
`
	dovecot24 = `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
passdb passwd-file {
  passwd_file_path = %[2]s
  auth_username_format = %%{user}
  default_password_scheme = PLAIN
}
userdb static {
  fields {
    uid = 65534
    gid = 65534
    home = /nonexistent
  }
}
`
)

func (d *dovecotLab) socket() string { return filepath.Join(d.dir, "auth") }

func (d *dovecotLab) start() error {
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	users := filepath.Join(d.dir, "users")
	var accounts strings.Builder
	for _, user := range []string{saslUser, saslTenant, saslBare} {
		accounts.WriteString(user + ":{PLAIN}" + saslPassword + "\n")
	}
	if err := os.WriteFile(users, []byte(accounts.String()), 0o644); err != nil {
		return err
	}
	conf := filepath.Join(d.dir, "dovecot.conf")
	version, err := run(nil, "dovecot", "--version")
	if err != nil {
		return err
	}
	language := dovecot24 // Debian 13 and later
	if strings.HasPrefix(string(version), "2.2.") || strings.HasPrefix(string(version), "2.3.") {
		language = dovecot23
	}
	text := fmt.Sprintf(language+`base_dir = %[1]s/run
state_dir = %[1]s/state
instance_name = sealmilter-e2e
log_path = %[1]s/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login
auth_cache_size = 0
service auth {
  unix_listener %[3]s {
    mode = 0660
    user = postfix
    group = postfix
  }
}
`, d.dir, users, d.socket())
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	if d.proc, err = startProc("dovecot", filepath.Join(d.dir, "start.log"), nil, "dovecot", "-F", "-c", conf); err != nil {
		return err
	}
	up := poll(10*time.Second, func() bool {
		c, err := net.Dial("unix", d.socket())
		if err == nil {
			c.Close()
		}
		return err == nil || d.proc.ended()
	})
	if !up || d.proc.ended() {
		text, _ := os.ReadFile(d.proc.log)
		more, _ := os.ReadFile(filepath.Join(d.dir, "dovecot.log"))
		return fmt.Errorf("dovecot offers no %s: %s%s", d.socket(), text, more)
	}
	return nil
}

func (d *dovecotLab) stop() { d.proc.stop(5 * time.Second) }
