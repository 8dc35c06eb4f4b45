// Package growth asks how the work for an input grows with its size.
//
// A reader of hostile text that is quadratic costs sixteen times as much for
// four times the input, a linear one four times. The time is the CPU time of the
// whole process, so that work which is left to other goroutines counts, and
// only ratios of the same run are looked at.
package growth

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// Work makes an input x times as large as the smallest, which is a quarter of
// its limit, and returns what reads it. What it returns is called many times.
type Work func(x int) func()

const (
	// most is how many times as much four times the input may cost. A linear
	// reader needs 4 and a little more for caches and the garbage collector, a
	// quadratic one 16.
	most = 8
	// surely is how many times as much needs no second look.
	surely = 6
	// least is how long the smallest input is read, by reading it again and
	// again, so that the clock and the rest of the machine do not matter.
	least = 2 * time.Millisecond
	// cheap is what reading the largest input may cost without another look, of
	// the 50 ms that a message has: where the smallest fits into a cache of the
	// processor and the largest does not, a linear reader takes ten times as long.
	cheap = 2 * time.Millisecond
	// tries is how often all is measured, as long as the ratio is too large:
	// the least cost of each size counts.
	tries = 6
)

// Check fails t where four times the input costs more than eight times as much.
// It returns what reading the largest one costs.
func Check(t testing.TB, w Work) time.Duration {
	t.Helper()
	// A collector that runs more often for a larger heap makes steps.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	sizes := []int{1, 2, 4}
	reads := make([]func(), len(sizes))
	for i, x := range sizes {
		reads[i] = w(x)
	}
	reps := 1
	for reps < 1<<20 && cost(reads[0], reps) < least {
		reps *= 2
	}
	best := make([]time.Duration, len(sizes))
	for try := range tries {
		for i, f := range reads {
			runtime.GC()
			if c := cost(f, reps); try == 0 || c < best[i] {
				best[i] = c
			}
		}
		took := best[2] / time.Duration(reps)
		if took < cheap || best[2] <= surely*best[0] || try > 0 && best[2] <= most*best[0] {
			return took
		}
	}
	t.Errorf("2 and 4 times the input cost %s times as much as one, which is read in %v: want at most %d for 4 times",
		ratios(best), best[0]/time.Duration(reps), most)
	return best[2] / time.Duration(reps)
}

func ratios(best []time.Duration) string {
	return fmt.Sprintf("%.1f and %.1f", float64(best[1])/float64(best[0]), float64(best[2])/float64(best[0]))
}

func cost(f func(), reps int) time.Duration {
	before := cpu()
	for range reps {
		f()
	}
	return cpu() - before
}

// cpu is the time that this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // an argument of ours is wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
