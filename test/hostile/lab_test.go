package hostile

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter"
	"github.com/sealmilter/sealmilter/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is the daemon's milter, twice: with the built-in rules, which shows the
// reply, and with a policy that accepts everything, which shows the results of
// what would have been rejected.
type lab struct{ rules, open *Client }

// newLab starts both; zone is added to Zone.
func newLab(t *testing.T, zone string) *lab {
	t.Helper()
	z, err := resolve.ParseZone(Zone() + zone)
	if err != nil {
		t.Fatal(err)
	}
	rules, bad := policy.Compile(nil, policy.Options{Quarantine: "tag", DMARCReject: "reject", DMARCTempError: "tempfail"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return &lab{serve(t, z, rules), serve(t, z, acceptAll{})}
}

type acceptAll struct{}

func (acceptAll) Decide(policy.Input) policy.Verdict { return policy.Verdict{Action: policy.Accept} }

// serve runs a milter with the configuration's defaults, or what change makes of
// them, on a unix socket and connects to it.
func serve(t *testing.T, z *resolve.Zone, rules transaction.Decider, change ...func(*transaction.Setup)) *Client {
	t.Helper()
	cfg := config.Default()
	lim := cfg.Limits
	store, _ := keys.Load(t.TempDir(), nil, nil)
	set := &transaction.Setup{
		AuthservID: AuthservID,
		Rules:      transaction.Rules{Local: true, Authenticated: true, DaemonNames: cfg.Outbound.DaemonNames},
		MTA:        "auto",
		Keys:       store,
		Auth: &auth.Authenticator{
			Resolver: z, SPF: true, DKIM: true, DMARC: true, IPRev: true, Receiver: AuthservID,
			Questions: lim.DNSQuestions, Timeout: lim.MessageTimeout, MaxSignatures: lim.Signatures,
			Now:   func() time.Time { return now },
			Panic: func(method string, v any, stack []byte) { t.Errorf("panic in %s: %v\n%s", method, v, stack) },
		},
		Policy: rules,
		Limits: transaction.Limits{FieldSize: int(lim.FieldSize), HeaderSize: int(lim.HeaderSize), HeaderFields: lim.HeaderFields, HeaderMemory: int(lim.HeaderMemory)},
	}
	for _, f := range change {
		f(set)
	}
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	long := milter.Timeouts{First: time.Minute, Idle: time.Minute, Frame: time.Minute}
	srv := milter.NewServer(milter.ServerConfig{Timeouts: long, FrameSize: int(lim.PacketSize), Connections: 10}, set)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(milter.Listener{Listener: ln}) }()
	c, err := Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return c
}

// hostile is one named attack and what has to come of it.
type hostile struct {
	name string
	m    Message
	// reply is the whole reply, "" for a message that goes on. quarantined is
	// X-Quarantine's rule.
	reply, quarantined string
	// results is our field of the message, unfolded, without its authserv-id,
	// iprev and header.b.
	results string
	// left are the Authentication-Results of others that stay, joined by " | ".
	left string
}

const (
	rejected   = "550 5.7.1 rejected by the DMARC policy of bank.example"
	oneFrom    = "550 5.7.1 a message needs exactly one From field"
	unusable   = "550 5.7.1 the From field has no usable address"
	deferred   = "451 4.7.1 the DNS does not tell whether the DMARC policy of bank.example lets this message pass, try again later"
	quarantine = "dmarc-quarantine"
)

// run sends every message between two decent ones of a friend's over the same
// connection, to both daemons.
func run(t *testing.T, zone string, cases []hostile) {
	t.Helper()
	l := newLab(t, zone)
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.name] {
			t.Fatalf("two cases are called %q", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			l.neighbour(t)
			defer l.neighbour(t)
			l.check(t, c)
		})
	}
}

var (
	headerB = regexp.MustCompile(` header\.b=("(?:[^"\\]|\\.)*"|[^\s;]+)`)
	iprev   = regexp.MustCompile(`^iprev=pass policy\.iprev=[0-9.]+;? ?`)
)

func (l *lab) check(t *testing.T, c hostile) {
	t.Helper()
	byRules, err := l.rules.Deliver(c.m)
	if err != nil {
		t.Fatal(err)
	}
	open, err := l.open.Deliver(c.m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Concat(byRules.Problems(c.m), open.Problems(c.m)) {
		t.Error(p)
	}
	reply := ""
	if byRules.Code != 250 {
		reply = strings.TrimSpace(strconv.Itoa(byRules.Code) + " " + byRules.Text)
	}
	if reply != c.reply {
		t.Errorf("reply %q, want %q", reply, c.reply)
	}
	if q := byRules.quarantined(); q != c.quarantined {
		t.Errorf("X-Quarantine %q, want %q", q, c.quarantined)
	}
	for _, v := range []Verdict{byRules, open} {
		if got := v.results(); got != c.results && v.Code == 250 {
			t.Errorf("results\n got %s\nwant %s", got, c.results)
		}
		if left := v.left(); left != c.left && v.Code == 250 {
			t.Errorf("results of others\n got %s\nwant %s", left, c.left)
		}
	}
	if open.Code != 250 {
		t.Errorf("%d %s without any rule", open.Code, open.Text)
	}
}

// results is what hostile.results holds.
func (v Verdict) results() string {
	own, _ := v.ownField()
	s := strings.TrimPrefix(strings.ReplaceAll(own, "\r\n\t", " "), " "+AuthservID+"; ")
	return iprev.ReplaceAllString(headerB.ReplaceAllString(s, ""), "")
}

// left is what hostile.left holds.
func (v Verdict) left() string {
	_, rest := v.ownField()
	var left []string
	for _, f := range rest {
		if anyResults(f) {
			left = append(left, strings.TrimSpace(f.Value))
		}
	}
	return strings.Join(left, " | ")
}

// quarantined is the rule in X-Quarantine.
func (v Verdict) quarantined() string {
	if len(v.Fields) > 1 && v.Fields[1].Name == "X-Quarantine" {
		rule, _, _ := strings.Cut(strings.TrimSpace(v.Fields[1].Value), ";")
		return rule
	}
	return ""
}

var friendly = plain(friendPeer, friend, friend).by("friend.example").truly("friend.example")

const friendlyResults = "spf=pass smtp.mailfrom=friend.example; " +
	"dkim=pass header.d=friend.example header.s=e header.a=ed25519-sha256; dmarc=pass header.from=friend.example policy.dmarc=reject"

// neighbour is the message before and behind a hostile one: nothing of it may
// rub off.
func (l *lab) neighbour(t *testing.T) {
	t.Helper()
	for _, c := range []*Client{l.rules, l.open} {
		v, err := c.Deliver(friendly)
		if err != nil {
			t.Fatal(err)
		}
		if p := v.Problems(friendly); len(p) > 0 || v.results() != friendlyResults {
			t.Errorf("the neighbour's message: %q\n%s", p, v.results())
		}
	}
}
