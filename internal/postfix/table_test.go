package postfix

import (
	"strings"
	"testing"
)

func TestFindDomainTable(t *testing.T) {
	for list, want := range map[string]string{
		"mysql:/etc/postfix/d.cf":                                     "mysql /etc/postfix/d.cf",
		"hash:/etc/postfix/x, proxy:mysql:/etc/postfix/d.cf":          "mysql /etc/postfix/d.cf",
		"proxy:pgsql:/etc/postfix/d.cf mysql:/etc/postfix/later.cf":   "pgsql /etc/postfix/d.cf",
		"example.com, example.net":                                    "",
		"hash:/etc/postfix/x":                                         "",
		"mysql:relative.cf":                                           "",
		"mysql:{ { hosts = localhost } }, pcre:/etc/postfix/mysql:/x": "",
		"": "",
	} {
		kind, path, ok := FindDomainTable(list)
		if got := strings.TrimSpace(kind + " " + path); got != want || ok != (want != "") {
			t.Errorf("%s: %q", list, got)
		}
	}
}

func TestDomainTable(t *testing.T) {
	socket := func(path string) bool { return path == "/var/lib/mysql/mysql.sock" }
	for _, c := range []struct{ name, kind, text, want string }{
		{"the document's", "mysql", "user = servermail\npassword = secret\nhosts = 127.0.0.1\ndbname = servermail\nquery = SELECT DomainName FROM domains_table WHERE DomainName='%s'\n",
			"mysql sealmilter:PASSWORD@tcp(127.0.0.1:3306)/servermail\nSELECT DomainName FROM domains_table\n" +
				"CREATE USER 'sealmilter'@'localhost' IDENTIFIED BY 'PASSWORD';\nGRANT SELECT (DomainName) ON servermail.domains_table TO 'sealmilter'@'localhost';"},
		{"SELECT 1, a condition, folded", "mysql", "# comment\nhosts = localhost other\ndbname = mailserver\nquery = SELECT 1 FROM virtual_domains\n  WHERE name='%s' AND active = '1'\n  # and no more\n",
			"mysql sealmilter:PASSWORD@unix(/var/lib/mysql/mysql.sock)/mailserver\nSELECT name FROM virtual_domains WHERE active = '1'\n" +
				"CREATE USER 'sealmilter'@'localhost' IDENTIFIED BY 'PASSWORD';\nGRANT SELECT (name, active) ON mailserver.virtual_domains TO 'sealmilter'@'localhost';"},
		{"far away", "mysql", "hosts = inet:db.example:3307\ndbname = m\nquery = select d from m.t where d = '%s';",
			"mysql sealmilter:PASSWORD@tcp(db.example:3307)/m\nSELECT d FROM m.t\nCREATE USER 'sealmilter'@'%' IDENTIFIED BY 'PASSWORD';\nGRANT SELECT (d) ON m.t TO 'sealmilter'@'%';"},
		{"socket, old words", "mysql", "hosts = unix:/run/my.sock\ndbname = m\ntable = t\nselect_field = x\nwhere_field = d\nadditional_conditions = AND backupmx = 0",
			"mysql sealmilter:PASSWORD@unix(/run/my.sock)/m\nSELECT d FROM t WHERE backupmx = 0\nCREATE USER 'sealmilter'@'localhost' IDENTIFIED BY 'PASSWORD';\nGRANT SELECT (d, backupmx) ON m.t TO 'sealmilter'@'localhost';"},
		{"PostgreSQL", "pgsql", "hosts = localhost\nuser = mailreader\ndbname = mail\nquery = SELECT domain FROM domains WHERE domain='%s'",
			"postgres host=localhost user=sealmilter password=PASSWORD dbname=mail\nSELECT domain FROM domains\nCREATE USER sealmilter PASSWORD 'PASSWORD';\nGRANT SELECT (domain) ON domains TO sealmilter;"},
		{"PostgreSQL by its socket", "pgsql", "hosts = unix:/run/postgresql\ndbname = mail\nquery = SELECT domain FROM domains WHERE domain='%s'",
			"postgres host=/run/postgresql user=sealmilter password=PASSWORD dbname=mail\nSELECT domain FROM domains\nCREATE USER sealmilter PASSWORD 'PASSWORD';\nGRANT SELECT (domain) ON domains TO sealmilter;"},
		{"two tables", "mysql", "dbname = m\nquery = SELECT d.name FROM d, a WHERE d.id = a.id AND d.name = '%s'", ""},
		{"either", "mysql", "dbname = m\nquery = SELECT name FROM d WHERE name = '%s' OR alias = '%s'", ""},
		{"a function", "mysql", "dbname = m\nquery = SELECT name FROM d WHERE name = lower('%s')", ""},
		{"a part of the name", "mysql", "dbname = m\nquery = SELECT name FROM d WHERE name = '%d'", ""},
		{"no query", "mysql", "dbname = m", ""},
		{"no database", "mysql", "query = SELECT name FROM d WHERE name = '%s'", ""},
		{"odd host", "mysql", "hosts = a(b)/c\ndbname = m\nquery = SELECT name FROM d WHERE name = '%s'", ""},
		{"odd words", "mysql", "hosts = localhost\ndbname = m/../x\nquery = SELECT name FROM d WHERE name = '%s'", ""},
		{"odd PostgreSQL", "pgsql", "hosts = localhost options=-cx\ndbname = m\nquery = SELECT name FROM d WHERE name = '%s' AND x = 'a''; DROP'", ""},
	} {
		l, ok := ParseDomainTable(c.kind, "/x", c.text).List(socket)
		got := ""
		if ok {
			got = l.Driver + " " + l.DSN + "\n" + l.Query + "\n" + strings.Join(l.Grant, "\n")
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s: Postfix's password is in it", c.name)
		}
	}
}
