package witness

import (
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/sealmilter/sealmilter/milter/client"
)

func TestWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	w := Listen(l, "secret")
	defer w.Close()
	s, err := client.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Connect(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}); err != nil {
		t.Fatal(err)
	}
	const marked = "A: 1\r\n\t2\r\nX-Sealmilter-Setup: secret\r\n\r\nbody\r\n"
	a, err := s.Send(client.Message{MailFrom: "a@b", RcptTo: []string{"c@d"}, Raw: marked})
	if err != nil || !a.Discard {
		t.Fatalf("%+v, %v", a, err)
	}
	if got := <-w.Seen(); got != marked {
		t.Errorf("%q", got)
	}
	// go-milter's client takes an early accept for an answer in the wrong place.
	if a, err := s.Send(client.Message{MailFrom: "a@b", RcptTo: []string{"c@d"}, Raw: "X-Sealmilter-Setup: other\r\n\r\nbody\r\n"}); err == nil {
		t.Errorf("a foreign message went on to the end: %+v", a)
	}
	select {
	case m := <-w.Seen():
		t.Errorf("took down %q", m)
	default:
	}
}
