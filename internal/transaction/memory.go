package transaction

import (
	"sync/atomic"
)

const (
	// freeHeader bytes of each message's header are not counted: nearly all mail
	// has less, and is served however much others hold.
	freeHeader = 32 << 10
	// fieldOverhead is what a field takes beside its bytes: two strings and their
	// place in a list.
	fieldOverhead = 64
	// foreignShare is the part of the memory, in percent, that mail which is not
	// ours may hold; the rest is for outbound mail.
	foreignShare = 80
)

// Memory is an account of the bytes of header and envelope that all messages
// of a server hold together. An MTA hands a message over within seconds; one that is paid
// for it, or broken, can stop in the middle of each of its connections. The zero
// Memory is empty.
type Memory struct{ used atomic.Int64 }

// Used is what is held at present, in bytes.
func (h *Memory) Used() int64 { return h.used.Load() }

// take adds n bytes, unless more than limit would be held then.
func (h *Memory) take(n, limit int64) bool {
	for {
		now := h.used.Load()
		if now+n > limit {
			return false
		}
		if h.used.CompareAndSwap(now, now+n) {
			return true
		}
	}
}

func (h *Memory) give(n int64) { h.used.Add(-n) }

// account is what one message holds of a Memory.
type account struct {
	memory        *Memory // nil: nobody counts
	limit         int64   // of what all messages like this one hold together
	held, charged int64   // of held bytes, charged are on the account
	starved       bool    // there was no room
}

// hold reports whether the message may keep n more bytes: a field, a name, an
// address. If not, all that it has is given back, and it has to come again
// (starved).
func (a *account) hold(n int) bool {
	if a.memory == nil || a.starved {
		return !a.starved
	}
	a.held += int64(n) + fieldOverhead
	more := a.held - freeHeader - a.charged
	if more <= 0 {
		return true
	}
	if a.memory.take(more, a.limit) {
		a.charged += more
		return true
	}
	a.starved = true
	a.release()
	return false
}

// release gives back what the message was charged with. Idempotent.
func (a *account) release() {
	if a.charged > 0 {
		a.memory.give(a.charged)
		a.charged = 0
	}
}
