package milter

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/observe"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/milter/client"
	"github.com/sealmilter/sealmilter/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// labZone is the DNS of the protocol tests.
const labZone = `
sender.example        TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"
_dmarc.sender.example TXT "v=DMARC1; p=reject"
bank.example          TXT "v=spf1 -all"
_dmarc.bank.example   TXT "v=DMARC1; p=reject"
shop.example          TXT "v=spf1 -all"
_dmarc.shop.example   TXT "v=DMARC1; p=quarantine"
slow.example          TXT !timeout
_dmarc.slow.example   TXT "v=DMARC1; p=reject"
silent.example        TXT !timeout
_dmarc.silent.example TXT !timeout
192.0.2.1             PTR out.sender.example
out.sender.example    A   192.0.2.1
`

// madeKeys are generated once: RSA keys take their time.
var madeKeys = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sealmilter-keys-")
	if err != nil {
		return "", err
	}
	_, err = keys.Generate(dir, "good.example", keys.GenerateOptions{Selector: "s1"})
	return dir, err
})

// lab is a server on a unix socket.
type lab struct {
	t    testing.TB
	path string
	srv  *Server
	set  *transaction.Setup
	log  *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newLab starts a server. change may alter the set-up before it runs.
func newLab(t testing.TB, change ...func(*transaction.Setup, *ServerConfig)) *lab {
	t.Helper()
	dir, err := madeKeys()
	if err != nil {
		t.Fatal(err)
	}
	store, problems := keys.Load(dir, []keys.DomainSpec{{Name: "good.example", Subdomains: true}, {Name: "keyless.example"}}, nil)
	for _, p := range problems {
		if p.Severity == keys.Error {
			t.Fatal(p)
		}
	}
	zone := resolve.MustZone(labZone)
	for _, k := range store.All() {
		if err := zone.Add(k.Name(), "TXT", publish.Record(k)); err != nil {
			t.Fatal(err)
		}
	}
	rules, bad := policy.Compile(nil, policy.Options{Quarantine: "tag", DMARCReject: "reject"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	l := &lab{t: t, path: filepath.Join(t.TempDir(), "s"), log: &syncBuffer{}}
	log := slog.New(slog.NewTextHandler(l.log, nil))
	l.set = &transaction.Setup{
		AuthservID: "mail.good.example",
		Rules:      transaction.Rules{Local: true, Authenticated: true, DaemonNames: []string{"ORIGINATING"}},
		MTA:        "auto",
		Sign: transaction.Sign{
			Headers:     []string{"From", "To", "Subject", "Date", "Message-ID"},
			Oversign:    []string{"From", "Subject"},
			HeaderCanon: dkim.Relaxed, BodyCanon: dkim.Relaxed,
		},
		Keys: store,
		Auth: &auth.Authenticator{
			Resolver: zone, SPF: true, DKIM: true, DMARC: true, IPRev: true,
			Receiver: "mail.good.example", Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
		},
		Policy:   rules,
		Limits:   transaction.Limits{FieldSize: 128 << 10, HeaderSize: 512 << 10, HeaderFields: 1000, HeaderMemory: 64 << 20},
		Observer: observe.NewLog(log),
	}
	cfg := ServerConfig{Timeouts: longTimeouts(), FrameSize: 1 << 20, Connections: 50, OutboundShare: 20, Log: log}
	for _, f := range change {
		f(l.set, &cfg)
	}
	l.srv = NewServer(cfg, l.set)
	ln, err := net.Listen("unix", l.path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.srv.Serve(Listener{Listener: ln}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := l.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l
}

// session opens a connection for a client; it is closed at the test's end.
func (l *lab) session(p client.Peer) *client.Session {
	l.t.Helper()
	s, err := client.Dial("unix", l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { s.Close() })
	if err := s.Connect(p); err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (l *lab) send(s *client.Session, m client.Message) client.Answer {
	l.t.Helper()
	a, err := s.Send(m)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, l.log)
	}
	return a
}

// one sends one message over a connection of its own.
func (l *lab) one(p client.Peer, m client.Message) client.Answer {
	l.t.Helper()
	s := l.session(p)
	return l.send(s, m)
}

func outside() client.Peer {
	return client.Peer{IP: netip.MustParseAddr("192.0.2.1"), Port: 25000, Name: "out.sender.example", Helo: "out.sender.example"}
}

func submission() client.Peer {
	return client.Peer{IP: netip.MustParseAddr("203.0.113.9"), Port: 50000, Helo: "laptop", Daemon: "ORIGINATING"}
}

func mailFrom(addr string) client.Message {
	return client.Message{
		MailFrom: addr, RcptTo: []string{"box@good.example"}, QueueID: "4QTEST",
		Raw: "From: <" + addr + ">\nTo: <box@good.example>\nSubject: test\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\n\nHello.\n",
	}
}

// top returns the unfolded topmost field.
func top(raw string) string {
	var b strings.Builder
	for i, line := range strings.Split(raw, "\r\n") {
		if i > 0 && (line == "" || line[0] != ' ' && line[0] != '\t') {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
