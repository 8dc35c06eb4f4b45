package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/filing"
)

// TestFilingAdvice: set-up says how to file tagged mail for the delivery agent
// that is here, and nothing where it is filed.
func TestFilingAdvice(t *testing.T) {
	const dovecot = "protocol lmtp {\n  mail_plugins = \" sieve\"\n}\n"
	for _, c := range []struct {
		name string
		h    filing.Host
		file string // that has the script
		want []string
		not  string
	}{
		{"Dovecot", filing.Host{Dovecot: dovecot}, "", []string{"== Where forged mail goes", filing.SievePath + "\n    require [", "\n      fileinto :create \"Junk\";", "      sieve_before = " + filing.SievePath, "quarantine: hold"}, "procmail"},
		{"no Dovecot", filing.Host{}, "", []string{"== Where forged mail goes", "/etc/procmailrc\n    DROPPRIVS=yes\n\n    :0\n", "quarantine: hold"}, "sieve"},
		{"filed", filing.Host{Dovecot: dovecot + "plugin {\n  sieve_before = " + filing.SievePath + "\n}\n"}, filing.SievePath, nil, "="},
	} {
		c.h.Root = t.TempDir()
		if c.file != "" {
			if err := os.MkdirAll(filepath.Dir(c.h.Root+c.file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.h.Root+c.file, []byte(filing.Sieve), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		Common{Talk: Talk{Out: &out}}.adviseFiling(c.h)
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", c.name, w, out.String())
			}
		}
		if strings.Contains(out.String(), c.not) {
			t.Errorf("%s: %q in\n%s", c.name, c.not, out.String())
		}
	}
}
