package siege

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/milter/client"
	"github.com/sealmilter/sealmilter/policy"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

// words are the results of one message and what the built-in rules say to them.
type words struct {
	iprev  iprev.Status
	spf    spf.Status
	dkim   dkim.Status
	dmarc  dmarc.Status
	action policy.Action
}

// authenticate runs the whole authenticator over m from p, in this process,
// with a resolver that asks s.
func authenticate(t *testing.T, s *faultdns.Server, p client.Peer, m client.Message) words {
	t.Helper()
	// Nothing here waits for an answer that will come.
	c, err := dnsclient.New(dnsclient.Config{Servers: []string{s.Addr()}, Timeout: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := &auth.Authenticator{
		Resolver: c, SPF: true, DKIM: true, DMARC: true, IPRev: true, Receiver: "mx.siege.example",
		Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
		Panic: func(method string, v any, stack []byte) { t.Errorf("panic in %s: %v\n%s", method, v, stack) },
	}
	peer := a.Connect(t.Context(), p.IP)
	defer peer.Close()
	env := &auth.Envelope{Direction: auth.Inbound, ClientIP: p.IP, Helo: p.Helo, MailFrom: m.MailFrom}
	check := a.Begin(t.Context(), env, peer)
	defer check.Cancel()
	head, body, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(m.Raw, "\r\n", "\n"), "\n", "\r\n"), "\r\n\r\n")
	var h header.Fields
	for _, line := range strings.Split(head, "\r\n") {
		if last := len(h) - 1; line[0] == ' ' || line[0] == '\t' {
			h[last].Value += "\r\n" + line
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		h = append(h, header.Field{Name: name, Value: value})
	}
	check.Headers(h)
	_, _ = check.Write([]byte(body)) // it never fails
	r := check.Finish()
	rules, bad := policy.Compile(nil, policy.Options{Quarantine: "tag", DMARCReject: "reject", DMARCTempError: "tempfail"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	v := rules.Decide(policy.Input{Env: env, Results: &r})
	w := words{iprev: r.IPRev.Status, spf: r.SPF.Status, dmarc: r.DMARC.Status, action: v.Action}
	if len(r.DKIM) > 0 {
		w.dkim = r.DKIM[0].Status
	}
	return w
}

// targets are the questions that a fault hits: all of them, or those of one
// method, as when one zone of several is broken.
var targets = map[string]func(name, qtype string) bool{
	"everything": func(string, string) bool { return true },
	"iprev":      func(_, qtype string) bool { return qtype == "PTR" },
	"spf":        func(name, qtype string) bool { return qtype == "TXT" && name == Domain(0) },
	"dkim key":   func(name, _ string) bool { return strings.Contains(name, "._domainkey.") },
	"dmarc":      func(name, _ string) bool { return strings.HasPrefix(name, "_dmarc.") },
}

// The honest message of a domain with p=reject.
var honest = map[string]words{
	"everything": {iprev.TempError, spf.TempError, dkim.TempError, dmarc.TempError, policy.Accept},
	"iprev":      {iprev.TempError, spf.Pass, dkim.Pass, dmarc.Pass, policy.Accept},
	"spf":        {iprev.Pass, spf.TempError, dkim.Pass, dmarc.Pass, policy.Accept},
	"dkim key":   {iprev.Pass, spf.Pass, dkim.TempError, dmarc.Pass, policy.Accept},
	"dmarc":      {iprev.Pass, spf.Pass, dkim.Pass, dmarc.TempError, policy.Accept},
}

// The same message from a host that SPF forbids: nothing but the signature
// speaks for it, so that without the key nobody knows. The policy is known then,
// and anybody can name a key that does not answer: the message has to wait.
var forwarded = map[string]words{
	"everything": {iprev.TempError, spf.TempError, dkim.TempError, dmarc.TempError, policy.Accept},
	"iprev":      {iprev.TempError, spf.Fail, dkim.Pass, dmarc.Pass, policy.Accept},
	"spf":        {iprev.PermError, spf.TempError, dkim.Pass, dmarc.Pass, policy.Accept},
	"dkim key":   {iprev.PermError, spf.Fail, dkim.TempError, dmarc.TempError, policy.Tempfail},
	"dmarc":      {iprev.PermError, spf.Fail, dkim.Pass, dmarc.TempError, policy.Accept},
}

func TestFaultsAreTempErrors(t *testing.T) {
	mail, err := NewMail(1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.Good(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faultdns.Temporary {
		for name, hit := range targets {
			t.Run(string(fault)+", "+name, func(t *testing.T) {
				t.Parallel()
				s := serve(t, mail.Zone, func(name, qtype string) faultdns.Fault {
					// An alias leads to other names of the same broken zone.
					if hit(name, qtype) || strings.HasPrefix(name, "faultdns") || strings.HasPrefix(name, "loop.") {
						return fault
					}
					return faultdns.None
				})
				if got := authenticate(t, s, Peer(), m); got != honest[name] {
					t.Errorf("honest: %+v, want %+v", got, honest[name])
				}
				if got := authenticate(t, s, Stranger(), m); got != forwarded[name] {
					t.Errorf("forwarded: %+v, want %+v", got, forwarded[name])
				}
			})
		}
	}
}

// Without a fault the same messages have a verdict, and so has a spoof: the
// test above does not pass because everything is a temperror.
func TestNoFaultNoTempError(t *testing.T) {
	mail, err := NewMail(1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.Good(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []faultdns.Fault{faultdns.None, faultdns.AD} {
		s := serve(t, mail.Zone, always(fault))
		if got, want := authenticate(t, s, Peer(), m), (words{iprev.Pass, spf.Pass, dkim.Pass, dmarc.Pass, policy.Accept}); got != want {
			t.Errorf("%q, honest: %+v", fault, got)
		}
		// A claim of validation that anybody can make changes no verdict.
		if got, want := authenticate(t, s, Stranger(), Spoof(0)), (words{iprev.PermError, spf.Fail, "", dmarc.Fail, policy.Reject}); got != want {
			t.Errorf("%q, spoof: %+v", fault, got)
		}
	}
	// NXDOMAIN for everything is an answer: nobody vouches, and nobody asked
	// for a rejection.
	s := serve(t, mail.Zone, always(faultdns.NXDomain))
	if got, want := authenticate(t, s, Peer(), m), (words{iprev.PermError, spf.None, dkim.PermError, dmarc.None, policy.Accept}); got != want {
		t.Errorf("nxdomain: %+v", got)
	}
}

// Messages at a resolver that never answers, each from another domain so that
// no cache helps: every one is answered, as a temperror, in its deadline.
func TestResolverThatNeverAnswers(t *testing.T) {
	const deadline = 10 * time.Second // limits.message_timeout
	n, workers := pick(40, 1000), pick(40, 200)
	mail, err := NewMail(0)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, mail.Zone, always(faultdns.Silence))
	more := "limits: {message_timeout: 10s}\n"
	if !*full { // the same code, sooner
		more = "dns: {servers: [\"" + s.Addr() + "\"], timeout: 300ms}\n"
	}
	d := start(t, s.Addr(), more)
	var mu sync.Mutex
	var slowest time.Duration
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range jobs {
				m, err := mail.Good(i)
				if err != nil {
					t.Error(err)
					continue
				}
				begin := time.Now()
				a, err := Send(d.Socket, Peer(), m)
				took := time.Since(begin)
				mu.Lock()
				slowest = max(slowest, took)
				mu.Unlock()
				got := Results(a.Raw)
				for _, want := range []string{"iprev=temperror", "spf=temperror", "dkim=temperror", "dmarc=temperror"} {
					if err != nil || a.Code != 250 || !strings.Contains(got, want) {
						t.Errorf("message %d: %v %d %s, want %s: %s", i, err, a.Code, a.Text, want, got)
						break
					}
				}
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	t.Logf("%d messages, %d at a time, slowest %v, %d packets", n, workers, slowest.Round(time.Millisecond), s.Packets())
	if *full && slowest > deadline+2*time.Second {
		t.Errorf("the slowest answer took %v", slowest)
	}
	wantRSS(t, d, 150e6)
}
