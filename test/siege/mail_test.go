package siege

import (
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/test/daemon"
	"github.com/sealmilter/sealmilter/test/hostile"
)

// Hostile messages, each tenth of which is as expensive as a message can be,
// one after the other so that each one's questions and CPU time are its own.
// The cache is as good as off: every question of a message goes to the server.
func TestHostileMail(t *testing.T) {
	bomb := newCostly(t)
	expensive := bomb.messages(t)
	n := max(pick(300, 10_000), 10*len(expensive))
	zone, err := resolve.ParseZone(hostile.Zone() + bomb.zone(t))
	if err != nil {
		t.Fatal(err)
	}
	dns := serve(t, zone, nil)
	d := startAs(t, daemon.Options{
		AuthservID: hostile.AuthservID, More: fmt.Sprintf("dns: {servers: [%q], cache_size: 1}\n", dns.Addr()),
	})
	cases := hostile.Generate(mathrand.New(mathrand.NewPCG(2026, 11)), n, time.Now())
	for i := 0; i < n; i += 10 {
		cases[i] = expensive[i/10%len(expensive)]
	}
	c, err := hostile.Dial("unix", d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var questions, costs []time.Duration // questions as nanoseconds, for Quantile
	wrong := 0
	var most, dearest struct {
		n    time.Duration
		name string
	}
	cpu := func() time.Duration {
		used, err := d.CPU()
		if err != nil {
			t.Fatal(err)
		}
		return used
	}
	used := cpu()
	for i, m := range cases {
		dns.Reset()
		v, err := c.Deliver(m.Message)
		if err != nil {
			t.Fatalf("message %d, %s: %v", i, m.Name, err)
		}
		now := cpu()
		cost, asked := now-used, time.Duration(dns.Questions())
		if asked > most.n {
			most.n, most.name = asked, m.Name
		}
		if cost > dearest.n {
			dearest.n, dearest.name = cost, m.Name
		}
		used, questions, costs = now, append(questions, asked), append(costs, cost)
		problems := m.Problems(v)
		if i%10 == 0 && v.Code != 550 { // all of them are spoofs of a bank with p=reject, or have no usable author
			problems = append(problems, fmt.Sprintf("answered %d %s", v.Code, v.Text))
		}
		if len(problems) > 0 {
			wrong++
			t.Errorf("message %d, %s: %.1000q", i, m.Name, problems)
		}
	}
	var sum time.Duration
	for _, c := range costs {
		sum += c
	}
	t.Logf("%d messages, %d wrong verdicts", n, wrong)
	t.Logf("DNS questions a message: median %d, p99 %d, most %d (%s)", Quantile(questions, .5), Quantile(questions, .99), most.n, most.name)
	t.Logf("CPU a message: mean %v, median %v, p99 %v, most %v (%s)", sum/time.Duration(n), Quantile(costs, .5), Quantile(costs, .99), dearest.n, dearest.name)
	// One message can be charged for what others leave behind, the garbage
	// collector's work and a neighbour's cache misses: what counts is its kind.
	const limit = 50 * time.Millisecond
	over := 0
	for _, c := range costs {
		if c > limit {
			over++
		}
	}
	t.Logf("messages over %v: %d", limit, over)
	strict := *full && !raceEnabled
	if p99 := Quantile(costs, .99); strict && p99 > limit {
		t.Errorf("p99 of the CPU time is %v", p99)
	}
	for _, e := range expensive {
		var of []time.Duration
		for i, m := range cases {
			if m.Name == e.Name {
				of = append(of, costs[i])
			}
		}
		t.Logf("CPU for %s: median %v, most %v", e.Name, Quantile(of, .5), Quantile(of, 1))
		if m := Quantile(of, .5); strict && m > limit {
			t.Errorf("%s cost %v of CPU", e.Name, m)
		}
	}
	// 120 for the message and 11 for the client's name (limits.dns_questions).
	if most.n > 120+11 {
		t.Errorf("%d DNS questions for %s", most.n, most.name)
	}
	if got := Quantile(questions, .85); got > 40 {
		t.Errorf("%d DNS questions for a message that is not a bomb", got)
	}
	wantRSS(t, d, 150e6)
}
