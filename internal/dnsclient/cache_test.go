package dnsclient

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// step is one look-up in a cache's life.
type step struct {
	wait  time.Duration // first, let this pass
	serve string        // what the server says from now on; "" as before
	typ   string        // "" TXT
	want  string        // kind of the error, or "ok:" and the record
	asked int           // questions to the server so far
}

func TestCacheLife(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string][]step{
		"positive answer lives for its ttl": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: 59 * time.Second, serve: "two", want: "ok:one", asked: 1},
			{wait: time.Second, want: "ok:two", asked: 2},
		},
		"types are kept apart": {
			{serve: "one", want: "ok:one", asked: 1},
			{serve: "nodata", typ: "A", want: "nodata", asked: 2},
			{want: "ok:one", asked: 2},
			{typ: "A", want: "nodata", asked: 2},
		},
		"negative answers live for the lesser of ttl and minimum": {
			{serve: "nodata", want: "nodata", asked: 1},
			{wait: 299 * time.Second, serve: "one", want: "nodata", asked: 1},
			{wait: time.Second, want: "ok:one", asked: 2},
		},
		"nxdomain holds for every type": {
			{serve: "nxdomain", want: "nxdomain", asked: 1},
			{typ: "A", want: "nxdomain", asked: 1},
			{wait: 300 * time.Second, typ: "A", serve: "nodata", want: "nodata", asked: 2},
			{serve: "one", want: "ok:one", asked: 3},
		},
		"negative answers live for an hour at most": {
			{serve: "nxdomain-long", want: "nxdomain", asked: 1},
			{wait: time.Hour - 1, want: "nxdomain", asked: 1},
			{wait: 1, serve: "one", want: "ok:one", asked: 2},
		},
		"negative answers without soa are not kept": {
			{serve: "nxdomain-bare", want: "nxdomain", asked: 1},
			{serve: "nodata-bare", want: "nodata", asked: 2},
			{serve: "one", want: "ok:one", asked: 3},
		},
		"failure is remembered for five seconds": {
			{serve: "servfail", want: "temporary", asked: 1},
			{wait: 5*time.Second - 1, serve: "one", want: "temporary", asked: 1},
			{wait: 1, want: "ok:one", asked: 2},
		},
		"stale answer while the servers fail": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: time.Minute, serve: "servfail", want: "ok:one", asked: 2},
			{wait: 30*time.Second - 1, want: "ok:one", asked: 2},
			{wait: 1, want: "ok:one", asked: 3},
			{wait: 30 * time.Second, serve: "two", want: "ok:two", asked: 4},
		},
		"positive answer lives for a second at least": {
			{serve: "ttl-0", want: "ok:ttl-0", asked: 1},
			{wait: time.Second - 1, want: "ok:ttl-0", asked: 1},
			{wait: 1, want: "ok:ttl-0", asked: 2},
		},
		"positive answer lives for a day at most": {
			{serve: "ttl-1000000", want: "ok:ttl-1000000", asked: 1},
			{wait: day - 1, serve: "two", want: "ok:ttl-1000000", asked: 1},
			{wait: 1, want: "ok:two", asked: 2},
		},
		"stale answer of more than a day ago is none": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: time.Minute + day, serve: "servfail", want: "temporary", asked: 2},
		},
		"stale answer of a day ago is the last": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: time.Minute + day - 1, serve: "servfail", want: "ok:one", asked: 2},
			{wait: 30 * time.Second, want: "temporary", asked: 3},
			{wait: 5 * time.Second, serve: "two", want: "ok:two", asked: 4},
		},
		"fresh answer is used although the servers fail": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: time.Second, serve: "servfail", want: "ok:one", asked: 1},
		},
		"negative answers are never stale": {
			{serve: "nxdomain", want: "nxdomain", asked: 1},
			{wait: 300 * time.Second, serve: "servfail", want: "temporary", asked: 2},
			{wait: 5 * time.Second, serve: "nodata", want: "nodata", asked: 3},
			{wait: 300 * time.Second, serve: "servfail", want: "temporary", asked: 4},
		},
		"records that are all of no use are never stale either": {
			{serve: "unusable", typ: "MX", want: "nodata", asked: 1},
			{wait: time.Minute - 1, typ: "MX", want: "nodata", asked: 1},
			{wait: 1, serve: "servfail", typ: "MX", want: "temporary", asked: 2},
		},
		"nxdomain ends what was known of other types": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: time.Minute, serve: "nxdomain", typ: "A", want: "nxdomain", asked: 2},
			{want: "nxdomain", asked: 2},
			{wait: 300 * time.Second, serve: "servfail", want: "temporary", asked: 3},
		},
		"nodata ends a stale answer, also when it is not kept": {
			{serve: "one", want: "ok:one", asked: 1},
			{wait: time.Minute, serve: "nodata-bare", want: "nodata", asked: 2},
			{serve: "servfail", want: "temporary", asked: 3},
		},
	}
	for title, steps := range tests {
		t.Run(title, func(t *testing.T) {
			clk := newClock()
			f := newFake(t, withoutTCP, nil)
			c := newClient(t, Config{Now: clk.Now}, f)
			for i, s := range steps {
				clk.advance(s.wait)
				if s.serve != "" {
					f.set(serving(t, s.serve))
				}
				got := lookupAs(t.Context(), c, s.typ)
				if got != s.want || len(f.asked()) != s.asked {
					t.Fatalf("step %d: got %s after %d questions, want %s after %d", i+1, got, len(f.asked()), s.want, s.asked)
				}
			}
		})
	}
}

// lookupAs asks for a.example and writes the outcome as step.want does.
func lookupAs(ctx context.Context, c *Client, typ string) string {
	switch typ {
	case "MX":
		_, err := c.LookupMX(ctx, "a.example")
		return keptKind(err)
	case "A":
		_, err := c.LookupA(ctx, "a.example")
		return keptKind(err)
	}
	a, err := c.LookupTXT(ctx, "a.example")
	if err != nil {
		return keptKind(err)
	}
	return "ok:" + strings.Join(a.Records, ",")
}

// keptKind is kind, but for an error about what the cache itself kept.
func keptKind(err error) string {
	if err != nil && strings.Contains(err.Error(), "no usable entry") {
		return "entry of no use"
	}
	return kind(err)
}

// serving is the handler for step.serve: a record's text, or one of the words.
func serving(t *testing.T, what string) handler {
	return func(req *dns.Msg, _ asked) []*dns.Msg {
		switch what {
		case "servfail":
			return failing(req, dns.RcodeServerFailure)
		case "unusable":
			return []*dns.Msg{respond(t, req, `a.example. 60 IN MX 1 b\.c.example.`)}
		case "nodata":
			return []*dns.Msg{negative(t, req, dns.RcodeSuccess)}
		case "nodata-bare":
			return []*dns.Msg{respond(t, req)}
		case "nxdomain":
			return []*dns.Msg{negative(t, req, dns.RcodeNameError)}
		case "nxdomain-bare":
			return failing(req, dns.RcodeNameError)
		case "nxdomain-long":
			m := negative(t, req, dns.RcodeNameError)
			m.Ns[0].Header().Ttl, m.Ns[0].(*dns.SOA).Minttl = 1<<20, 1<<20
			return []*dns.Msg{m}
		}
		ttl := "60"
		if _, after, ok := strings.Cut(what, "ttl-"); ok {
			ttl = after
		}
		return []*dns.Msg{respond(t, req, "a.example. "+ttl+" IN TXT "+what)}
	}
}

func TestStaleAnswerIsMarkedShortAndInsecure(t *testing.T) {
	clk := newClock()
	f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		m := respond(t, req, "a.example. 60 IN TXT x")
		m.AuthenticatedData = true
		return []*dns.Msg{m}
	})
	c := newClient(t, Config{Now: clk.Now}, f)
	if a, err := c.LookupTXT(t.Context(), "a.example"); err != nil || !a.Secure {
		t.Fatal(a, err)
	}
	clk.advance(time.Hour)
	f.set(serving(t, "servfail"))
	for range 2 {
		if a, err := c.LookupTXT(t.Context(), "a.example"); err != nil || a.Secure || a.TTL != 30*time.Second {
			t.Error(a, err)
		}
	}
}

func TestOneFlightForAll(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		<-release
		return []*dns.Msg{respond(t, req, "a.example. 60 IN TXT x")}
	})
	c := newClient(t, Config{}, f)
	const callers = 20
	var wg sync.WaitGroup
	got := make([]string, callers)
	for i := range callers {
		ctx := newJoinCtx(t.Context())
		wg.Go(func() { got[i] = lookupAs(ctx, c, "") })
		<-ctx.joined
	}
	close(release)
	wg.Wait()
	for i, s := range got {
		if s != "ok:x" {
			t.Errorf("caller %d got %s", i, s)
		}
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestCallerWhoLeavesDoesNotFailTheOthers(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, withoutTCP, func(req *dns.Msg, _ asked) []*dns.Msg {
		<-release
		return []*dns.Msg{respond(t, req, "a.example. 60 IN TXT x")}
	})
	c := newClient(t, Config{}, f)
	ctx, cancel := context.WithCancel(t.Context())
	leader, follower := newJoinCtx(ctx), newJoinCtx(t.Context())
	left, stayed := make(chan string, 1), make(chan string, 1)
	go func() { left <- lookupAs(leader, c, "") }()
	<-leader.joined
	go func() { stayed <- lookupAs(follower, c, "") }()
	<-follower.joined
	cancel()
	if got := <-left; got != "temporary" {
		t.Errorf("the caller who left got %s", got)
	}
	close(release)
	if got := <-stayed; got != "ok:x" {
		t.Errorf("the caller who stayed got %s", got)
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if got := lookupAs(ctx, c, ""); got != "temporary" {
		t.Errorf("with an ended context: %s", got)
	}
}

// A look-up that misses the cache just before a flight lands finds its answer
// instead of asking again.
func TestFlightLooksIntoTheCacheAgain(t *testing.T) {
	f := newFake(t, withoutTCP, serving(t, "one"))
	c := newClient(t, Config{}, f)
	if got := lookupAs(t.Context(), c, ""); got != "ok:one" {
		t.Fatal(got)
	}
	if e := c.fetch(t.Context(), nil, question{"a.example", dns.TypeTXT}, nil); e.err != nil || len(f.asked()) != 1 {
		t.Errorf("%v, asked %d times", e.err, len(f.asked()))
	}
}

// A bug in reading an answer must not end the process.
func TestPanicInAFlightIsTemporary(t *testing.T) {
	c := newClient(t, Config{}, newFake(t, withoutTCP, serving(t, "one")))
	e, err := c.find(t.Context(), question{"a.example", dns.TypeTXT}, func([]dns.RR) (any, int, int) { panic("a bug") })
	if err != nil || kind(e.err) != "temporary" || !strings.Contains(e.err.Error(), "a bug") {
		t.Error(e, err)
	}
	if got := lookupAs(t.Context(), c, ""); got != "ok:one" {
		t.Errorf("afterwards: %s", got)
	}
	if free := c.flights.slots.free; free != MaxInFlight {
		t.Errorf("%d places are free", free)
	}
}

func TestCacheIsBoundedByBytes(t *testing.T) {
	big := strings.Repeat("x", 10_000)
	f := newFake(t, withTCP, func(req *dns.Msg, a asked) []*dns.Msg {
		m := respond(t, req)
		m.Truncated = !a.tcp
		if a.tcp {
			m.Answer = []dns.RR{txtRecord(req.Question[0].Name, big)}
		}
		return []*dns.Msg{m}
	})
	c := newClient(t, Config{CacheSize: 100}, f)
	for i := range 20 {
		if _, err := c.LookupTXT(t.Context(), fmt.Sprintf("n%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if w := c.cache.WeightedSize(); w > 100 {
		t.Errorf("weight %d with a cache_size of 100", w)
	}
}

func BenchmarkCached(b *testing.B) {
	clk := newClock()
	c, err := New(Config{Servers: []string{"127.0.0.1:1"}, Now: clk.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	c.cache.Set(question{"a.example", dns.TypeTXT}, &entry{records: []string{"x"}, expires: clk.Now().Add(time.Hour)})
	for b.Loop() {
		if _, err := c.LookupTXT(b.Context(), "a.example"); err != nil {
			b.Fatal(err)
		}
	}
}
