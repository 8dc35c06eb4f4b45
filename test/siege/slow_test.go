package siege

import (
	"context"
	"sync"
	"testing"
	"time"
)

// besiege puts normal mail beside a siege and returns how long the messages
// took. Every one must get its verdict.
func besiege(t *testing.T, more string, sieges ...*Siege) {
	t.Helper()
	const senders = 50
	mail, err := NewMail(senders)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, serve(t, mail.Zone, nil).Addr(), more)
	load := Load{Socket: d.Socket, Mail: mail, Senders: senders, Workers: 8}
	run := func() []time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(pick(1, 40))*time.Second)
		defer cancel()
		took, err := load.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		return took
	}
	before, err := d.Goroutines()
	if err != nil {
		t.Fatal(err)
	}
	calm := run()
	ctx, lift := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, s := range sieges {
		s.Socket = d.Socket
		ready := make(chan struct{})
		wg.Go(func() { s.Run(ctx, ready) })
		<-ready
	}
	took := run()
	lift()
	wg.Wait()
	t.Logf("undisturbed: %d messages, p50 %v p99 %v max %v", len(calm), Quantile(calm, .5), Quantile(calm, .99), Quantile(calm, 1))
	t.Logf("besieged:    %d messages, p50 %v p99 %v max %v; connections of the siege that were ended: %d", len(took), Quantile(took, .5), Quantile(took, .99), Quantile(took, 1), sieges[0].Closed())
	if worst := Quantile(took, 1); *full && worst > 10*time.Second { // limits.message_timeout
		t.Errorf("a message took %v", worst)
	}
	settle(t, d, before)
	wantRSS(t, d, 200e6)
}

func TestOneByteASecond(t *testing.T) {
	if *full {
		besiege(t, "", &Siege{N: 800, Every: time.Second})
	} else {
		besiege(t, "limits: {connections: 50}\n", &Siege{N: 50, Every: time.Second})
	}
}

// More connections than the daemon takes, none of which says anything.
func TestMoreIdleConnectionsThanPlaces(t *testing.T) {
	if *full {
		besiege(t, "", &Siege{N: 1200})
	} else {
		besiege(t, "limits: {connections: 50}\n", &Siege{N: 60})
	}
}
