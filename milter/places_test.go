package milter

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter/client"
)

func (l *lab) patience(p patience) {
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	l.srv.patience = p
}

// Who goes when all places are taken.
func TestOverstaying(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	type conn struct {
		since, began time.Duration // ago; 0: not so
		open         bool
	}
	idle := func(d time.Duration) conn { return conn{since: d} }
	inFrame := func(d time.Duration) conn { return conn{since: d + time.Hour, began: d} }
	inTransaction := func(d time.Duration) conn { return conn{since: d, open: true} }
	for name, c := range map[string]struct {
		conns []conn
		want  int // index, -1: nobody
	}{
		"all have reason to stay":               {[]conn{idle(4 * time.Second), inFrame(time.Second), inTransaction(29 * time.Second), {}, {open: true}}, -1},
		"stuck in a frame goes first":           {[]conn{idle(time.Hour), inFrame(3 * time.Second), inTransaction(time.Hour)}, 1},
		"stuck in a frame, the longest":         {[]conn{inFrame(3 * time.Second), inFrame(5 * time.Second), inFrame(4 * time.Second)}, 1},
		"idle before a transaction":             {[]conn{inTransaction(time.Hour), idle(6 * time.Second)}, 1},
		"idle, the longest":                     {[]conn{idle(6 * time.Second), idle(7 * time.Second)}, 1},
		"a transaction that nothing comes from": {[]conn{inTransaction(31 * time.Second), inTransaction(time.Minute), idle(time.Second)}, 1},
		"a frame in a transaction":              {[]conn{inTransaction(time.Hour), {since: time.Minute, began: 3 * time.Second, open: true}}, 1},
		"who waits for us stays":                {[]conn{{open: true}, {}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(ServerConfig{}, &transaction.Setup{})
			var wires []*wire
			for _, c := range c.conns {
				w := &wire{}
				ago := func(d time.Duration) int64 {
					if d == 0 {
						return 0
					}
					return now.Add(-d).UnixNano()
				}
				w.since.Store(ago(c.since))
				w.began.Store(ago(c.began))
				w.open.Store(c.open)
				wires = append(wires, w)
				s.conns[w] = auth.Inbound
			}
			got := -1
			for i, w := range wires {
				if w == s.overstaying(now) {
					got = i
				}
			}
			if got != c.want {
				t.Errorf("connection %d goes, want %d", got, c.want)
			}
		})
	}
}

// A house full of connections that say nothing, or stop in the middle of a
// frame, lets mail through; a transaction stays.
func TestFullHouseServesMail(t *testing.T) {
	l := newLab(t, func(_ *transaction.Setup, c *ServerConfig) { c.Connections, c.OutboundShare = 6, 0 })
	l.patience(patience{transaction: time.Hour})
	busy := dialRaw(t, l.path)
	busy.frame('C', "x\x004\x61\xa8192.0.2.1\x00")
	busy.frame('M', "<a@sender.example>\x00")
	busy.frame('L', "From\x00 <a@sender.example>\x00")
	for range 10 {
		idle, stuck := dialRaw(t, l.path), dialRaw(t, l.path)
		idle.frame('C', "x\x004\x61\xa8192.0.2.1\x00")
		if _, err := stuck.c.Write([]byte{0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if a := l.one(outside(), mailFrom("a@sender.example")); a.Code != 250 {
		t.Errorf("%d %s", a.Code, a.Text)
	}
	if _, code := busy.end(); code != 'c' {
		t.Errorf("the transaction was answered %q", code)
	}
	// Who of the others went is TestOverstaying's; hundreds of lines are nobody's.
	if n := strings.Count(l.log.String(), "all connections are taken"); n < 1 || n > 5 {
		t.Errorf("said %d times:\n%s", n, l.log)
	}
}

// While nobody overstays, who comes waits in the backlog.
func TestFullHouseOfBusyConnections(t *testing.T) {
	l := newLab(t, func(_ *transaction.Setup, c *ServerConfig) { c.Connections, c.OutboundShare = 2, 0 })
	l.patience(patience{frame: time.Hour, idle: time.Hour, transaction: time.Hour})
	a, b := l.session(outside()), l.session(outside())
	third := make(chan error, 1)
	go func() {
		c, err := client.Dial("unix", l.path)
		if err == nil {
			defer c.Close()
			err = c.Connect(outside())
		}
		third <- err
	}()
	l.send(b, mailFrom("a@sender.example"))
	select {
	case err := <-third:
		t.Fatalf("a third connection got through: %v", err)
	default:
	}
	a.Close()
	if err := <-third; err != nil {
		t.Error(err)
	}
}

// A part of the places is kept for mail of ours.
func TestPlacesForOutboundMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(ServerConfig{Connections: 10, OutboundShare: 20}, &transaction.Setup{})
		var last *wire
		for range 8 {
			last = &wire{}
			s.conns[last] = auth.Inbound
		}
		if !s.waitForPlace(auth.Outbound) {
			t.Error("stopped")
		}
		place := make(chan bool, 1)
		go func() { place <- s.waitForPlace(auth.Inbound) }()
		time.Sleep(time.Second)
		if len(place) > 0 {
			t.Fatal("the ninth from outside has a place")
		}
		s.mu.Lock()
		delete(s.conns, last)
		s.mu.Unlock()
		if !<-place {
			t.Error("stopped")
		}
	})
}

// Who waits for a place when the server stops is not kept until one is free.
func TestShutdownEndsTheWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(ServerConfig{Connections: 1}, &transaction.Setup{})
		a, b := net.Pipe()
		defer b.Close()
		defer a.Close()
		s.conns[newWire(a, longTimeouts(), 1)] = auth.Inbound
		place, start := make(chan bool, 1), time.Now()
		go func() { place <- s.waitForPlace(auth.Inbound) }()
		synctest.Wait()
		s.wg.Add(1) // the connection's
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(t.Context()) }()
		if <-place || time.Since(start) != 0 {
			t.Errorf("a place after %v", time.Since(start))
		}
		if synctest.Wait(); len(ended) > 0 {
			t.Error("Shutdown did not wait for the connection")
		}
		s.wg.Done()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
