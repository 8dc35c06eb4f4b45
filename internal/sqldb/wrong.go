package sqldb

import (
	"errors"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// ErrDSN is wrapped by Open's errors.
var ErrDSN = errors.New("the database cannot be asked")

// wrongQuery is an answer that no good query has.
type wrongQuery string

func (w wrongQuery) Error() string { return string(w) }

// Wrong reports whether an error will come back until somebody changes the
// configuration or the database: the file with the DSN, a name, a password, a
// right or the query is wrong. Else the database may only be down.
func Wrong(err error) bool {
	if w := wrongQuery(""); errors.Is(err, ErrDSN) || errors.As(err, &w) {
		return true
	}
	if m := (*mysql.MySQLError)(nil); errors.As(err, &m) {
		switch m.Number {
		// Access denied to: database, user, user by socket, table, column; no such
		// database, column, table; no grammar.
		case 1044, 1045, 1698, 1142, 1143, 1049, 1054, 1146, 1064:
			return true
		}
	}
	if p := (*pgconn.PgError)(nil); errors.As(err, &p) && len(p.Code) == 5 {
		switch p.Code[:2] {
		case "28", "3D", "42": // who we are; which database; grammar, names and rights
			return true
		}
	}
	if l := (*sqlite.Error)(nil); errors.As(err, &l) {
		switch l.Code() & 0xff {
		case 1, 14, 26: // SQLITE_ERROR, SQLITE_CANTOPEN, SQLITE_NOTADB
			return true
		}
	}
	return false
}
