package postfix

import (
	"net"
	"regexp"
	"strings"
)

// DomainTable is a table of a database that Postfix asks for one of its virtual
// domains, mysql_table(5) or pgsql_table(5), without who asks and with what
// password: others than Postfix must not use that.
type DomainTable struct {
	Kind   string // mysql or pgsql
	Path   string // of the file
	hosts  []string
	dbname string
	query  string
}

// FindDomainTable finds the first table of a database in a list of tables such as
// virtual_mailbox_domains.
func FindDomainTable(list string) (kind, path string, ok bool) {
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		entry = strings.TrimPrefix(entry, "proxy:")
		if kind, path, found := strings.Cut(entry, ":"); found && (kind == "mysql" || kind == "pgsql") && strings.HasPrefix(path, "/") {
			return kind, path, true
		}
	}
	return "", "", false
}

// ParseDomainTable reads the text of such a file.
func ParseDomainTable(kind, path, text string) DomainTable {
	values := ParseValues(joinLines(text))
	t := DomainTable{Kind: kind, Path: path, hosts: strings.FieldsFunc(values["hosts"], func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }), dbname: values["dbname"], query: values["query"]}
	// Before Postfix 2.2, and still read.
	if t.query == "" && values["table"] != "" && values["where_field"] != "" {
		t.query = "SELECT " + values["select_field"] + " FROM " + values["table"] + " WHERE " + values["where_field"] + " = '%s' " + values["additional_conditions"]
	}
	return t
}

// joinLines takes comments away, and puts a line that begins with a blank behind
// the one before it.
func joinLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			b.WriteString(" " + trimmed)
		default:
			b.WriteString("\n" + trimmed)
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// DomainList is how another program than Postfix is given all the domains.
type DomainList struct {
	Driver string   // as sign.domains_from calls it
	DSN    string   // with PASSWORD in the place of one
	Query  string   // all names, in one column
	Grant  []string // what the database's admin does
}

// userName is the daemon's, in the database.
const userName = "sealmilter"

var (
	selects   = regexp.MustCompile("(?i)^\\s*SELECT\\s+\\S.*?\\s+FROM\\s+([A-Za-z0-9_.$`\"]+)\\s+WHERE\\s+(.+?)[\\s;]*$")
	separator = regexp.MustCompile(`(?i)\s+AND\s+`)
	isName    = regexp.MustCompile("(?i)^\\(?\\s*([A-Za-z0-9_.$`\"]+)\\s*=\\s*'%s'\\s*\\)?$")
	condition = regexp.MustCompile("^([A-Za-z0-9_.$`\"]+)\\s*(=|<>|!=|>|<)\\s*('[A-Za-z0-9_ .-]*'|[A-Za-z0-9_]+)$")
	word      = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
)

// List derives the query for all names from the one for one name. ok is false for a
// query that is more than conditions on one table: whoever wrote it knows better.
// exists is asked for sockets.
func (t DomainTable) List(exists func(path string) bool) (l DomainList, ok bool) {
	m := selects.FindStringSubmatch(t.query)
	if m == nil || !word.MatchString(t.dbname) {
		return l, false
	}
	table, column := m[1], ""
	var columns, rest []string
	for _, c := range separator.Split(m[2], -1) {
		if n := isName.FindStringSubmatch(c); n != nil && column == "" {
			column = n[1]
			continue
		}
		n := condition.FindStringSubmatch(strings.TrimSpace(c))
		if n == nil {
			return l, false
		}
		rest, columns = append(rest, strings.TrimSpace(c)), append(columns, n[1])
	}
	if column == "" {
		return l, false
	}
	l.Query = "SELECT " + column + " FROM " + table
	if len(rest) > 0 {
		l.Query += " WHERE " + strings.Join(rest, " AND ")
	}
	host := "localhost"
	if len(t.hosts) > 0 {
		host = t.hosts[0]
	}
	what := "SELECT (" + strings.Join(append([]string{column}, columns...), ", ") + ") ON "
	if t.Kind == "pgsql" {
		l.Driver, l.DSN = "postgres", pgDSN(host, t.dbname)
		l.Grant = []string{"CREATE USER " + userName + " PASSWORD 'PASSWORD';", "GRANT " + what + table + " TO " + userName + ";"}
		return l, l.DSN != ""
	}
	at, local := mysqlAt(host, exists)
	if at == "" {
		return l, false
	}
	who := "'" + userName + "'@'localhost'"
	if !local {
		who = "'" + userName + "'@'%'"
	}
	if !strings.Contains(table, ".") {
		table = t.dbname + "." + table
	}
	l.Driver, l.DSN = "mysql", userName+":PASSWORD@"+at+"/"+t.dbname
	l.Grant = []string{"CREATE USER " + who + " IDENTIFIED BY 'PASSWORD';", "GRANT " + what + table + " TO " + who + ";"}
	return l, true
}

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_.:\[\]-]+$`)
	portWord = regexp.MustCompile(`^( port=[0-9]+)?$`)
)

// mysqlAt is where a host of mysql_table(5) is: localhost is the socket there.
func mysqlAt(host string, exists func(path string) bool) (at string, local bool) {
	if path, ok := strings.CutPrefix(host, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || !hostName.MatchString(strings.ReplaceAll(path, "/", "")) {
			return "", false
		}
		return "unix(" + path + ")", true
	}
	host = strings.TrimPrefix(host, "inet:")
	if host == "localhost" {
		for _, path := range []string{"/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock"} {
			if exists(path) {
				return "unix(" + path + ")", true
			}
		}
		return "unix(/run/mysqld/mysqld.sock)", true
	}
	if !hostName.MatchString(host) {
		return "", false
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "3306")
	}
	h, _, _ := net.SplitHostPort(host)
	return "tcp(" + host + ")", h == "127.0.0.1" || h == "::1"
}

// pgDSN is libpq's form.
func pgDSN(host, dbname string) string {
	if path, ok := strings.CutPrefix(host, "unix:"); ok {
		host = path
	}
	host = strings.TrimPrefix(host, "inet:")
	port := ""
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, " port="+p
	}
	if !hostName.MatchString(strings.ReplaceAll(host, "/", "")) || !portWord.MatchString(port) {
		return ""
	}
	return "host=" + host + port + " user=" + userName + " password=PASSWORD dbname=" + dbname
}
