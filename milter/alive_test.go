package milter

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter/client"
)

func TestAlive(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.srv.Alive(ctx); err != nil {
		t.Fatalf("a fresh server: %v", err)
	}
	full := newLab(t, func(_ *transaction.Setup, c *ServerConfig) { c.Connections = 0 })
	if err := full.srv.Alive(ctx); err != nil {
		t.Errorf("a server whose places are all taken is busy, not dead: %v", err)
	}
	// The lock is stuck: Alive must not say that all is well.
	l.srv.mu.Lock()
	answered := make(chan error, 1)
	short, stop := context.WithTimeout(ctx, time.Millisecond)
	defer stop()
	go func() { answered <- l.srv.Alive(short) }()
	<-short.Done()
	select {
	case err := <-answered:
		t.Errorf("a stuck server answers %v", err)
	default:
	}
	l.srv.mu.Unlock()
	<-answered
}

func TestAliveSeesADeadListener(t *testing.T) {
	l := newLab(t)
	l.srv.mu.Lock()
	l.srv.accepting--
	l.srv.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.srv.Alive(ctx); !errors.Is(err, errDeaf) {
		t.Errorf("err = %v", err)
	}
}

// While an old connection is waited for, new ones are served.
func TestSettleServesNewConnections(t *testing.T) {
	l := newLab(t)
	dial := func() *client.Session {
		t.Helper()
		s, err := client.Dial("unix", l.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := dial()
	settled := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { l.srv.Settle(ctx); close(settled) }()
	young := dial()
	if _, err := young.Send(client.Message{MailFrom: "a@good.example", RcptTo: []string{"b@else.example"}, Raw: "From: a@good.example\n\nhi\n"}); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	select {
	case <-settled:
		t.Error("did not wait for the old connection")
	default:
	}
	old.Close()
	<-settled
	young.Close()
}

func TestSettleEndsWithItsContext(t *testing.T) {
	l := newLab(t)
	s, err := client.Dial("unix", l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.srv.Settle(ctx)
}
