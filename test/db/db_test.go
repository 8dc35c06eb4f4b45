package db

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/source"
	"github.com/sealmilter/sealmilter/internal/sqldb"
	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

const names = "SELECT DomainName FROM domains_table"

func open(t *testing.T, c sqldb.Config) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestWhatRowsMayHave: what is no name is skipped and named, and takes nothing else
// with it.
func TestWhatRowsMayHave(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		db := open(t, s.Config)
		if got, err := db.Column(t.Context(), names); err != nil || len(got) != 0 {
			t.Errorf("an empty table: %q, %v", got, err)
		}
		s.add("example.com", "Example.NET", "example.org.", "예.example", nil, "", "  ", "two words.example", " lead.example", "trail.example ", "*", "*.example.com",
			strings.Repeat("x", 300)+".example", strings.Repeat("a.", 120)+"example", "\U0001f600.example", "a@example.com", "192.0.2.1", "localhost", "co.uk", "'; DROP TABLE domains_table; --")
		if s.driver == query.MySQL { // no text of PostgreSQL's has it
			s.add("nul\x00.example")
		} else {
			s.add("more.example")
		}
		rows, err := db.Column(t.Context(), names+" ORDER BY DomainName;")
		if err != nil || len(rows) != 21 {
			t.Fatalf("%q, %v", rows, err)
		}
		read := source.Rows(rows, config.SignableName)
		want := []string{strings.Repeat("a.", 120) + "example", "example.com", "example.net", "example.org", "trail.example", "xn--2j5b.example"}
		if s.driver == query.Postgres {
			want = slices.Insert(want, 4, "more.example")
		}
		emoji := slices.IndexFunc(read.Names, func(n string) bool { return strings.HasPrefix(n, "xn--e") || strings.HasPrefix(n, "xn--q") })
		if emoji >= 0 { // IDNA of browsers has it, and nobody is harmed
			read.Names = slices.Delete(read.Names, emoji, emoji+1)
			read.Skipped++
		}
		if !slices.Equal(read.Names, want) || read.Skipped != 21-len(want) || len(read.Rows) != 10 {
			t.Errorf("%d skipped, %q", read.Skipped, read.Names)
		}
		for _, r := range read.Rows {
			if s := r.String(); len(s) > 300 || strings.ContainsAny(s, "\x00\n") {
				t.Errorf("%q", s)
			}
		}
	})
}

// TestArgument: what Postfix's alias maps ask, with an argument that nobody can turn
// into a query.
func TestArgument(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		db := open(t, s.Config)
		table := strings.Replace(s.table(), "domains", "alias", 1)
		s.do("INSERT INTO " + table + " VALUES ('s@x.example', 'a@x.example'), ('t@x.example', 'a@x.example'), ('u@x.example', 'o''b@x.example')")
		for argument, want := range map[string]int{"a@x.example": 2, "o'b@x.example": 1, "' OR '1'='1": 0, "\xff\x00": 0, strings.Repeat("x", 10_000): 0} {
			got, err := db.Strings(t.Context(), "SELECT source FROM alias_table WHERE destination = ? AND source <> '?'", argument)
			if len(got) != want || err != nil && argument != "\xff\x00" { // PostgreSQL refuses what is no text
				t.Errorf("%.60q: %q, %v", argument, got, err)
			}
		}
		if s.driver == query.Postgres {
			if got, err := db.Strings(t.Context(), "SELECT source FROM alias_table WHERE destination = $1 OR source = $1", "a@x.example"); len(got) != 2 || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
}

// TestWrong: what somebody must correct is told from a database that is down, with a
// reason that shows no password.
func TestWrong(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		db := open(t, s.Config)
		stranger := open(t, s.dsn("sealmilter", "secret"))
		nobody := open(t, s.dsn("nobody", "secret"))
		for _, c := range []struct {
			db   *sqldb.DB
			text string
		}{
			{stranger, names}, {nobody, names}, {db, "SELECT none FROM domains_table"}, {db, "SELECT DomainName FROM none"}, {db, "SELECT FROM WHERE"},
			{db, "SELECT DomainId FROM domains_table"}, {db, "SELECT DomainName, DomainName FROM domains_table"},
		} {
			_, err := c.db.Column(t.Context(), c.text)
			if err == nil || !sqldb.Wrong(err) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), password) || len(err.Error()) > 400 || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: wrong %v, %v", c.text, sqldb.Wrong(err), err)
			}
			t.Log(err)
		}
		s.kill()
		if _, err := db.Column(t.Context(), names); err == nil || sqldb.Wrong(err) {
			t.Errorf("down: wrong %v, %v", sqldb.Wrong(err), err)
		} else {
			t.Log(err)
		}
	})
}

// TestItOnlyReads: whatever the rights of the user are.
func TestItOnlyReads(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.add("example.com")
		text := "SELECT nextval('domains_table_domainid_seq')"
		if s.driver == query.MySQL {
			s.do("GRANT ALL ON servermail.* TO 'sealmilter'@'localhost'")
			s.do("CREATE FUNCTION servermail.f() RETURNS INT BEGIN DELETE FROM servermail.domains_table; RETURN 1; END")
			text = "SELECT f()"
		} else {
			s.do("GRANT ALL ON ALL TABLES IN SCHEMA public TO sealmilter")
			s.do("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO sealmilter")
		}
		db := open(t, s.Config)
		if _, err := db.Column(t.Context(), text); err == nil || !strings.Contains(strings.ToLower(err.Error()), "read") || !strings.Contains(strings.ToLower(err.Error()), "only") {
			t.Errorf("it wrote: %v", err)
		}
		if got, err := db.Column(t.Context(), names); err != nil || len(got) != 1 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestKilledAndRestarted: an error while it is down, an answer when it is back, over
// connections that the server has forgotten.
func TestKilledAndRestarted(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.add("example.com")
		db := open(t, s.Config)
		for range 2 {
			if got, err := db.Column(t.Context(), names); err != nil || len(got) != 1 {
				t.Fatalf("%q, %v", got, err)
			}
			s.kill()
			if got, err := db.Column(t.Context(), names); err == nil {
				t.Errorf("a dead server gives %q", got)
			}
			s.begin()
		}
		if got, err := db.Column(t.Context(), names); err != nil || len(got) != 1 {
			t.Errorf("%q, %v", got, err)
		}
		s.kill()
		s.begin() // nobody asked while it was down
		if got, err := db.Column(t.Context(), names); err != nil || len(got) != 1 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestLocked: a question ends with its context, and the next one is answered.
func TestLocked(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.add("example.com")
		db := open(t, s.Config)
		unlock := s.lock()
		for range 3 { // more than it has connections
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			got, err := db.Column(ctx, names)
			cancel()
			if err == nil || err.Error() != "the database did not answer in time" || problem.Hint(err) == "" || sqldb.Wrong(err) {
				t.Errorf("%q, %v", got, err)
			}
		}
		unlock()
		if got, err := db.Column(t.Context(), names); err != nil || len(got) != 1 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestMany: a hundred thousand names, and one more than there may be.
func TestMany(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.fill(100_000)
		db := open(t, s.Config)
		start := time.Now()
		rows, err := db.Column(t.Context(), names)
		asked := time.Since(start)
		read := source.Rows(rows, config.SignableName)
		if err != nil || len(read.Names) != 100_000 || read.Skipped != 0 {
			t.Fatalf("%d rows, %d names, %v", len(rows), len(read.Names), err)
		}
		dir := t.TempDir()
		if err := source.Save(dir, source.Kept{Origin: "x", Names: read.Names}); err != nil {
			t.Fatal(err)
		}
		if k, err := source.Load(dir, config.SignableName); err != nil || len(k.Names) != 100_000 {
			t.Error(len(k.Names), err)
		}
		t.Logf("100,000 names: asked in %v, with rules and the kept file %v", asked, time.Since(start))
		s.fill(sqldb.MaxRows - 100_000 + 1)
		if _, err := db.Column(t.Context(), names); err == nil || !strings.Contains(err.Error(), fmt.Sprint(sqldb.MaxRows)) {
			t.Error(err)
		}
	})
}

// TestWhatSetUpProposes: the rights that set-up prints are enough for the query that
// it derives from Postfix's, and for nothing else.
func TestWhatSetUpProposes(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.do("DROP TABLE " + s.table())
		table, kind, hosts := "domains_table", "pgsql", "unix:"+s.dir
		drop := "DROP OWNED BY sealmilter"
		if s.driver == query.MySQL {
			table, kind, hosts, drop = s.table(), "mysql", "unix:"+s.dir+"/s", "SELECT 1"
		}
		s.do("CREATE TABLE " + table + " (DomainName VARCHAR(500), active CHAR(1), secret VARCHAR(10))")
		s.do("INSERT INTO " + table + " VALUES ('one.example', '1', 'x'), ('two.example', '0', 'y')")
		text := "hosts = " + hosts + "\ndbname = servermail\nuser = postfix\npassword = x\nquery = SELECT 1 FROM domains_table WHERE DomainName='%s' AND active='1'\n"
		l, ok := postfix.ParseDomainTable(kind, "/etc/postfix/d.cf", text).List(nil)
		if !ok || l.Driver != s.driver {
			t.Fatalf("%+v", l)
		}
		s.do(drop)
		if s.driver == query.MySQL {
			s.do("DROP USER 'sealmilter'@'localhost'")
		} else {
			s.do("DROP USER sealmilter")
		}
		for _, line := range l.Grant {
			s.do(line) // PASSWORD is one, too
		}
		path := filepath.Join(t.TempDir(), "dsn")
		if err := os.WriteFile(path, []byte(l.DSN+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		db := open(t, sqldb.Config{Driver: l.Driver, DSNFile: path})
		if got, err := db.Column(t.Context(), l.Query); err != nil || !slices.Equal(got, []string{"one.example"}) {
			t.Errorf("%s: %q, %v", l.Query, got, err)
		}
		if got, err := db.Column(t.Context(), "SELECT secret FROM domains_table"); err == nil {
			t.Errorf("it reads more: %q", got)
		}
	})
}
