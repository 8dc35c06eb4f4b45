package inspect

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/source"
)

// TestListed: the names that the daemon keeps, and a word where they are not known.
func TestListed(t *testing.T) {
	state := t.TempDir()
	cfg := config.Default()
	if got, p := Listed(cfg, state); got != cfg || p != nil {
		t.Error("no database", p)
	}
	cfg.Sign.DomainsFrom = config.DomainsFrom{Driver: "sqlite", DSNFile: "/d", Query: "SELECT a FROM t"}
	if got, p := Listed(cfg, state); len(got.Sign.Domains) != 0 || p != nil {
		t.Error("nothing kept", p)
	}
	if err := source.Save(state, source.Kept{Origin: "x", Names: []string{"a.example"}}); err != nil {
		t.Fatal(err)
	}
	if got, p := Listed(cfg, state); len(got.Sign.Domains) != 1 || got.Sign.Domains[0].Name != "a.example" || p != nil {
		t.Error(got.Sign.Domains, p)
	}
	if err := os.WriteFile(source.Path(state), []byte("a.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, p := Listed(cfg, state); got != cfg || p == nil || p.Severity != problem.Warning || p.Place != source.Path(state) || p.Hint != "rm "+source.Path(state) {
		t.Error(p)
	}
}

// TestCheckAsksTheDatabase: what somebody must correct is an error with its line; a
// database that is down is a warning.
func TestCheckAsksTheDatabase(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write("down", "u:secret@unix("+dir+"/none.sock)/d", 0o600)
	write("open", "u:secret@unix("+dir+"/none.sock)/d", 0o644)
	write("bad", "secret", 0o600)
	write("nofile", filepath.Join(dir, "none.sqlite"), 0o600)
	for _, c := range []struct {
		driver, file string
		severity     problem.Severity
		want         string
	}{
		{"mysql", "down", problem.Warning, "none.sock"},
		{"postgres", "bad", problem.Fault, "holds no DSN of postgres"},
		{"mysql", "bad", problem.Fault, "holds no DSN of mysql"},
		{"mysql", "open", problem.Fault, "mode 0644"},
		{"mysql", "none", problem.Fault, "does not exist"},
		{"sqlite", "nofile", problem.Fault, "unable to open database file"},
	} {
		path := write("milter.yaml", "authserv_id: mail.example.com\nsign:\n  keys: "+dir+"/keys\n  domains_from:\n    driver: "+c.driver+"\n    dsn_file: "+dir+"/"+c.file+"\n    query: SELECT a FROM t\n", 0o644)
		r := Check(path, dir, func(s string) string { return s })
		i := slices.IndexFunc(r.Problems, func(p problem.Problem) bool { return strings.HasPrefix(p.Message, "sign.domains_from: ") })
		if i < 0 {
			t.Errorf("%s: %+v", c.file, r.Problems)
			continue
		}
		if p := r.Problems[i]; p.Severity != c.severity || p.Place != path+":6" || !strings.Contains(p.Message, c.want) || p.Hint == "" && c.driver != "sqlite" || strings.Contains(p.Message+p.Hint, "secret") {
			t.Errorf("%s: %+v", c.file, p)
		}
		if r.Database != nil {
			t.Errorf("%+v", r.Database)
		}
	}
}

// TestCheckCountsTheNames: and says what is none of them.
func TestCheckCountsTheNames(t *testing.T) {
	dir := t.TempDir()
	connector, err := sqlite.NewConnector(filepath.Join(dir, "d.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, text := range []string{"CREATE TABLE t(a)", "INSERT INTO t VALUES ('a.example'), ('b.example'), ('no name')"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Default()
	cfg.Admin = config.Address{}
	cfg.Sign.DomainsFrom = config.DomainsFrom{Driver: "sqlite", DSNFile: filepath.Join(dir, "dsn"), Query: "SELECT a FROM t", Line: 7}
	if err := os.WriteFile(cfg.Sign.DomainsFrom.DSNFile, []byte(filepath.Join(dir, "d.sqlite")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &Checked{}
	if uid, _ := daemonUser(""); uid > 0 && os.Geteuid() == 0 {
		t.Skip("root looks as the packages' user, who does not see this folder")
	}
	r.askDatabase("f", cfg)
	if r.Database == nil || r.Database.Names != 2 || r.Database.Skipped != 1 || r.Warnings != 1 || r.Errors != 0 || r.Problems[0].Place != "f:7" {
		t.Errorf("%+v, %+v", r.Database, r.Problems)
	}
	if _, err := db.Exec("DELETE FROM t"); err != nil {
		t.Fatal(err)
	}
	r = &Checked{}
	r.askDatabase("f", cfg)
	if r.Database == nil || r.Database.Names != 0 || r.Warnings != 1 || !strings.Contains(r.Problems[0].Message, "no names") {
		t.Errorf("%+v, %+v", r.Database, r.Problems)
	}
}
