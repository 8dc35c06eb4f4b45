package conformance

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/test/faultdns"
	"github.com/sealmilter/sealmilter/test/spfsuite"
)

const (
	spfReceiver = "mx.receiver.example"
	// patient is a time within which a server on loopback answers however busy
	// the machine is; brief is what a question that gets no answer costs.
	patient = 20 * time.Second
	brief   = 3 * time.Second
)

// spfOutcome is what a way of checking says of a case.
type spfOutcome struct {
	status, explanation string
	identity            string // "smtp.mailfrom=..." or "smtp.helo=...", where it can be told
	err                 error
}

// spfScenario is a scenario with a DNS server of its own.
type spfScenario struct {
	spfsuite.Scenario
	server *faultdns.Server
}

// startScenarios serves them with the same fault for every question.
func startScenarios(t *testing.T, fault faultdns.Fault) []spfScenario {
	t.Helper()
	var all []spfScenario
	for _, s := range spfsuite.Load(t, "rfc7208-tests.yml") {
		zone := &resolve.Zone{}
		if err := s.Records(zone.Add); err != nil {
			t.Fatal(err)
		}
		server, err := faultdns.Start(zone, func(string, string) faultdns.Fault { return fault })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		all = append(all, spfScenario{s, server})
	}
	return all
}

// timeout is how long the client waits for one answer.
func (s spfScenario) timeout() time.Duration {
	if s.Silent() {
		return brief
	}
	return patient
}

// checkSuite has check judge every case and compares. Those of a scenario run
// side by side, and all that wait for an answer in vain, so that they wait
// together.
func checkSuite(t *testing.T, scenarios []spfScenario, check func(s spfScenario, i int, name string, c spfsuite.Case) spfOutcome) {
	t.Helper()
	outcomes := map[string]spfOutcome{}
	var mu sync.Mutex
	for _, silent := range []bool{false, true} {
		var wg sync.WaitGroup
		for i, s := range scenarios {
			if s.Silent() != silent {
				continue
			}
			for name, c := range s.Tests {
				wg.Go(func() {
					o := check(s, i, name, c)
					mu.Lock()
					defer mu.Unlock()
					outcomes[fmt.Sprintf("%d/%s", i, name)] = o
				})
			}
			if !silent {
				wg.Wait()
			}
		}
		wg.Wait()
	}
	ran := 0
	for i, s := range scenarios {
		for name, c := range s.Tests {
			t.Run(fmt.Sprintf("%d/%s", i, name), func(t *testing.T) {
				ran++
				got := outcomes[fmt.Sprintf("%d/%s", i, name)]
				if !c.Allows(got.status) {
					t.Errorf("status %s (%v), want %s", got.status, got.err, c.Result)
				}
				if want, ok := c.WantExplanation(name); ok && got.explanation != want {
					t.Errorf("explanation %q, want %q", got.explanation, want)
				}
			})
		}
	}
	if ran != spfsuite.Cases {
		t.Errorf("ran %d cases, want %d", ran, spfsuite.Cases)
	}
}

// TestSPFSuiteOverDNS is openspf's suite with real DNS packets, over UDP and
// with every answer truncated, so that it is asked for again over TCP.
func TestSPFSuiteOverDNS(t *testing.T) {
	for name, fault := range map[string]faultdns.Fault{"UDP": faultdns.None, "TCP": faultdns.OnlyTCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			checkSuite(t, startScenarios(t, fault), func(s spfScenario, _ int, _ string, c spfsuite.Case) spfOutcome {
				// A client for each case: no answer comes from a cache.
				dnsc, err := dnsclient.New(dnsclient.Config{Servers: []string{s.server.Addr()}, Timeout: s.timeout()})
				if err != nil {
					return spfOutcome{err: err}
				}
				defer dnsc.Close()
				checker := spf.Checker{Resolver: dnsc, Receiver: spfReceiver}
				r := checker.Check(t.Context(), netip.MustParseAddr(c.Host), c.Helo, c.MailFrom)
				return spfOutcome{status: string(r.Status), explanation: r.Explanation, err: r.Err}
			})
		})
	}
}
