package assemble

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/directory"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/sqldb"
)

// Directory is the database of sign.senders.query with what is remembered of it.
// Nothing is opened before the first question.
type Directory struct {
	directory.Cache
	query config.SenderQuery
	log   *slog.Logger

	mu     sync.Mutex
	db     *sqldb.DB
	closed bool
	told   time.Time // when a failure was logged last
}

// NewDirectory makes the directory of q, nil where it asks no database.
func NewDirectory(q config.SenderQuery, log *slog.Logger) *Directory {
	if !q.Asked() {
		return nil
	}
	d := &Directory{query: q, log: log}
	d.Ask, d.Bad, d.Failed = d.ask, d.bad, d.failed
	return d
}

// Serves reports whether d is the directory of q: what it remembers is still true.
func (d *Directory) Serves(q config.SenderQuery) bool {
	if d == nil {
		return !q.Asked()
	}
	return d.query.Driver == q.Driver && d.query.DSNFile == q.DSNFile && d.query.Query == q.Query
}

// ask asks for one user. After an error that somebody has to correct, the file with
// the DSN is read again: a new password needs no reload.
func (d *Directory) ask(ctx context.Context, user string) ([]string, error) {
	db, own, err := d.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.Strings(ctx, d.query.Query, user)
	switch {
	case own:
		db.Close()
	case err == nil || ctx.Err() != nil:
	case d.isClosed():
		return d.ask(ctx, user) // closed under our hands: with one of our own
	case sqldb.Wrong(err):
		d.drop(db)
	}
	return rows, err
}

func (d *Directory) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// open returns the database; own is for one question only.
func (d *Directory) open() (db *sqldb.DB, own bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db != nil {
		return d.db, false, nil
	}
	db, err = sqldb.Open(sqldb.Config{Driver: d.query.Driver, DSNFile: d.query.DSNFile})
	if err == nil && !d.closed {
		d.db = db
	}
	return db, d.closed, err
}

func (d *Directory) drop(db *sqldb.DB) {
	d.mu.Lock()
	if d.db == db {
		d.db = nil
	}
	d.mu.Unlock()
	db.Close()
}

// Close ends the connections. A message that is under way may still ask.
func (d *Directory) Close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	db := d.db
	d.db, d.closed = nil, true
	d.mu.Unlock()
	if db != nil {
		db.Close()
	}
}

// quiet is how long nothing more is said about a database that fails.
const quiet = time.Minute

func (d *Directory) failed(err error) {
	d.mu.Lock()
	again := time.Since(d.told) < quiet && !d.told.IsZero()
	if !again {
		d.told = time.Now()
	}
	d.mu.Unlock()
	if !again {
		d.log.Warn("sign.senders.query: the database does not tell", "err", err, "hint", problem.Hint(err))
	}
}

func (d *Directory) bad(user string, rows []string) {
	d.log.Warn("sign.senders.query: rows that are no addresses", "user", user, "rows", rows)
}

// AskSender asks the database of q for the addresses of one user, once.
func AskSender(ctx context.Context, q config.SenderQuery, user string) ([]string, error) {
	return askSender(ctx, q, user, func(open func() error) error { return open() })
}

// AskSenderAs is AskSender for the eyes of user uid, the daemon's; only root can.
func AskSenderAs(ctx context.Context, uid, gid int, q config.SenderQuery, user string) ([]string, error) {
	return askSender(ctx, q, user, func(open func() error) error { return asuser.As(uid, gid, open) })
}

func askSender(ctx context.Context, q config.SenderQuery, user string, as func(open func() error) error) ([]string, error) {
	var db *sqldb.DB
	err := as(func() (err error) {
		db, err = sqldb.Open(sqldb.Config{Driver: q.Driver, DSNFile: q.DSNFile})
		return err
	})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Strings(ctx, q.Query, user)
}
