package assemble

import (
	"bytes"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/signing"
)

// aliasTable is a SQLite database with aliases, and the query of a directory.
func aliasTable(t *testing.T) (db *sql.DB, q config.SenderQuery) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, text := range []string{
		"CREATE TABLE alias_table (source TEXT, destination TEXT)",
		"INSERT INTO alias_table VALUES ('sales@x.example', 'kim@x.example'), ('info@y.example', 'lee@y.example'), ('nonsense', 'kim@x.example')",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	q = config.SenderQuery{Driver: "sqlite", DSNFile: filepath.Join(dir, "dsn"), Query: "SELECT source FROM alias_table WHERE destination = ?"}
	if err := os.WriteFile(q.DSNFile, []byte(path+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return db, q
}

// journal is a log that a test may read.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(b)
}

// says waits until text stands in it, which is written behind the answers.
func (j *journal) says(text string) string {
	for {
		j.mu.Lock()
		all := j.all.String()
		j.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		runtime.Gosched()
	}
}

func mayUse(t *testing.T, d *Directory, user, address string) bool {
	t.Helper()
	more, err := d.Addresses(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	name, domain, _ := strings.Cut(address, "@")
	_, ok := signing.Compile(nil).Denied(signing.Principal{User: user}, more, []auth.Address{{Local: name, Domain: domain}})
	return ok
}

// TestDirectoryAsks: an alias is its user's and nobody else's, a quote in a name is a
// letter, and what is no address is said.
func TestDirectoryAsks(t *testing.T) {
	_, q := aliasTable(t)
	var out journal
	d := NewDirectory(q, slog.New(slog.NewTextHandler(&out, nil)))
	defer d.Close()
	for _, c := range []struct {
		user, address string
		want          bool
	}{
		{"kim@x.example", "sales@x.example", true}, {"KIM@x.example", "sales@x.example", true}, {"kim@x.example", "info@y.example", false},
		{"lee@y.example", "info@y.example", true}, {"lee@y.example", "sales@x.example", false},
		{"' OR '1'='1", "sales@x.example", false}, {"%", "sales@x.example", false},
	} {
		if got := mayUse(t, d, c.user, c.address); got != c.want {
			t.Errorf("%s as %s: %v", c.user, c.address, got)
		}
	}
	if all := out.says("rows that are no addresses"); strings.Count(all, "rows that") != 1 || !strings.Contains(all, "nonsense") {
		t.Errorf("%s", all)
	}
	rows, err := AskSender(t.Context(), q, "kim@x.example")
	if err != nil || len(rows) != 2 {
		t.Errorf("%q %v", rows, err)
	}
}

// TestDirectoryReadsTheDSNAgain: after a mistake in the file is mended, without a
// reload; and the mistake is said once.
func TestDirectoryReadsTheDSNAgain(t *testing.T) {
	_, q := aliasTable(t)
	right, err := os.ReadFile(q.DSNFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(q.DSNFile, []byte("/nowhere/mail.sqlite\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out journal
	d := NewDirectory(q, slog.New(slog.NewTextHandler(&out, nil)))
	defer d.Close()
	for _, user := range []string{"a@x.example", "b@x.example"} {
		if _, err := d.Addresses(t.Context(), user); err == nil {
			t.Error("an answer from nowhere")
		}
	}
	if all := out.says("the database does not tell"); strings.Count(all, "does not tell") != 1 {
		t.Errorf("%s", all)
	}
	if err := os.WriteFile(q.DSNFile, right, 0o600); err != nil {
		t.Fatal(err)
	}
	if !mayUse(t, d, "kim@x.example", "sales@x.example") {
		t.Error("the file is not read again")
	}
}

// TestDirectoryAfterClose: a message that is under way at a reload is still told.
func TestDirectoryAfterClose(t *testing.T) {
	_, q := aliasTable(t)
	d := NewDirectory(q, slog.New(slog.DiscardHandler))
	var wg sync.WaitGroup
	for _, user := range []string{"a@x.example", "b@x.example", "c@x.example"} {
		wg.Go(func() {
			if _, err := d.Addresses(t.Context(), user); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d.Close()
	d.Close()
	if !mayUse(t, d, "kim@x.example", "sales@x.example") {
		t.Error("nothing after Close")
	}
}

func TestDirectoryServes(t *testing.T) {
	q := config.SenderQuery{Driver: "sqlite", DSNFile: "/d", Query: "SELECT a FROM b WHERE c = ?", Line: 7}
	d, other := NewDirectory(q, slog.New(slog.DiscardHandler)), q
	other.Line = 9
	if !d.Serves(q) || !d.Serves(other) || !(*Directory)(nil).Serves(config.SenderQuery{}) || NewDirectory(config.SenderQuery{}, nil) != nil {
		t.Error("the same query is another one")
	}
	other.Query += " "
	if d.Serves(other) || d.Serves(config.SenderQuery{}) || (*Directory)(nil).Serves(q) {
		t.Error("another query is the same")
	}
}
