package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

// connect makes what connects to the database of a DSN. The drivers' own errors
// may show parts of it, and are for nobody's eyes.
func connect(name, dsn string, b *budget) (driver.Connector, error) {
	switch name {
	case query.MySQL:
		return connectMySQL(dsn, b)
	case query.Postgres:
		return connectPostgres(dsn, b)
	case query.SQLite:
		return connectSQLite(dsn)
	}
	return nil, errors.New("no such driver")
}

// forms are what a DSN of a driver looks like.
func forms(name string) string {
	switch name {
	case query.MySQL:
		return "one line, such as sealmilter:PASSWORD@unix(/run/mysqld/mysqld.sock)/servermail or sealmilter:PASSWORD@tcp(127.0.0.1:3306)/servermail"
	case query.Postgres:
		return "one line, such as host=/run/postgresql user=sealmilter password=PASSWORD dbname=mail or postgres://sealmilter:PASSWORD@127.0.0.1/mail"
	}
	return "one line, the absolute path of the database, such as /var/lib/mail/domains.sqlite"
}

func connectMySQL(dsn string, b *budget) (driver.Connector, error) {
	c, err := mysqlConfig(dsn, b)
	if err != nil {
		return nil, err
	}
	return mysql.NewConnector(c)
}

func mysqlConfig(dsn string, b *budget) (*mysql.Config, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	// What a server or a query could abuse, whatever the DSN says.
	c.MultiStatements, c.AllowAllFiles, c.InterpolateParams = false, false, false
	c.Timeout, c.ReadTimeout, c.WriteTimeout = dialFor, patience, patience
	c.Logger = &mysql.NopLogger{} // errors come back to us
	c.DialFunc = b.dial
	return c, nil
}

func connectPostgres(dsn string, b *budget) (driver.Connector, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	c.ConnectTimeout = dialFor
	c.DialFunc = b.dial
	// No statement outlives its question: a pooler in front may give the next one
	// another connection.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 0
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxBytes)
		return f
	}
	return stdlib.GetConnector(*c), nil
}

// connectSQLite opens for reading alone. Parameters are ours: a pragma of the
// driver's is SQL text.
func connectSQLite(path string) (driver.Connector, error) {
	if !filepath.IsAbs(path) || strings.ContainsAny(path, "\x00") {
		return nil, errors.New("no absolute path")
	}
	u := url.URL{Scheme: "file", Path: filepath.Clean(path), OmitHost: true, RawQuery: "mode=ro&_busy_timeout=2000&_query_only=1"}
	return sqlite.NewConnector(u.String())
}

// budget bounds what is read from the network for a question, by whatever message
// a server sends it.
type budget struct{ left atomic.Int64 }

func (b *budget) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialFor}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &boundedConn{c, b}, nil
}

type boundedConn struct {
	net.Conn
	budget *budget
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.budget.left.Load() <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p)
	c.budget.left.Add(int64(-n))
	return n, err
}

// SyscallConn lets a driver see that the server has closed a connection before it
// uses it again.
func (c *boundedConn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.SyscallConn()
}
