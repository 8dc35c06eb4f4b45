package query

import "testing"

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		driver, text string
		argument     bool
		want         string // of the message, "" for a good one
	}{
		{MySQL, "SELECT DomainName FROM domains_table", false, ""},
		{MySQL, "select name from d where active = 'y;n' ; ", false, ""},
		{MySQL, "SELECT `into`, \"x\" FROM `delete` WHERE a='?'", false, ""},
		{MySQL, "SELECT d FROM t WHERE d LIKE '%sealmilter.org'", false, ""},
		{MySQL, "WITH a AS (SELECT 1) SELECT * FROM a", false, ""},
		{MySQL, "SELECT REPLACE(a,'x','y') FROM t", false, ""},
		{MySQL, "SELECT a FROM t WHERE b = ?", true, ""},
		{MySQL, "SELECT a FROM t WHERE b = 'it''s ?' AND c = ?", true, ""},
		{Postgres, "SELECT a FROM t WHERE b = $1 OR c = $1", true, ""},
		{Postgres, "SELECT a FROM t WHERE b ? 'x' AND c = $1", true, ""},
		{Postgres, "SELECT a FROM t WHERE b = ?", true, ""},
		{Postgres, "SELECT a#>>'{x}' FROM t", false, ""},
		{SQLite, "SELECT [a?b;c] FROM t", false, ""},

		{MySQL, " \t", false, "the query is empty"},
		{MySQL, "SELECT 1 FROM d WHERE name='%s'", false, "'%s' asks for one name, and this query must list all of them"},
		{MySQL, "SELECT 1 FROM d WHERE name='%d'", false, "'%d' asks for one name, and this query must list all of them"},
		{MySQL, "SELECT a FROM d WHERE name='%s'", true, "'%s' is how Postfix writes an argument"},
		{MySQL, "SELECT a FROM t; DROP TABLE t", false, "the query is more than one statement"},
		{MySQL, "SELECT a FROM t WHERE b = 'x'; SELECT 'y'", false, "the query is more than one statement"},
		{MySQL, "DELETE FROM t", false, "the query does not begin with SELECT"},
		{MySQL, "SELECTED", false, "the query does not begin with SELECT"},
		{MySQL, "'SELECT' x", false, "the query does not begin with SELECT"},
		{MySQL, "SELECT a INTO OUTFILE '/x' FROM t", false, "the query has the word INTO"},
		{Postgres, "WITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x", false, "the query has the word DELETE"},
		{Postgres, "WITH x AS (update t SET a=1 RETURNING a) SELECT a FROM x", false, "the query has the word UPDATE"},
		{SQLite, "WITH x AS (SELECT 1) INSERT(t) VALUES(1)", false, "the query has the word INSERT"},
		{MySQL, "SELECT a FROM t -- all", false, "the query has a comment"},
		{MySQL, "SELECT a FROM t # all", false, "the query has a comment"},
		{MySQL, "SELECT /*!50000 a */ FROM t", false, "the query has a comment"},
		{MySQL, `SELECT a FROM t WHERE b = 'x\' OR c = ?'`, false, "the query has a backslash"},
		{MySQL, `SELECT a\x FROM t`, false, "the query has a backslash"},
		{MySQL, "SELECT a FROM t WHERE b = 'x", false, "a quote of the query does not end: '"},
		{SQLite, "SELECT [a FROM t", false, "a quote of the query does not end: ["},
		{Postgres, "SELECT $$a$$", false, "the query has quotes of dollars"},
		{Postgres, "SELECT $a$b$a$", false, "the query has quotes of dollars"},
		{MySQL, "SELECT a FROM t WHERE b = ?", false, "the query wants an argument, and there is none"},
		{Postgres, "SELECT a FROM t WHERE b = $1", false, "the query wants an argument, and there is none"},
		{MySQL, "SELECT a FROM t", true, "the query has no ? for its argument"},
		{MySQL, "SELECT a FROM t WHERE b = '?'", true, "the query has no ? for its argument"},
		{SQLite, "SELECT a FROM t WHERE b = ? OR c = ?", true, "the query has 2 arguments"},
		{Postgres, "SELECT a FROM t WHERE b = $1 OR c = $2", true, "the query has another argument than $1"},
		{Postgres, "SELECT a FROM t WHERE b = $12", true, "the query has another argument than $1"},
	} {
		got := ""
		if f := Check(c.driver, c.text, c.argument); f != nil {
			got = f.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.driver, c.text, got, c.want)
		}
	}
	if f := Check(MySQL, "SELECT "+string(make([]byte, maxText)), false); f == nil || f.Message != "the query is longer than 4096 bytes" {
		t.Error(f)
	}
}

func TestForDriver(t *testing.T) {
	for _, c := range []struct{ driver, text, want string }{
		{MySQL, "SELECT a FROM t WHERE b = ? ; ", "SELECT a FROM t WHERE b = ?"},
		{Postgres, "SELECT a FROM t WHERE c = '?' AND b = ?;", "SELECT a FROM t WHERE c = '?' AND b = $1"},
		{Postgres, "SELECT a FROM t WHERE b ? 'x' AND c = $1", "SELECT a FROM t WHERE b ? 'x' AND c = $1"},
		{SQLite, "SELECT ';' FROM t WHERE b = ';'", "SELECT ';' FROM t WHERE b = ';'"},
	} {
		if got := ForDriver(c.driver, c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.driver, got, c.want)
		}
	}
}

// FuzzCheck: whatever stands there, one pass, no panic, and what passes is one
// statement without an end mark.
func FuzzCheck(f *testing.F) {
	f.Add(Postgres, "SELECT a FROM t WHERE b = $1")
	f.Add(MySQL, "SELECT 'a;?' FROM `t`;")
	f.Add(SQLite, "SELECT [a] FROM t WHERE b = ?")
	f.Fuzz(func(t *testing.T, driver, text string) {
		for _, argument := range []bool{false, true} {
			if Check(driver, text, argument) != nil {
				continue
			}
			bare, fault := outside(driver, ForDriver(driver, text))
			if fault != nil || len(bare) == 0 || bare[len(bare)-1] == ';' {
				t.Errorf("%q passes and becomes %q, %v", text, bare, fault)
			}
		}
	})
}
