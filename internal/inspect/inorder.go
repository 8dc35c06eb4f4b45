package inspect

import (
	"context"
	"sync"
)

// inOrder makes n values, up to width of them at a time, and hands each over in order
// as soon as those before it are: a slow one holds width-1 others back and no more are
// begun. It ends with the first error, or when ctx does, and leaves nothing running.
func inOrder[T any](ctx context.Context, n, width int, produce func(ctx context.Context, i int) T, consume func(i int, v T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	width = min(width, n)
	ready := make([]chan T, width)
	begin := func(i int) {
		if i >= n {
			return
		}
		made := make(chan T, 1)
		ready[i%width] = made
		running.Go(func() { made <- produce(ctx, i) })
	}
	for i := range width {
		begin(i)
	}
	for i := range n {
		v := <-ready[i%width] // produce ends with ctx
		if err := ctx.Err(); err != nil {
			return err
		}
		begin(i + width)
		if err := consume(i, v); err != nil {
			return err
		}
	}
	return nil
}
