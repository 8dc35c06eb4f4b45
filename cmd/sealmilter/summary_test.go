package main

import (
	"testing"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/problem"
)

func TestSummary(t *testing.T) {
	r := admin.Status{Uptime: 3700, Keys: []admin.Key{
		{Domain: "a.example", Signs: true, Proof: admin.Proved}, {Domain: "a.example", Signs: true, Proof: admin.Proved},
		{Domain: "b.example", Signs: true, Proof: admin.Proved}, {Domain: "c.example", Proof: admin.Proved},
	}, Counters: map[string]float64{
		"messages_total{accept,inbound}": 3, "messages_total{reject,inbound}": 2, "messages_total{accept,relayed}": 1, "messages_total{accept,outbound}": 5,
		"messages_total{tempfail,outbound}": 1, "results_total{spf,pass}": 99,
	}}
	const want = "It has run for 1h1m40s and signs for 2 domains with 3 keys. So far: 6 messages in, 6 out; 2 refused, 1 told to come again."
	if got := summary(&r); got != want+" All is well." {
		t.Error(got)
	}
	for name, ill := range map[string]func(*admin.Status){
		"problems":    func(r *admin.Status) { r.Problems = []problem.Problem{{Severity: problem.Warning}} },
		"waiting":     func(r *admin.Status) { r.Waiting = []string{"c.example"} },
		"degraded":    func(r *admin.Status) { r.Degraded = true },
		"no key":      func(r *admin.Status) { r.Keyless = []string{"c.example"} },
		"unpublished": func(r *admin.Status) { r.Unpublished = []string{"c.example"} },
	} {
		other := r
		ill(&other)
		if got := summary(&other); got != want+" Not all is well, see below." {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := summary(&admin.Status{}); got != "It has run for 0s and signs for 0 domains with 0 keys. So far: 0 messages in, 0 out; 0 refused, 0 told to come again. All is well." {
		t.Error(got)
	}
}
