package milter

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter/client"
	"github.com/sealmilter/sealmilter/policy"
)

// What a forger, a broken set-up or a bug of ours must not get through.

// Whatever the policy says: a message with a From field beyond the limit must
// not pass for the author of the one before it (docs/decisions/0004).
func TestNothingPassesBeyondTheLimits(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Policy = accepting{} })
	signed := l.one(submission(), mailFrom("alice@good.example"))
	for _, from := range []string{"a@sender.example", "alice@good.example"} {
		m := mailFrom("a@sender.example")
		m.Raw = strings.Replace(mailFrom(from).Raw, "\n\n", "\n"+strings.Repeat("X: y\n", 1000)+"From: <ceo@bank.example>\n\n", 1)
		if from == "alice@good.example" {
			m.Raw = strings.Replace(signed.Raw, "\r\n\r\n", "\n"+strings.Repeat("X: y\n", 1000)+"Subject: another\n\n", 1)
		}
		a := l.one(outside(), m)
		if got := top(a.Raw); strings.Contains(got, "dkim=pass") || !strings.Contains(got, `dmarc=none reason="more than 1000 header fields"`) {
			t.Errorf("%s: %s", from, got)
		}
	}
}

// The MTA counts the fields of exactly one name: others that may be read alike
// must not shift the index of the forged one.
func TestOddNamesDoNotShiftIndexes(t *testing.T) {
	l := newLab(t)
	r := dialRaw(t, l.path)
	r.frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00")
	r.frame('M', "<a@sender.example>\x00")
	r.frame('L', "Authentication-Results\x01\x00 mx.elsewhere.example; dkim=pass\x00")
	r.frame('L', "Authentication-\xa0Results\x00 mail.good.example; dkim=pass\x00")
	r.frame('L', "Authentication-Results\x00 mail.good.example; dkim=pass\x00")
	r.frame('L', "From\x00 <a@sender.example>\x00")
	edits, code := r.end()
	for _, want := range []string{"m\x00\x00\x00\x01Authentication-Results\x00\x00\n", "m\x00\x00\x00\x01Authentication-\xa0Results\x00\x00\n"} {
		if code != 'c' || strings.Count(edits, "m\x00") != 2 || !strings.Contains(edits, want) {
			t.Errorf("%c %q", code, edits)
		}
	}
}

// Forged results behind a bare CR in a field of another name go with that field,
// and no other of its name does; beyond the limits, where it cannot be counted,
// the message goes.
func TestForgedResultsBehindABareCR(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Policy = accepting{} })
	send := func(fill int) (string, byte) {
		r := dialRaw(t, l.path)
		r.frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00")
		r.frame('M', "<a@sender.example>\x00")
		for range fill {
			r.frame('L', "X-Note\x00 one\x00")
		}
		r.frame('L', "x-note\x00 two\rAuthentication-Results: mail.good.example; dmarc=pass\x00")
		r.frame('L', "X-Note\x00 three\x00")
		r.frame('L', "From\x00 <a@sender.example>\x00")
		return r.end()
	}
	if edits, code := send(1); code != 'c' || strings.Count(edits, "m\x00") != 1 || !strings.Contains(edits, "m\x00\x00\x00\x02x-note\x00\x00\n") {
		t.Errorf("%c %q", code, edits)
	}
	if data, code := send(1001); code != 'y' || !strings.HasPrefix(data, "550 5.7.1 ") {
		t.Errorf("beyond the limit: %c %q", code, data)
	}
}

func TestThousandsOfForgedFields(t *testing.T) {
	l := newLab(t)
	m := mailFrom("alice@good.example")
	m.Raw = strings.Repeat("X-Quarantine: a\n", 1000) + m.Raw
	if a := l.one(submission(), m); a.Code != 250 || strings.Contains(a.Raw, "X-Quarantine") {
		t.Errorf("as many as a header may have fields: %d, %d edits", a.Code, a.Edits)
	}
	m.Raw = strings.Repeat("Authentication-Results:\n", 20000) + m.Raw
	if a := l.one(submission(), m); a.Code != 550 || a.Edits != 0 || !strings.Contains(l.log.String(), "rule=forged-results") {
		t.Errorf("%d %s, %d edits", a.Code, a.Text, a.Edits)
	}
}

// A second author of ours does not get a stranger's domain through.
func TestPrivateClientWithAForeignAuthor(t *testing.T) {
	l := newLab(t)
	m := mailFrom("scan@good.example")
	m.Raw = strings.Replace(m.Raw, "From: ", "From: <ceo@bank.example>, ", 1)
	if a := l.one(client.Peer{IP: netip.MustParseAddr("192.168.5.20"), Port: 2500, Helo: "printer"}, m); a.Code != 550 {
		t.Errorf("%d\n%s", a.Code, a.Raw)
	}
}

// Re-injected mail with several authors: our own results name one of them.
func TestReinjectedWithSeveralAuthors(t *testing.T) {
	l := newLab(t)
	m := mailFrom("ceo@good.example")
	m.Raw = "Authentication-Results: mail.good.example; dmarc=fail header.from=good.example\n" + strings.Replace(m.Raw, "From: ", "From: <x@other.example>, ", 1)
	if a := l.one(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Port: 2500, Helo: "filter"}, m); a.Code != 250 || a.Edits != 0 {
		t.Errorf("%d with %d edits:\n%s", a.Code, a.Edits, a.Raw)
	}
}

// Our results name the domain that failed, which may be one that only some
// readers show as the author: a route's.
func TestReinjectedWithARoute(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) {
		s.Rules.Networks = []netip.Prefix{netip.MustParsePrefix("192.168.5.0/24")}
	})
	m := mailFrom("ceo@good.example")
	m.Raw = "Authentication-Results: mail.good.example; dmarc=fail header.from=bank.example\n" + strings.Replace(m.Raw, "<ceo@", "<@bank.example:ceo@", 1)
	if a := l.one(client.Peer{IP: netip.MustParseAddr("192.168.5.9"), Port: 2500, Helo: "lists"}, m); a.Code != 250 || a.Edits != 0 {
		t.Errorf("%d with %d edits:\n%s", a.Code, a.Edits, a.Raw)
	}
}

// Our other hosts' results count like our own.
func TestReinjectedWithResultsOfAnotherHost(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) {
		s.Rules.Networks = []netip.Prefix{netip.MustParsePrefix("192.168.5.0/24")}
		s.TrustedIDs = []transaction.TrustedID{{ID: "mx2.good.example", Networks: []netip.Prefix{netip.MustParsePrefix("192.168.9.0/24")}}}
	})
	m := mailFrom("ceo@good.example")
	m.Raw = "Authentication-Results: mx2.good.example; dmarc=fail header.from=good.example\n" + m.Raw
	if a := l.one(client.Peer{IP: netip.MustParseAddr("192.168.5.9"), Port: 2500, Helo: "lists"}, m); a.Code != 250 || a.Edits != 0 {
		t.Errorf("%d with %d edits:\n%s", a.Code, a.Edits, a.Raw)
	}
}

// With reinjected: sign what is handed back is signed as it stays: with a
// Subject that hides results of ours, for one.
func TestSignReinjectedSignsWhatStays(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Rules.SignReinjected = true })
	m := mailFrom("ceo@good.example")
	m.Raw = "Subject: one\rAuthentication-Results: mail.good.example; dmarc=fail\nAuthentication-Results: mail.good.example; dmarc=fail header.from=good.example\n" +
		strings.Replace(m.Raw, "Subject: test\n", "", 1)
	a := l.one(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Port: 2500, Helo: "filter"}, m)
	if !strings.Contains(top(a.Raw), "h=From:From:To:Subject:Subject:") || !strings.Contains(a.Raw, "Subject: one") {
		t.Errorf("%s", a.Raw)
	}
}

// A rule of the policy that matches does not silence why mail is not signed.
func TestUnsignedSaysWhyBesideARule(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Policy = acceptingBy("mine") })
	l.one(submission(), mailFrom("a@keyless.example"))
	if log := l.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "sealmilter keys new keyless.example") || !strings.Contains(log, "rule=mine") {
		t.Errorf("%s", log)
	}
}

type acceptingBy string

func (rule acceptingBy) Decide(policy.Input) policy.Verdict {
	return policy.Verdict{Action: policy.Accept, Rule: string(rule), Reason: "always"}
}

// A key that cannot be used makes its domain's mail wait, and the log says what
// to do about it.
func TestBrokenKeySaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "good.example"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "good.example", "s1.pem")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	store, _ := keys.Load(dir, []keys.DomainSpec{{Name: "good.example"}}, nil)
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Keys = store })
	if a := l.one(submission(), mailFrom("alice@good.example")); a.Code != 451 || !strings.Contains(l.log.String(), "hint: chmod 0600 "+path) {
		t.Errorf("%d\n%s", a.Code, l.log)
	}
}

// A panic behind the verdict still gets an answer: with
// milter_default_action=accept the MTA would let the message through without.
func TestPanicBehindTheVerdict(t *testing.T) {
	l := newLab(t)
	ours, theirs := socketPair(t)
	l.srv.start(panickingConn{ours}, "")
	r := offer(t, theirs)
	r.frame('C', "x\x004\x61\xa8192.0.2.1\x00")
	r.frame('M', "<a@sender.example>\x00")
	r.frame('L', "From\x00 <a@sender.example>\x00")
	if data, code := r.end(); code != 'y' || !strings.HasPrefix(data, "451 4.3.0 ") || !r.closed() {
		t.Errorf("%c %q", code, data)
	}
	waitFor(t, "the log line", func() bool { return strings.Contains(l.log.String(), "client_ip=192.0.2.1 err=\"panic: test") })
}

// panickingConn panics at the first edit.
type panickingConn struct{ net.Conn }

func (c panickingConn) Write(p []byte) (int, error) {
	if p[4] == 'i' {
		panic("test")
	}
	return c.Conn.Write(p)
}

// A field of results may have any number of them (OpenDMARC kept sixteen on
// its stack, trusteddomainproject/OpenDMARC issue 441).
func TestThousandsOfResultsInOneField(t *testing.T) {
	l := newLab(t)
	for _, n := range []int{17, 9000} {
		m := mailFrom("a@sender.example")
		results := strings.Repeat("; x=pass a.b=c", n)
		m.Raw = "Authentication-Results: mail.good.example" + results + "\nAuthentication-Results: mx.elsewhere.example" + results + "\n" + m.Raw
		a := l.one(outside(), m)
		if a.Code != 250 || strings.Count(a.Raw, "mail.good.example; x=") != 0 || strings.Count(a.Raw, "mx.elsewhere.example; x=") != 1 || !strings.Contains(top(a.Raw), "dmarc=pass") {
			t.Errorf("%d results: %d %s\n%.300s", n, a.Code, a.Text, a.Raw)
		}
	}
}
