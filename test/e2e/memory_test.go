//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxRSS is what issue-level goal the project set itself: 40 MB resident after the large messages.
const maxRSS = 40_000 // KiB, a little below 40 MB's 40,960 KiB

// TestMemoryLargeMessages: 200 messages of 5 MB over 8 connections, half of them signed, half verified.
func TestMemoryLargeMessages(t *testing.T) {
	l := need(t)
	l.daemon.restart(t)
	body := strings.Repeat(strings.Repeat("QUJDREVGR0hJSktM", 5)[:76]+"\r\n", 5<<20/78)
	out := compose("kim@good.example", "x@remote.example", "5 MB out", body)
	in := l.outsider.sign(t, compose("ann@sender.example", "x@good.example", "5 MB in", body))
	before := l.daemon.rss(t)
	begin := time.Now()
	var wg sync.WaitGroup
	for w := range 8 {
		conn := l.daemon.dialMilter(t)
		wg.Go(func() {
			m, err := newMilterClient(conn)
			if err != nil {
				t.Error(err)
				return
			}
			m.macros = true
			inbound := w%2 == 0
			if inbound {
				err = m.connect("mail.sender.example", "192.0.2.10")
			} else {
				err = m.connect("client.example", "198.51.100.7")
			}
			for i := 0; i < 25 && err == nil; i++ {
				var final byte
				var inserted []string
				want := []string{"authentication-results"}
				if inbound {
					final, _, inserted, err = m.message("ann@sender.example", "x@good.example", "", in)
				} else {
					final, _, inserted, err = m.message("kim@good.example", "x@remote.example", "kim", out)
					want = []string{"dkim-signature", "dkim-signature"}
				}
				if err == nil && ((final != 'c' && final != 'a') || !slices.Equal(inserted, want)) {
					err = fmt.Errorf("answered %q, inserted %v", final, inserted)
				}
				if err == nil {
					err = m.abort()
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	after := l.daemon.rss(t)
	t.Logf("resident %d KiB before, %d KiB after 200 messages of 5 MB over 8 connections in %v", before, after, time.Since(begin).Round(10*time.Millisecond))
	if after > maxRSS {
		t.Errorf("resident memory %d KiB, want below %d", after, maxRSS)
	}
}

// TestMemoryManyMessages: 10,000 messages without ABORT on one connection, as Sendmail sends them. The second half
// must not need more than the first.
func TestMemoryManyMessages(t *testing.T) {
	l := need(t)
	l.daemon.restart(t)
	m, err := newMilterClient(l.daemon.dialMilter(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.connect("client.example", "198.51.100.7"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	const n = 10_000
	var half int
	for i := range n {
		if i == n/2 {
			half = l.daemon.rss(t)
		}
		// Every message has fields of its own names: what would pile up in a map by name shows.
		msg := compose("kim@good.example", "x@remote.example", "small", "text", fmt.Sprintf("X-Serial-%d: %d\r\n", i, i))
		final, _, inserted, err := m.message("kim@good.example", "x@remote.example", "kim", msg)
		if err != nil || (final != 'c' && final != 'a') || len(inserted) != 2 {
			t.Fatalf("message %d: %q %v %v", i, final, inserted, err)
		}
	}
	after := l.daemon.rss(t)
	t.Logf("resident %d KiB after 5,000, %d KiB after 10,000 messages on one connection in %v", half, after, time.Since(begin).Round(10*time.Millisecond))
	if after > half+half/10+1024 { // the garbage collector's own breathing
		t.Errorf("memory grows with the number of messages: %d KiB, then %d KiB", half, after)
	}
	if after > maxRSS {
		t.Errorf("resident memory %d KiB, want below %d", after, maxRSS)
	}
}

// restart gives a test a daemon without history.
func (d *daemon) restart(t *testing.T) {
	t.Helper()
	d.stop()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
}
