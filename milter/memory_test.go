package milter

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter/client"
)

// large is mail with about n bytes of header.
func large(m client.Message, n int) client.Message {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "X-Large-%d: %s\n", i, strings.Repeat("x", 8000))
	}
	m.Raw = b.String() + m.Raw
	return m
}

// holder has a server hold n bytes of header for a client, in a message that
// does not end.
func holder(t *testing.T, l *lab, n int) *raw {
	t.Helper()
	r := dialRaw(t, l.path)
	r.frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00")
	r.frame('M', "<a@out.sender.example>\x00")
	for range n / 10_000 {
		r.frame('L', "X-Large\x00 "+strings.Repeat("x", 10_000)+"\x00")
	}
	return r
}

// TestHeaderMemory: when all together hold too much, large mail has to come
// again, signed or not at all; small mail and ours go on, and what was held is
// given back in every way in which a message can end.
func TestHeaderMemory(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Limits.HeaderMemory = 1 << 20 })
	in, out := mailFrom("a@sender.example"), mailFrom("box@good.example")
	if a := l.one(outside(), large(in, 200_000)); a.Code != 250 {
		t.Fatalf("with nobody beside it: %d %s", a.Code, a.Text)
	}
	waitUsed(t, l, 0)

	var held []*raw
	for range 3 {
		held = append(held, holder(t, l, 300_000))
	}
	waitUsed(t, l, 700_000)
	if a := l.one(outside(), large(in, 200_000)); a.Code != 451 || !strings.HasPrefix(a.Text, "4.3.2 ") || a.Edits != 0 {
		t.Errorf("a large message from outside: %d %s, %d edits", a.Code, a.Text, a.Edits)
	}
	if !strings.Contains(l.log.String(), "rule=header-memory") {
		t.Error("the log does not say why")
	}
	if a := l.one(outside(), in); a.Code != 250 || !strings.Contains(a.Raw, "Authentication-Results:") {
		t.Errorf("an ordinary message from outside: %d %s", a.Code, a.Text)
	}
	if a := l.one(submission(), large(out, 150_000)); a.Code != 250 || !strings.Contains(a.Raw, "DKIM-Signature:") {
		t.Errorf("a large message of ours: %d %s", a.Code, a.Text)
	}
	if a := l.one(submission(), large(out, 400_000)); a.Code != 451 || strings.Contains(a.Raw, "DKIM-Signature:") {
		t.Errorf("one of ours for which there is no room: %d %s", a.Code, a.Text)
	}

	held[0].frame('A', "")                           // aborted
	held[1].frame('M', "<b@out.sender.example>\x00") // left for another one
	held[2].c.Close()                                // gone
	waitUsed(t, l, 0)
	if a := l.one(outside(), large(in, 200_000)); a.Code != 250 {
		t.Errorf("afterwards: %d %s", a.Code, a.Text)
	}
	waitUsed(t, l, 0)
}

// waitUsed waits until the server's sessions have taken, or given back, what
// they were sent: at least n bytes, or none.
func waitUsed(t *testing.T, l *lab, n int64) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		used := l.srv.memory.Used()
		if n == 0 && used == 0 || n > 0 && used >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are held, want %d", used, n)
		}
	}
}
