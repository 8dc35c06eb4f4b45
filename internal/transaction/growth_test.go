package transaction

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/test/growth"
)

// TestGrowth is test/siege's for what only this package can call: what the MTA tells,
// and the body of outbound mail.
func TestGrowth(t *testing.T) {
	repeated := func(piece string, read func(string)) growth.Work {
		return func(x int) func() {
			s := strings.Repeat(piece, 256<<10*x/len(piece)) // frames have a MiB
			return func() { read(s) }
		}
	}
	lines := func(s string) {
		var l lineMeter
		for s != "" {
			n := min(len(s), 65535)
			l.write([]byte(s[:n]))
			s = s[n:]
		}
	}
	for name, w := range map[string]growth.Work{
		"line ends":                 repeated("\n", lines),
		"CRLF":                      repeated("\r\n", lines),
		"lines as long as looked":   repeated("\n"+strings.Repeat("x", sendmailLine), lines),
		"lines longer than looked":  repeated("\n"+strings.Repeat("x", sendmailLine+1), lines),
		"a line without end":        repeated("x", lines),
		"8-bit at the end of lines": repeated(strings.Repeat("x", 31)+"é", lines),
		"folds":                     repeated("\n ", func(s string) { _ = crlf(s) }),
		"mixed line ends":           repeated("\r\n\n\r", func(s string) { _ = crlf(s) }),
		"names of clients":          repeated("::", func(s string) { _ = ParseIP("IPv6:" + s) }),
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, w) })
	}
}
