package milter

import (
	"runtime"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/transaction"
)

// TestNothingIsHoardedUncounted: what a session keeps beside its header fields is
// bounded, or on the same account. Who may connect needs no header to fill memory.
func TestNothingIsHoardedUncounted(t *testing.T) {
	const sessions, each, small = 20, 900_000, 8 << 20
	connect, helo, mail := "out.sender.example\x004\x61\xa8192.0.2.1\x00", "out.sender.example\x00", "<a@sender.example>\x00"
	long := strings.Repeat("x", each)
	for name, c := range map[string]struct {
		connect, helo, mail string
		then                func(r *raw)
	}{
		"the client's name": {long + connect, helo, mail, nil},
		"HELO":              {connect, long + helo, mail, nil},
		"MAIL FROM":         {connect, helo, "<" + long + "@sender.example>\x00", nil},
		"recipients": {connect, helo, mail, func(r *raw) {
			for range 30 {
				r.frame('R', "<"+long[:each/30]+"@good.example>\x00")
			}
		}},
		"names behind the limits": {connect, helo, mail, func(r *raw) {
			r.frame('L', "X-Large\x00 "+strings.Repeat("x", 200_000)+"\x00")
			for range 18 {
				r.frame('L', "authentication-results"+strings.Repeat(" ", 100_000)+"\x00 x\x00")
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Limits.HeaderMemory = 1 << 20 })
			before := heap()
			var all []*raw
			for range sessions {
				r := dialRaw(t, l.path)
				r.frame('C', c.connect)
				r.frame('H', c.helo)
				r.frame('M', c.mail)
				r.frame('L', "From\x00 <a@sender.example>\x00")
				if c.then != nil {
					c.then(r)
				}
				r.frame('T', "") // is answered when the rest has been taken
				if code, _ := r.read(); code != 'c' {
					t.Fatalf("DATA is answered by %c", code)
				}
				all = append(all, r)
			}
			if grown := heap() - before; grown > small {
				t.Errorf("%d sessions hold %d bytes", sessions, grown)
			}
			for _, r := range all {
				if text, code := r.end(); code != 'c' && !strings.Contains(text, "451 4.3.2 ") && c.then == nil {
					t.Errorf("answered by %c %.100q", code, text)
				}
				r.c.Close()
			}
			waitUsed(t, l, 0)
		})
	}
}

// TestShortened: a domain is the same before and after.
func TestShortened(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for in, want := range map[string]string{"a@b.example": "a@b.example", long + "@b.example": long[:maxName-10] + "@b.example", "": ""} {
		if got := shortenPath(in); got != want {
			t.Errorf("path of %d bytes: %.20q, %d bytes", len(in), got, len(got))
		}
	}
	if got := shorten("b.example" + long); len(got) != maxName || !strings.HasPrefix(got, "b.examplex") {
		t.Errorf("name: %.20q, %d bytes", got, len(got))
	}
	if got := shorten("b.example"); got != "b.example" {
		t.Errorf("name: %q", got)
	}
}

// heap is what is in use, what pools keep left out.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
