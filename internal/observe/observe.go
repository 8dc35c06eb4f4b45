// Package observe is told what was decided about each message: it writes the log's
// line and keeps the counters. What may have to wait, for a disk or a database,
// stands behind a Queue, so that no message waits with it.
package observe

import (
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// All tells each of its observers, whatever the others do.
type All []transaction.Observer

// Decided implements transaction.Observer.
func (a All) Decided(d *transaction.Decision) {
	for _, o := range a {
		shielded(func() { o.Decided(d) })
	}
}

// Panicked implements transaction.Observer.
func (a All) Panicked(where string) {
	for _, o := range a {
		shielded(func() { o.Panicked(where) })
	}
}

// shielded reports whether f came to its end without a panic.
func shielded(f func()) (ok bool) {
	defer func() { ok = recover() == nil }()
	f()
	return true
}
