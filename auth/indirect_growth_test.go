package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// TestIndirectGrowth: eight times the header costs about eight times the work,
// whichever mark it is made of. Quadratic work would cost 64 times.
func TestIndirectGrowth(t *testing.T) {
	const small, most = 8 << 10, 30
	for name, piece := range map[string]string{
		"ARC-Seal": "a=;", "ARC-Message-Signature": "=i;", "List-Id": "<a.b>", "List-Post": "<mailto:", "Delivered-To": "<@>", "X-Original-To": " a@b",
	} {
		took := func(size int) time.Duration {
			v := strings.Repeat(piece, size/len(piece))
			h := header.Fields{{Name: name, Value: v}}
			for i := range size / 400 { // and many short ones
				h = append(h, header.Field{Name: name, Value: fmt.Sprintf(" %s%d", piece, i)})
			}
			var sigs []dkim.Result
			for i := range 9 {
				sigs = append(sigs, dkim.Result{Status: dkim.Pass, Domain: fmt.Sprintf("d%d.example", i)})
			}
			env := &Envelope{MailFrom: "a@b.example", Recipients: []string{"c@d.example"}}
			best := time.Hour
			for range 20 {
				start := time.Now()
				Indirect(h, env, &spf.Result{Status: spf.Pass, Domain: "b.example"}, sigs)
				best = min(best, time.Since(start))
			}
			return best
		}
		if a, b := took(small), took(8*small); b > most*a {
			t.Errorf("%s: %v, and %v for eight times as much", name, a, b)
		}
	}
}
