package auth

import (
	"context"
	"runtime/debug"
)

// background is a check that runs while the SMTP dialogue goes on.
type background[T any] struct {
	done   chan struct{}
	cancel context.CancelFunc
	result T
}

// start runs f, with fallback as its result when it panics.
func start[T any](ctx context.Context, a *Authenticator, method string, fallback T, f func(context.Context) T) *background[T] {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	b := &background[T]{done: make(chan struct{}), cancel: cancel, result: fallback}
	go func() {
		defer close(b.done)
		defer cancel()
		defer a.recovered(method)
		b.result = f(ctx)
	}()
	return b
}

func (a *Authenticator) recovered(method string) {
	if v := recover(); v != nil && a.Panic != nil {
		a.Panic(method, v, debug.Stack())
	}
}

// wait returns the result, or late when ctx ends first.
func (b *background[T]) wait(ctx context.Context, late T) T {
	select {
	case <-b.done:
		return b.result
	default:
	}
	select {
	case <-b.done:
		return b.result
	case <-ctx.Done():
		return late
	}
}

// stop cancels the check and waits until it is gone. Idempotent; nil does nothing.
func (b *background[T]) stop() {
	if b != nil {
		b.cancel()
		<-b.done
	}
}
