package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

// TestDatabaseAdvice: the lines to paste are whole, the configuration among them can be
// used, and Postfix's password is in none of them.
func TestDatabaseAdvice(t *testing.T) {
	none := func(string) bool { return false }
	text := "user = servermail\npassword = secret\nhosts = 127.0.0.1\ndbname = servermail\nquery = SELECT 1 FROM `domains_table` WHERE DomainName='%s' AND active = '1'\n"
	got := databaseAdvice(postfix.ParseDomainTable("mysql", "/etc/postfix/d.cf", text), "/etc/sealmilter/milter.yaml", none)
	for _, line := range []string{
		"CREATE USER 'sealmilter'@'localhost' IDENTIFIED BY 'PASSWORD';", "GRANT SELECT (DomainName, active) ON servermail.`domains_table` TO 'sealmilter'@'localhost';",
		"install -m 0640 -g sealmilter /dev/null /etc/sealmilter/dsn", "sealmilter:PASSWORD@tcp(127.0.0.1:3306)/servermail", "sealmilter check && sealmilter reload",
	} {
		if !strings.Contains(got, "     "+line+"\n") && !strings.Contains(got, "4. "+line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Error(got)
	}
	_, after, _ := strings.Cut(got, "     domains_from:")
	section, _, _ := strings.Cut(after, "\n")
	path := filepath.Join(t.TempDir(), "milter.yaml")
	if err := os.WriteFile(path, []byte("authserv_id: mail.example.com\nsign:\n  domains_from:"+section+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(path)
	if c == nil || len(problems) > 0 || c.Sign.DomainsFrom.Query != "SELECT DomainName FROM `domains_table` WHERE active = '1'" {
		t.Errorf("%s", problems)
	}
	got = databaseAdvice(postfix.ParseDomainTable("pgsql", "/etc/postfix/d.cf", "dbname = m\nquery = SELECT f('%s')\n"), "/etc/sealmilter/milter.yaml", none)
	if !strings.Contains(got, "write one that lists them all") {
		t.Error(got)
	}
}
