package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/problem"
)

func TestPeersAdmit(t *testing.T) {
	const root, mta, alice = 0, 101, 1000
	for _, c := range []struct {
		name    string
		allowed map[uint32]bool
		uid     uint32
		known   bool
		admit   bool
		told    string
	}{
		{"nobody named: the MTA", nil, mta, true, true, ""},
		{"nobody named: a user", nil, alice, true, true, "unexpected"},
		{"nobody named: not told", nil, 0, false, true, ""},
		{"named", map[uint32]bool{root: true, mta: true}, mta, true, true, ""},
		{"not named", map[uint32]bool{root: true, mta: true}, alice, true, false, "refused"},
		{"not told, and 0 is root's number", map[uint32]bool{root: true, mta: true}, 0, false, false, "refused"},
	} {
		var told []string
		p := &Peers{allowed: c.allowed, expected: map[uint32]bool{root: true, mta: true}, reported: map[uint32]bool{},
			Refused: func(uint32) { told = append(told, "refused") }, Unexpected: func(uint32) { told = append(told, "unexpected") }}
		for range 3 { // said once
			if got := p.admit(c.uid, c.known); got != c.admit {
				t.Errorf("%s: admitted %v", c.name, got)
			}
		}
		if strings.Join(told, " ") != c.told {
			t.Errorf("%s: told %v, want %q", c.name, told, c.told)
		}
	}
}

func TestPeersAreTold(t *testing.T) {
	n := 0
	p := &Peers{expected: map[uint32]bool{}, reported: map[uint32]bool{}, Unexpected: func(uint32) { n++ }}
	for uid := range uint32(10 * maxReported) {
		p.admit(uid, true)
	}
	if n != maxReported {
		t.Errorf("told of %d users", n)
	}
}

func TestNewPeers(t *testing.T) {
	p, err := NewPeers([]string{"nobody"})
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := lookup("nobody")
	if err != nil || !p.allowed[nobody] || !p.allowed[0] || !p.allowed[uint32(os.Geteuid())] || p.allowed[12345] {
		t.Errorf("%v, %v", p.allowed, err)
	}
	if p, err := NewPeers(nil); err != nil || p.allowed != nil {
		t.Errorf("%v, %v", p, err)
	}
	var e *problem.Error
	if _, err := NewPeers([]string{"no-such-user"}); !errors.As(err, &e) || !strings.Contains(e.Hint, "getent passwd") {
		t.Errorf("%v", err)
	}
}

// TestGuard has real users connect; as root only, since it takes several.
func TestGuard(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("SEALMILTER_CI") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: it connects as several users")
	}
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	inner, err := Listen("unix", path, Options{Mode: 0o666})
	if err != nil {
		t.Fatal(err)
	}
	p := &Peers{allowed: map[uint32]bool{0: true, 65534: true}, reported: map[uint32]bool{}}
	var refused []uint32
	p.Refused = func(uid uint32) { refused = append(refused, uid) }
	l := p.Guard(inner)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello"))
			c.Close()
		}
	}()
	for _, c := range []struct {
		uid  uint32
		want string
	}{{0, "hello"}, {65534, "hello"}, {12345, ""}} {
		// This program again, which becomes that user: who cannot read the folder
		// that it lies in cannot start it.
		cmd := exec.Command(os.Args[0], "-test.run", "^TestGuardClient$")
		cmd.Env = []string{"SEALMILTER_PEER_SOCKET=" + path, fmt.Sprintf("SEALMILTER_PEER_UID=%d", c.uid)}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("as %d: %v\n%s", c.uid, err, out)
		}
		if got := strings.Contains(string(out), "got hello"); got != (c.want != "") {
			t.Errorf("as %d: %s", c.uid, out)
		}
	}
	l.Close()
	<-done
	if !slices.Equal(refused, []uint32{12345}) {
		t.Errorf("refused %v", refused)
	}
}

func TestGuardClient(t *testing.T) {
	path := os.Getenv("SEALMILTER_PEER_SOCKET")
	if path == "" {
		return // TestGuard starts it
	}
	uid, err := strconv.Atoi(os.Getenv("SEALMILTER_PEER_UID"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setuid(uid); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 5)
	n, _ := c.Read(b)
	os.Stdout.WriteString("got " + string(b[:n]) + "\n")
}

func TestGuardLeavesTCPAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if g := (&Peers{}).Guard(l); g != l {
		t.Errorf("%T", g)
	}
}
