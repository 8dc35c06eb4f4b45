package milter

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/policy"
)

// silentZone answers when nobody waits any more.
type silentZone struct{ resolve.Zone }

func (*silentZone) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	<-ctx.Done()
	return resolve.Answer[string]{}, &resolve.Error{Type: "TXT", Name: name, Err: resolve.ErrTemporary}
}

// slowly takes a second to decide.
type slowly struct{ accepting }

func (s slowly) Decide(in policy.Input) policy.Verdict {
	time.Sleep(time.Second)
	return s.accepting.Decide(in)
}

// waiting is a session at the end of a body, whose checks take 7 s, their part of ten.
func waiting(t *testing.T) (ses *session, mta net.Conn, ended chan error) {
	ours, mta := net.Pipe()
	set := &transaction.Setup{
		AuthservID: "mail.good.example", Policy: slowly{},
		Auth:   &auth.Authenticator{Resolver: &silentZone{}, SPF: true, Questions: 9, Timeout: 10 * time.Second},
		Limits: transaction.Limits{FieldSize: 1 << 10, HeaderSize: 4 << 10, HeaderFields: 10},
	}
	ses = &session{srv: NewServer(ServerConfig{Log: discard()}, set), w: newWire(ours, longTimeouts(), 1<<16), ctx: t.Context()}
	ses.msg = transaction.Begin(t.Context(), set, transaction.Offer{
		Hints: transaction.Hints{Client: transaction.Client{Family: '4', IP: netip.MustParseAddr("192.0.2.1"), Port: 25}}, Helo: "h", MailFrom: "a@b.example",
	})
	ses.w.open.Store(true)
	ended = make(chan error, 1)
	go func() {
		ended <- ses.endOfBody([]byte("x\r\n"))
		ours.Close()
	}()
	return ses, mta, ended
}

// TestProgress: an MTA that waits for the checks of a message hears from us
// every three seconds, and nothing more once it has its answer.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ses, mta, ended := waiting(t)
		defer mta.Close()
		var got []string
		for {
			var head [5]byte
			if _, err := io.ReadFull(mta, head[:]); err != nil {
				break
			}
			if _, err := io.CopyN(io.Discard, mta, int64(binary.BigEndian.Uint32(head[:4]))-1); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%c %v", head[4], time.Since(start)))
		}
		if want := []string{"p 3s", "p 6s", "i 8s", "c 8s"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if err := <-ended; err != nil || ses.msg != nil || ses.w.open.Load() || ses.answering {
			t.Errorf("%v; the message is not over: %v, %v, %v", err, ses.msg != nil, ses.w.open.Load(), ses.answering)
		}
	})
}

// TestProgressToNobody: an MTA that has gone is noticed at the next one, and its
// message's checks end, before the session does.
func TestProgressToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, mta, ended := waiting(t)
		mta.Close()
		if err := <-ended; err == nil || time.Since(start) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
