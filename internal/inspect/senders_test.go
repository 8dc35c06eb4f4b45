package inspect

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// TestCheckAsksForSenders: a query that works is no problem, one that gives
// everybody the same is a warning, and one that cannot work is an error.
func TestCheckAsksForSenders(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "mail.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"CREATE TABLE alias_table (source TEXT, destination TEXT)", "INSERT INTO alias_table VALUES ('sales@x.example', 'kim@x.example')"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(filepath.Join(dir, "mail.sqlite")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]problem.Problem{
		"SELECT source FROM alias_table WHERE destination = ?":    {},
		"SELECT source FROM alias_table WHERE ? <> ''":            {Severity: problem.Warning, Message: `gives "sales@x.example" to a user who does not exist`},
		"SELECT source FROM alias_table WHERE nosuch = ?":         {Severity: problem.Fault, Message: "nosuch"},
		"SELECT source, source FROM alias_table WHERE source = ?": {Severity: problem.Fault, Message: "2 columns"},
	} {
		path := filepath.Join(dir, "milter.yaml")
		text := fmt.Sprintf("authserv_id: mx.example.com\nadmin: \"\"\nsign:\n  senders:\n    query:\n      driver: sqlite\n      dsn_file: %s/dsn\n      query: %s\n", dir, query)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var found []problem.Problem
		for _, p := range Check(path, dir, func(s string) string { return s }).Problems {
			if strings.Contains(p.Message, "senders") {
				found = append(found, p)
			}
		}
		switch {
		case want.Message == "" && len(found) == 0:
		case len(found) != 1 || want.Message == "" || found[0].Severity != want.Severity || !strings.Contains(found[0].Message, want.Message) || found[0].Hint == "" || found[0].Place != path+":7":
			t.Errorf("%s: %+v", query, found)
		}
	}
}
