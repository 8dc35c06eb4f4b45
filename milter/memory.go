package milter

import (
	"fmt"
	"sync/atomic"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/policy"
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

// headerMemory is an account of the bytes of header and envelope that all messages
// of a server hold together. An MTA hands a message over within seconds; one that is paid
// for it, or broken, can stop in the middle of each of its connections.
type headerMemory struct{ used atomic.Int64 }

// take adds n bytes, unless more than limit would be held then.
func (h *headerMemory) take(n, limit int64) bool {
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

func (h *headerMemory) give(n int64) { h.used.Add(-n) }

// hold reports whether the message may keep n more bytes: a field, a name, an
// address. If not, all that it has is given back, and it has to come again
// (starved).
func (m *message) hold(n int) bool {
	if m.memory == nil || m.starved {
		return !m.starved
	}
	m.held += int64(n) + fieldOverhead
	limit := int64(m.set.Limits.HeaderMemory)
	if m.class.Direction != auth.Outbound {
		limit = limit * foreignShare / 100
	}
	more := m.held - freeHeader - m.charged
	if more <= 0 {
		return true
	}
	if m.memory.take(more, limit) {
		m.charged += more
		return true
	}
	m.starved = true
	m.fields, m.claimed, m.dropped, m.seen = nil, nil, nil, nil
	m.env.Recipients = nil
	m.release()
	return false
}

// release gives back what the message was charged with. Idempotent.
func (m *message) release() {
	if m.charged > 0 {
		m.memory.give(m.charged)
		m.charged = 0
	}
}

// comeAgain is the verdict about a message whose header found no room: ours is
// not sent unsigned, and others' is not let in unread.
func (m *message) comeAgain() policy.Verdict {
	return policy.Verdict{Action: policy.Tempfail, Rule: "header-memory",
		// RFC 3463 §3.4: x.3.2 = system not accepting network messages.
		Reply:  policy.Reply{Code: 451, Enhanced: "4.3.2", Text: "too much mail with large headers at the moment, try again later"},
		Reason: fmt.Sprintf("all messages together hold %d bytes of header (limits.header_memory)", m.set.Limits.HeaderMemory)}
}
