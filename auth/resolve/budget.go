package resolve

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// Budget is the Resolver of one method for one message: it asks each question once, however
// many checks want the answer, and stops asking after a number of distinct
// questions. What a message may cost is thereby bounded whatever its fields
// and other people's records say.
//
// Safe for the message's concurrent checks. A question that several ask at
// once is asked with the first asker's context; all askers of a message share
// that message's context.
type Budget struct {
	next Resolver

	mu   sync.Mutex
	left int
	memo map[zoneKey]*memoised
}

type memoised struct {
	done  chan struct{}
	value any
	err   error
}

// NewBudget allows limit distinct questions to next.
func NewBudget(next Resolver, limit int) *Budget {
	return &Budget{next: next, left: limit, memo: map[zoneKey]*memoised{}}
}

// Left returns how many more questions may be asked.
func (b *Budget) Left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

func ask[T any](ctx context.Context, b *Budget, typ, name string, f func() (Answer[T], error)) (Answer[T], error) {
	if err := CheckName(strings.TrimSuffix(name, ".")); err != nil { // costs no question
		return Answer[T]{}, &Error{Type: typ, Name: name, Err: fmt.Errorf("%w: %w", ErrNXDomain, err)}
	}
	k := zoneKey{zoneName(name), typ}
	b.mu.Lock()
	m := b.memo[k]
	if m == nil {
		if err := ctx.Err(); err != nil { // nobody waits for the answer
			b.mu.Unlock()
			return Answer[T]{}, &Error{Type: typ, Name: name, Err: fmt.Errorf("%w: %w", ErrTemporary, err)}
		}
		if b.left <= 0 {
			b.mu.Unlock()
			return Answer[T]{}, &Error{Type: typ, Name: name, Err: ErrBudget}
		}
		b.left--
		m = &memoised{done: make(chan struct{}), err: ErrTemporary}
		b.memo[k] = m
		b.mu.Unlock()
		defer close(m.done) // also when f panics: the waiters get ErrTemporary
		a, err := f()
		m.value, m.err = a, err
		return a, err
	}
	b.mu.Unlock()
	select {
	case <-m.done: // an answer that is there counts even after the deadline
	default:
		select {
		case <-m.done:
		case <-ctx.Done():
			return Answer[T]{}, &Error{Type: typ, Name: name, Err: ErrTemporary}
		}
	}
	a, _ := m.value.(Answer[T])
	return a, m.err
}

// LookupTXT and the others share their Records among all askers: not to be
// changed.
func (b *Budget) LookupTXT(ctx context.Context, name string) (Answer[string], error) {
	return ask(ctx, b, "TXT", name, func() (Answer[string], error) { return b.next.LookupTXT(ctx, name) })
}

func (b *Budget) LookupA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return ask(ctx, b, "A", name, func() (Answer[netip.Addr], error) { return b.next.LookupA(ctx, name) })
}

func (b *Budget) LookupAAAA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return ask(ctx, b, "AAAA", name, func() (Answer[netip.Addr], error) { return b.next.LookupAAAA(ctx, name) })
}

func (b *Budget) LookupMX(ctx context.Context, name string) (Answer[MX], error) {
	return ask(ctx, b, "MX", name, func() (Answer[MX], error) { return b.next.LookupMX(ctx, name) })
}

func (b *Budget) LookupPTR(ctx context.Context, ip netip.Addr) (Answer[string], error) {
	return ask(ctx, b, "PTR", ReverseName(ip), func() (Answer[string], error) { return b.next.LookupPTR(ctx, ip) })
}
