package growth

import (
	"strings"
	"testing"
)

// failed takes a failure down in place of failing.
type failed struct {
	testing.TB
	failed bool
}

func (f *failed) Helper()               {}
func (f *failed) Errorf(string, ...any) { f.failed = true }

// TestCheck: what is quadratic is found, what is linear passes.
func TestCheck(t *testing.T) {
	sink := 0
	count := func(s string) {
		for i := range len(s) {
			if s[i] == 'y' {
				sink++
			}
		}
	}
	linear := func(x int) func() {
		s := strings.Repeat("x", x*100_000)
		return func() { count(s) }
	}
	quadratic := func(x int) func() {
		s := strings.Repeat("x", x*4000)
		return func() {
			for i := range s {
				count(s[i:])
			}
		}
	}
	for _, c := range []struct {
		name string
		work Work
		want bool
	}{{"linear", linear, false}, {"quadratic", quadratic, true}} {
		f := &failed{}
		if Check(f, c.work); f.failed != c.want {
			t.Errorf("%s: failed %v", c.name, f.failed)
		}
	}
	if sink != 0 {
		t.Error("y found")
	}
}
