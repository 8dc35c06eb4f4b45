package siege

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/milter/client"
	"github.com/sealmilter/sealmilter/test/daemon"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

// silentZone is the attackers' zone, whose server never answers, and so are
// the reverse zones of their addresses, but for the last one of each network.
const silentZone = "silent.example"

func silentZones(name, _ string) faultdns.Fault {
	if strings.HasSuffix(name, silentZone) || strings.HasSuffix(name, ".198.in-addr.arpa") && !strings.HasPrefix(name, "254.") {
		return faultdns.Silence
	}
	return faultdns.None
}

// asker is an SMTP client that wants questions asked and no mail delivered.
type asker struct {
	dial  func() (net.Conn, error)
	greet []byte
	rand  *rand.Rand

	conn net.Conn
	r    *bufio.Reader
}

// newAsker is the i-th, with an address in the n-th network.
func newAsker(d *daemon.Daemon, i, n int) *asker {
	return &asker{
		dial:  func() (net.Conn, error) { return net.Dial("unix", d.Socket) },
		greet: Frame('C', fmt.Sprintf("asker.example\x004\x61\xa8198.%d.%d.%d\x00", 18+n>>8, n&255, 1+i%250)),
		rand:  rand.New(rand.NewPCG(2026, uint64(i))),
	}
}

// connect opens a connection, in place of the one before.
func (a *asker) connect() bool {
	a.close()
	c, err := a.dial()
	if err != nil {
		return false
	}
	a.conn, a.r = c, bufio.NewReader(c)
	// An offer that wants an answer to each command: what was answered was done.
	return a.say(offers[1]) && a.say(a.greet) && a.say(Frame('H', "asker.example\x00"))
}

func (a *asker) close() {
	if a.conn != nil {
		a.conn.Close()
	}
}

// say sends a frame and reads the answer; not ok when the test is over.
func (a *asker) say(f []byte) bool {
	if _, err := a.conn.Write(f); err != nil {
		return false
	}
	var head [5]byte
	if _, err := io.ReadFull(a.r, head[:]); err != nil {
		return false
	}
	n := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	_, err := a.r.Discard(n - 1)
	return err == nil
}

func (a *asker) name() string { return fmt.Sprintf("x%x.%s", a.rand.Uint64(), silentZone) }

// mail begins a transaction: SPF and the DMARC record are asked for.
func (a *asker) mail() bool { return a.say(Frame('M', "<a@"+a.name()+">\x00")) }

// header sends what makes most questions: signatures and authors.
func (a *asker) header() bool {
	ok := true
	for range 8 {
		ok = ok && a.say(Frame('L', "DKIM-Signature\x00 v=1; a=ed25519-sha256; c=relaxed/relaxed; d="+a.name()+
			"; s=s1; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\x00"))
	}
	var from []string
	for range 5 {
		from = append(from, "<a@"+a.name()+">")
	}
	return ok && a.say(Frame('L', "From\x00 "+strings.Join(from, ", ")+"\x00")) && a.say(Frame('N', ""))
}

// reset is RSET; an ABORT has no answer.
func (a *asker) reset() bool {
	_, err := a.conn.Write(Frame('A', ""))
	return err == nil
}

// beside sends honest mail and spoofs while askers are at work: each gets its
// verdict, and in the full run soon. Afterwards nothing is left of the askers.
func beside(t *testing.T, more string, rss int64, n int, network func(i int) int, ask func(ctx context.Context, a *asker)) {
	const senders = 50
	mail, err := NewMail(senders)
	if err != nil {
		t.Fatal(err)
	}
	dns := serve(t, mail.Zone, silentZones)
	// Every question of a message goes to the server. In the small run those that
	// hang do so for longer than the test takes.
	d := start(t, dns.Addr(), fmt.Sprintf("dns: {servers: [%q], cache_size: 1, timeout: %ds}\n", dns.Addr(), pick(30, 3))+more)
	before, err := d.Goroutines()
	if err != nil {
		t.Fatal(err)
	}
	load := Load{Socket: d.Socket, Mail: mail, Senders: senders, Workers: 8}
	run := func() []time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if !*full {
			cancel() // a message a worker
		}
		took, err := load.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		return took
	}
	calm := run()
	ctx, lift := context.WithCancel(t.Context())
	var ready, wg sync.WaitGroup
	for i := range n {
		ready.Add(1)
		wg.Go(func() {
			a := newAsker(d, i, network(i))
			defer a.close()
			ask(ctx, a)
			ready.Done()
			for *full && ctx.Err() == nil {
				ask(ctx, a)
			}
			<-ctx.Done()
		})
	}
	ready.Wait()
	took := run()
	// Who floods us does not get his own spoofs accepted by that.
	for i := range 4 {
		flooder := client.Peer{IP: netip.MustParseAddr("198.18.0.254"), Port: 25000, Helo: "asker.example"}
		if a, err := Send(d.Socket, flooder, Spoof(i)); err != nil || a.Code != 550 && a.Code != 451 {
			t.Errorf("a spoof from the askers' network: %v, %d %s", err, a.Code, a.Text)
		}
	}
	lift()
	wg.Wait()
	t.Logf("undisturbed: %d messages, p50 %v p99 %v max %v", len(calm), Quantile(calm, .5), Quantile(calm, .99), Quantile(calm, 1))
	t.Logf("besieged:    %d messages, p50 %v p99 %v max %v; %d packets with questions", len(took), Quantile(took, .5), Quantile(took, .99), Quantile(took, 1), dns.Packets())
	if p99 := Quantile(took, .99); *full && p99 > 3*time.Second { // one DNS time-out
		t.Errorf("p99 is %v", p99)
	}
	settle(t, d, before)
	waited, err := d.Metric(`sealmilter_dns_questions_total{state="waiting"}`)
	t.Logf("%v questions had to wait, %v", waited, err)
	for _, state := range []string{"waiting", "asked"} {
		if left, err := d.Metric(`sealmilter_dns_in_flight{state="` + state + `"}`); err != nil || left != 0 {
			t.Errorf("%v questions are %s, %v", left, state, err)
		}
	}
	wantRSS(t, d, rss)
}

// MAIL FROM random names of a silent zone and RSET, 3,000 times a second from
// one client: what was asked for a transaction ends with it. A connection that
// drops its transactions has nothing asked any more after the third, so that
// each has no more than that.
func TestMailResetFlood(t *testing.T) {
	beside(t, "", 100e6, 30, func(int) int { return 0 }, func(ctx context.Context, a *asker) {
		for range 34 {
			if !a.connect() {
				return
			}
			for range 3 {
				if !a.mail() || !a.reset() || *full && !pause(ctx, 9*time.Millisecond) {
					return
				}
			}
		}
	})
}

// More questions that nobody answers than may be in flight, from one client and
// from as many as there are connections.
func TestSilentZonesFromOneClient(t *testing.T) {
	silentMessages(t, func(int) int { return 0 })
}

func TestSilentZonesFromManyClients(t *testing.T) {
	silentMessages(t, func(i int) int { return i })
}

func silentMessages(t *testing.T, network func(int) int) {
	// 16 questions each, and two goroutines a question.
	beside(t, "limits: {message_timeout: 20s}\n", 450e6, pick(180, 700), network, func(ctx context.Context, a *asker) {
		if a.connect() && a.mail() && a.header() && *full {
			pause(ctx, 4*time.Second)
		}
	})
}
