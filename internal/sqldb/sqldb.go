// Package sqldb asks a database for texts: all of one column, or those that
// belong to one argument. It is the one importer of database drivers.
//
// All that comes back is bounded, in rows, bytes and time, whatever the server
// does. It only reads. It keeps nothing and repeats nothing: what to do with a
// database that does not answer is for those who ask.
package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

const (
	// MaxRows is how many names one column may have: twice what a large hoster has.
	MaxRows = 200_000
	// MaxStrings is how many texts may belong to one argument.
	MaxStrings = 1000
	// MaxCell bounds one text: a name has 253 bytes at most, an address 320. What is
	// longer is cut, and so still too long for either.
	MaxCell = 1024
	// maxBytes bounds what is read from a server for one question.
	maxBytes = 64 << 20
	// maxConnections: whoever asks has one question at a time, or few.
	maxConnections = 2
	// dialFor bounds the way to the server; patience a whole question.
	dialFor  = 5 * time.Second
	patience = 30 * time.Second
	// idleFor is how long a connection is kept for the next question.
	idleFor = time.Minute
)

// Config says which database: the driver's name, and the file with what is needed
// to reach it.
type Config struct{ Driver, DSNFile string }

// DB is a database that can be asked. Nothing is connected before the first
// question.
type DB struct {
	driver string
	pool   *sql.DB
	budget *budget
}

// Open reads the DSN. Its errors have hints and never show the DSN.
func Open(c Config) (*DB, error) {
	dsn, err := readDSN(c.DSNFile)
	if err != nil {
		return nil, problem.Fail(problem.Hint(err), "%w: %w", ErrDSN, err)
	}
	b := &budget{}
	connector, err := connect(c.Driver, dsn, b)
	if err != nil {
		return nil, problem.Fail(forms(c.Driver), "%w: %s holds no DSN of %s", ErrDSN, c.DSNFile, c.Driver)
	}
	return open(c.Driver, connector, b), nil
}

func open(name string, connector driver.Connector, b *budget) *DB {
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxIdleTime(idleFor)
	return &DB{driver: name, pool: pool, budget: b}
}

// Close ends its connections.
func (db *DB) Close() error { return db.pool.Close() }

// Column returns all rows of the one column that a query without arguments has;
// NULL is "".
func (db *DB) Column(ctx context.Context, text string) ([]string, error) {
	return db.ask(ctx, MaxRows, text)
}

// Strings returns the rows of the one column that a query with one argument has.
func (db *DB) Strings(ctx context.Context, text, argument string) ([]string, error) {
	return db.ask(ctx, MaxStrings, text, argument)
}

func (db *DB) ask(ctx context.Context, most int, text string, args ...any) ([]string, error) {
	if f := query.Check(db.driver, text, len(args) > 0); f != nil {
		return nil, problem.Fail(f.Hint, "%w", f)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db.budget.left.Store(maxBytes)
	list, err := db.read(ctx, most, query.ForDriver(db.driver, text), args)
	if err != nil {
		return nil, db.failure(ctx, err)
	}
	return list, nil
}

func (db *DB) read(ctx context.Context, most int, text string, args []any) ([]string, error) {
	tx, err := db.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if len(columns) != 1 {
		return nil, problem.Fail("one column, such as SELECT DomainName FROM domains_table", "%w", wrongQuery(fmt.Sprintf("the query has %d columns", len(columns))))
	}
	list, total := []string{}, 0
	var cell sql.RawBytes
	for rows.Next() {
		if len(list) == most {
			return nil, problem.Fail("a condition (WHERE) makes it fewer", "%w", wrongQuery(fmt.Sprintf("the query has more than %d rows", most)))
		}
		if err := rows.Scan(&cell); err != nil {
			return nil, err
		}
		if total += len(cell); total > maxBytes {
			return nil, errTooMuch
		}
		list = append(list, string(cell[:min(len(cell), MaxCell)]))
	}
	return list, rows.Err()
}

// maxError is enough of what a server says.
const maxError = 300

// failure says why there is no answer; what a server says is bounded, one line.
func (db *DB) failure(ctx context.Context, err error) error {
	if problem.Hint(err) != "" {
		return err
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return problem.Fail("is the server well, and the table not locked?", "the database did not answer in time")
	}
	if errors.Is(err, errTooMuch) {
		return problem.Fail("ask for the column of the names alone", "%w", errTooMuch)
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "..."
	}
	return problem.Fail("", "%w", &answer{text, err})
}

// answer is an error of a driver in a form that can be shown.
type answer struct {
	text string
	err  error
}

func (a *answer) Error() string { return a.text }
func (a *answer) Unwrap() error { return a.err }

var errTooMuch = fmt.Errorf("the database sends more than %d bytes", maxBytes)
