package sqldb

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"modernc.org/sqlite"

	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lite makes a database with the statements, and the file with its DSN.
func lite(t *testing.T, statements ...string) Config {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "a b?#%41.sqlite")
	c, err := sqlite.NewConnector("file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23", " ", "%20").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(s, err)
		}
	}
	return Config{query.SQLite, dsnFile(t, path, 0o600)}
}

func dsnFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func opened(t *testing.T, c Config) *DB {
	t.Helper()
	db, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestColumn(t *testing.T) {
	db := opened(t, lite(t, "CREATE TABLE d(name, n)", "INSERT INTO d VALUES ('a.example', 1), (NULL, 2), (x'ff00', 3), (4711, 4), ('"+strings.Repeat("x", 5000)+"', 5)"))
	got, err := db.Column(t.Context(), "SELECT name FROM d ORDER BY n;")
	if want := []string{"a.example", "", "\xff\x00", "4711", strings.Repeat("x", MaxCell)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%.200q, %v", got, err)
	}
	if got, err := db.Column(t.Context(), "SELECT name FROM d WHERE n > 5"); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		"SELECT name, n FROM d":        "the query has 2 columns",
		"SELECT none FROM d":           "SQL logic error: no such column: none (1)",
		"SELECT name FROM d WHERE n=?": "the query wants an argument, and there is none",
		"DELETE FROM d":                "the query does not begin with SELECT",
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c": "the query has more than 200000 rows",
	} {
		if got, err := db.Column(t.Context(), text); err == nil || err.Error() != want || got != nil {
			t.Errorf("%s: %.100q, %v", text, got, err)
		}
	}
	big := "SELECT hex(zeroblob(500000)) FROM d, d, d, d"
	if _, err := db.Column(t.Context(), big); err == nil || err.Error() != errTooMuch.Error() {
		t.Error(err)
	}
}

func TestStrings(t *testing.T) {
	db := opened(t, lite(t, "CREATE TABLE alias(source, destination)", "INSERT INTO alias VALUES ('s@x.example', 'a@x.example'), ('b@x.example', 'it''s'), ('?', '?')"))
	for argument, want := range map[string][]string{"a@x.example": {"s@x.example"}, "it's": {"b@x.example"}, "' OR '1'='1": {}, "": {}} {
		got, err := db.Strings(t.Context(), "SELECT source FROM alias WHERE destination = ? AND source <> '?'", argument)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", argument, got, err)
		}
	}
	if _, err := db.Strings(t.Context(), "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c WHERE x <> ?", "y"); err == nil || !strings.Contains(err.Error(), "more than 1000 rows") {
		t.Error(err)
	}
}

// TestItOnlyReads: a database is not written, and not made.
func TestItOnlyReads(t *testing.T) {
	c := lite(t, "CREATE TABLE d(name)")
	db := opened(t, c)
	if _, err := db.pool.Exec("INSERT INTO d VALUES (1)"); err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "none")
	none := opened(t, Config{query.SQLite, dsnFile(t, path, 0o600)})
	if _, err := none.Column(t.Context(), "SELECT 1"); err == nil {
		t.Error("asked a database that is not there")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("made a database")
	}
}

// TestItEndsWithItsContext: a query without end.
func TestItEndsWithItsContext(t *testing.T) {
	db := opened(t, lite(t))
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		close(started)
		_, err := db.Column(ctx, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c")
		done <- err
	}()
	<-started
	cancel()
	if err := <-done; err == nil {
		t.Error("it counted them all")
	}
}

func TestDSNFile(t *testing.T) {
	const good = "sealmilter:se/cret@unix(/run/mysqld/mysqld.sock)/servermail"
	for _, c := range []struct {
		driver, text string
		mode         os.FileMode
		want         string // of the error
	}{
		{query.MySQL, good, 0o600, ""},
		{query.MySQL, "\n# the password of\n  " + good + "  \n\n", 0o640, ""},
		{query.MySQL, good, 0o644, "mode 0644: every user of this host gets at the database's password"},
		{query.MySQL, good, 0o601, "mode 0601: every user"},
		{query.MySQL, good, 0o660, "mode 0660: its group could name another database"},
		{query.MySQL, good + "\n" + good, 0o600, "2 lines in place of one DSN"},
		{query.MySQL, "# none", 0o600, "0 lines in place of one DSN"},
		{query.MySQL, strings.Repeat("x", maxDSN+1), 0o600, "longer than 4096 bytes"},
		{query.MySQL, "secret@localhost/db", 0o600, "holds no DSN of mysql"},
		{query.MySQL, "mysql://u:secret@localhost/db", 0o600, "holds no DSN of mysql"},
		{query.Postgres, "host=/run/postgresql user=sealmilter password=secret dbname=mail", 0o600, ""},
		{query.Postgres, "postgres://sealmilter:secret@127.0.0.1/mail", 0o600, ""},
		{query.Postgres, "postgres://sealmilter:sec ret%zz@127.0.0.1:x/mail", 0o600, "holds no DSN of postgres"},
		{query.SQLite, "/var/lib/mail/domains.sqlite", 0o600, ""},
		{query.SQLite, "domains.sqlite", 0o600, "holds no DSN of sqlite"},
		{query.SQLite, "file:/x?mode=rwc&_pragma=x", 0o600, "holds no DSN of sqlite"},
		{"oracle", "x", 0o600, "holds no DSN of oracle"},
	} {
		path := dsnFile(t, c.text, c.mode)
		db, err := Open(Config{c.driver, path})
		if err == nil {
			db.Close()
		}
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) || problem.Hint(err) == "" || strings.Contains(err.Error()+" "+problem.Hint(err), "sec")) {
			t.Errorf("%s %.60q %04o: %v (%s)", c.driver, c.text, c.mode, err, problem.Hint(err))
		}
	}
	dir := t.TempDir()
	for path, want := range map[string]string{filepath.Join(dir, "none"): "does not exist", dir: "is not a regular file"} {
		if _, err := Open(Config{query.MySQL, path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
}

// TestNoTricksOfTheDSN: what a DSN must not turn on.
func TestNoTricksOfTheDSN(t *testing.T) {
	b := &budget{}
	c, err := mysqlConfig("u:p@tcp(192.0.2.1:1)/d?multiStatements=true&allowAllFiles=true&interpolateParams=true&readTimeout=1h&timeout=1h&writeTimeout=1h", b)
	if err != nil {
		t.Fatal(err)
	}
	if c.MultiStatements || c.AllowAllFiles || c.InterpolateParams || c.Timeout > time.Minute || c.ReadTimeout > time.Minute || c.WriteTimeout > time.Minute {
		t.Errorf("%+v", c)
	}
}

// TestBytesAreBounded: a server that never stops sending.
func TestBytesAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		total := int64(0)
		for block := make([]byte, 1<<16); ; {
			n, err := c.Write(block)
			if total += int64(n); err != nil {
				served <- total
				return
			}
		}
	}()
	b := &budget{}
	b.left.Store(1 << 20)
	c, err := b.dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for p := make([]byte, 1<<16); err == nil; {
		var n int
		n, err = c.Read(p)
		got += n
	}
	c.Close()
	if err != errTooMuch || got < 1<<20 || got > 1<<20+1<<16 {
		t.Errorf("%d bytes, %v", got, err)
	}
	<-served
}
