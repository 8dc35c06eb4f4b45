package milter

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/observe"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter/client"
)

// BenchmarkMessage is one 2 KB message over a connection that stays, the
// client's part included: inbound without checks (the protocol alone), inbound
// with all of them, outbound with both signatures.
func BenchmarkMessage(b *testing.B) {
	body := strings.Repeat("A line of text that is about as long as lines are.\n", 36)
	for _, c := range []struct {
		name  string
		peer  client.Peer
		from  string
		naked bool
	}{
		{"protocol", outside(), "a@sender.example", true},
		{"inbound", outside(), "a@sender.example", false},
		{"outbound", submission(), "alice@good.example", false},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := newLab(b, func(s *transaction.Setup, _ *ServerConfig) {
				s.Observer = observe.NewLog(discard())
				if c.naked {
					s.Auth.SPF, s.Auth.DKIM, s.Auth.DMARC, s.Auth.IPRev = false, false, false, false
					s.Policy = accepting{}
				}
			})
			s := l.session(c.peer)
			m := mailFrom(c.from)
			m.Raw += body
			b.ReportAllocs()
			for b.Loop() {
				if a := l.send(s, m); a.Code != 250 {
					b.Fatal(a.Code)
				}
			}
		})
	}
}
