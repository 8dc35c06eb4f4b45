package milter

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/test/growth"
)

// TestGrowth is test/siege's for what only this package can call: what a frame
// holds.
func TestGrowth(t *testing.T) {
	repeated := func(piece string, read func(string)) growth.Work {
		return func(x int) func() {
			s := strings.Repeat(piece, 256<<10*x/len(piece)) // frames have a MiB
			return func() { read(s) }
		}
	}
	set := func(s string) {
		var m macros
		m.set([]byte("M" + s))
	}
	for name, w := range map[string]growth.Work{
		"macros":               repeated("i\x00x\x00", set),
		"macros without value": repeated("\x00", set),
		"braces of macros":     repeated("{", set),
		"wire form":            repeated("\r\n\x00", func(s string) { _ = wireValue(s, true) }),
		"replies":              repeated("%", func(s string) { _ = replyText(s) }),
		"addresses":            repeated("<", func(s string) { _ = address(s) }),
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, w) })
	}
}
