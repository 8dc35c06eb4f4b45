package conformance

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/milter/client"
	"github.com/sealmilter/sealmilter/test/daemon"
	"github.com/sealmilter/sealmilter/test/faultdns"
	"github.com/sealmilter/sealmilter/test/spfsuite"
)

// spfConfig checks SPF only, and shows the sender's explanation.
const spfConfig = `
dns: {servers: ["%s"], timeout: %s}
outbound: {local: false}
verify: {dkim: false, dmarc: false, iprev: false}
policy:
  rules:
    - name: explain
      if: {spf: fail}
      action: tag
      headers: {X-SPF-Explanation: "{spf.explanation}"}
`

const spfMail = "From: a@sender.example\r\nTo: b@receiver.example\r\nSubject: a case of openspf's suite\r\n\r\nHi.\r\n"

// TestSPFSuiteThroughDaemon is openspf's suite through the milter socket of
// `sealmilter serve`, whose name server is the scenario's: the result is read
// from the Authentication-Results that come back. Every case of the suite can
// be put to a milter, so none is left out.
func TestSPFSuiteThroughDaemon(t *testing.T) {
	t.Parallel() // most of it is waiting
	scenarios := startScenarios(t, faultdns.None)
	daemons := startDaemons(t, scenarios)
	checkSuite(t, scenarios, func(_ spfScenario, i int, name string, c spfsuite.Case) spfOutcome {
		o, err := throughMilter(daemons[i], c)
		if err != nil {
			return spfOutcome{err: fmt.Errorf("%w; the daemon's log: %s", err, daemons[i].Log())}
		}
		// RFC 8601 §2.7.2: the identity that gave the result, without local-part.
		if want := wantIdentity(name, c); o.identity != want {
			return spfOutcome{err: fmt.Errorf("identity %q, want %q", o.identity, want)}
		}
		return o
	})
}

// startDaemons runs a daemon for each scenario until the test ends, which it
// must in order.
func startDaemons(t *testing.T, scenarios []spfScenario) []*daemon.Daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "smconf") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := daemon.Build(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	var all []*daemon.Daemon
	for i, s := range scenarios {
		o := daemon.Options{Binary: binary, Dir: filepath.Join(dir, strconv.Itoa(i)), AuthservID: spfReceiver,
			More: fmt.Sprintf(spfConfig, s.server.Addr(), s.timeout())}
		if err := os.Mkdir(o.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		d, err := daemon.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if why := d.Misbehaved(); why != "" {
				t.Errorf("the daemon: %s", why)
			}
			if err := d.Stop(); err != nil {
				t.Errorf("the daemon: %v", err)
			}
		})
		all = append(all, d)
	}
	return all
}

// throughMilter plays the case's SMTP session.
func throughMilter(d *daemon.Daemon, c spfsuite.Case) (spfOutcome, error) {
	s, err := client.Dial("unix", d.Socket)
	if err != nil {
		return spfOutcome{}, err
	}
	defer s.Close()
	if err := s.Connect(client.Peer{IP: netip.MustParseAddr(c.Host), Helo: c.Helo}); err != nil {
		return spfOutcome{}, err
	}
	a, err := s.Send(client.Message{MailFrom: c.MailFrom, RcptTo: []string{"b@receiver.example"}, QueueID: "4Qspf", Raw: spfMail})
	if err != nil {
		return spfOutcome{}, err
	}
	if a.Code != 250 {
		return spfOutcome{}, fmt.Errorf("reply %d %s", a.Code, a.Text)
	}
	return readSPF(a.Raw)
}

var (
	// spfResult: RFC 8601 §2.2, as far as one SPF result goes.
	spfResult  = regexp.MustCompile(`^Authentication-Results: ` + regexp.QuoteMeta(spfReceiver) + `; spf=(\w+)(?: reason="(?:[^"\\]|\\.)*")?(?: (smtp\.\w+)=("(?:[^"\\]|\\.)*"|[^\s;"]+))?$`)
	quotedPair = regexp.MustCompile(`\\(.)`)
)

// readSPF reads what the daemon put on top of a message.
func readSPF(raw string) (o spfOutcome, err error) {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	found := false
	for _, f := range strings.Split(regexp.MustCompile(`\r\n[ \t]+`).ReplaceAllString(head, " "), "\r\n") {
		if text, ok := strings.CutPrefix(f, "X-SPF-Explanation:"); ok {
			o.explanation = strings.TrimPrefix(text, " ")
		}
		if !strings.HasPrefix(f, "Authentication-Results:") {
			continue
		}
		m := spfResult.FindStringSubmatch(f)
		if m == nil || found {
			return o, fmt.Errorf("not the one SPF result: %q", f)
		}
		found = true
		o.status = m[1]
		if m[2] != "" {
			value := m[3]
			if strings.HasPrefix(value, `"`) {
				value = quotedPair.ReplaceAllString(value[1:len(value)-1], "$1")
			}
			o.identity = m[2] + "=" + value
		}
	}
	if !found {
		err = errors.New("no Authentication-Results")
	}
	return o, err
}

// notNames are the cases whose domain is malformed or has one label: there is
// no check (RFC 7208 §4.3), and no identity to name.
var notNames = map[string]bool{"emptylabel": true, "domain-literal": true, "toolonglabel": true, "helo-not-fqdn": true, "helo-domain-literal": true}

// wantIdentity is what was checked: MAIL FROM's domain, or the HELO name when
// the reverse-path is empty (RFC 7208 §2.4).
func wantIdentity(name string, c spfsuite.Case) string {
	at := strings.LastIndexByte(c.MailFrom, '@')
	switch {
	case notNames[name]:
		return ""
	case at < 0:
		return "smtp.helo=" + strings.ToLower(c.Helo)
	}
	return "smtp.mailfrom=" + strings.ToLower(c.MailFrom[at+1:])
}
