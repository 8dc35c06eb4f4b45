package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
)

// TestInOrder: whoever is ready first, they are handed over in order, and no more than
// so many are begun.
func TestInOrder(t *testing.T) {
	const n, width = 10, 3
	gates := make([]chan struct{}, n)
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	begun := make(chan int, n)
	var got []int
	done := make(chan error, 1)
	go func() {
		done <- inOrder(t.Context(), n, width, func(_ context.Context, i int) int {
			begun <- i
			<-gates[i]
			return i
		}, func(i, v int) error {
			if i != v {
				return fmt.Errorf("%d is handed over as %d", v, i)
			}
			got = append(got, v)
			return nil
		})
	}()
	for first := 0; first < n; first += width {
		batch := min(width, n-first)
		var at []int
		for range batch {
			at = append(at, <-begun)
		}
		slices.Sort(at)
		if at[0] != first || at[batch-1] != first+batch-1 {
			t.Errorf("begun: %v", at)
		}
		select {
		case i := <-begun:
			t.Errorf("%d has begun before %d was there", i, first)
		default:
		}
		for i := first + batch - 1; i >= first; i-- { // the last one first
			close(gates[i])
		}
	}
	if err := <-done; err != nil || !slices.IsSorted(got) || len(got) != n {
		t.Errorf("%v, %v", got, err)
	}
}

// TestInOrderEnds: with what ends it, and with nothing left behind.
func TestInOrderEnds(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, c := range map[string]struct {
		cancel bool
		want   error
	}{"the reader has gone": {false, broken}, "nobody waits": {true, context.Canceled}} {
		ctx, cancel := context.WithCancel(t.Context())
		var running atomic.Int32
		err := inOrder(ctx, 100, 5, func(ctx context.Context, i int) int {
			running.Add(1)
			defer running.Add(-1)
			if i > 0 {
				<-ctx.Done()
			}
			return i
		}, func(i, _ int) error {
			if i > 0 {
				t.Errorf("%s: %d came", name, i)
			}
			if c.cancel {
				cancel()
				return nil
			}
			return broken
		})
		if !errors.Is(err, c.want) || running.Load() != 0 {
			t.Errorf("%s: %v, %d still run", name, err, running.Load())
		}
		cancel()
	}
	if err := inOrder(t.Context(), 0, 5, func(context.Context, int) int { return 0 }, func(int, int) error { return broken }); err != nil {
		t.Error(err)
	}
}
