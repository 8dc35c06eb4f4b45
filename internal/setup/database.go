package setup

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

// maxTable is more than any table of Postfix's has.
const maxTable = 64 << 10

// adviseDatabase says how the domains that Postfix has in a database are signed
// without being listed. It changes nothing: a right in a database is its admin's to
// give, and Postfix's own password is for Postfix.
func (s *Postfix) adviseDatabase(ctx context.Context) {
	if s.conf.cfg.Sign.DomainsFrom.Asked() {
		return
	}
	list, err := runProgram(ctx, "postconf", "-c", s.Dir, "-xh", "virtual_mailbox_domains")
	if err != nil {
		return // before Postfix 2.10 there is no -x
	}
	kind, path, ok := postfix.FindDomainTable(list)
	if !ok {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		return // Postfix says more about that than we could
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTable))
	if err != nil {
		return
	}
	s.section("Domains of a database")
	s.block(databaseAdvice(postfix.ParseDomainTable(kind, path, string(text)), s.Config, mta.Exists))
}

// databaseAdvice are the lines to paste.
func databaseAdvice(t postfix.DomainTable, config string, exists func(path string) bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Postfix asks a database for its domains (%s:%s). sealmilter can ask it for all of them: each is\n", t.Kind, t.Path)
	fmt.Fprintf(&b, "signed as soon as it has a row and its key is published, without a line in %s.\n", config)
	l, ok := t.List(exists)
	if !ok {
		fmt.Fprintf(&b, "The query there is not one that all names can be derived from: write one that lists them all into\nsign.domains_from, see milter.yaml(5).\n")
		return b.String()
	}
	dsn := filepath.Join(filepath.Dir(config), "dsn")
	b.WriteString("\n1. In the database, with a new password in the place of PASSWORD:\n")
	for _, line := range l.Grant {
		b.WriteString("     " + line + "\n")
	}
	fmt.Fprintf(&b, "2. A file for it that others cannot read, and this line in it, with that password:\n     install -m 0640 -g %s /dev/null %s\n     %s\n", daemonUser, dsn, l.DSN)
	fmt.Fprintf(&b, "3. Into sign of %s:\n     domains_from: {driver: %s, dsn_file: %s, query: %q}\n", config, l.Driver, dsn, l.Query)
	b.WriteString("4. sealmilter check && sealmilter reload\n")
	return b.String()
}
