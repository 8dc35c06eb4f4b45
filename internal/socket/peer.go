package socket

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// mtaUsers are the users as whom Postfix, Sendmail and Exim talk to a milter.
var mtaUsers = []string{"postfix", "smmsp", "smmta", "sendmail", "Debian-exim", "exim", "mail"}

// maxReported bounds how many different users are told of.
const maxReported = 100

// Peers says which local users may connect to a unix socket. The milter
// protocol knows no passwords: who connects says who has logged in, and gets
// signatures.
type Peers struct {
	// Refused is told, once a user, of one who was refused; Unexpected of one who
	// was let in and is neither root, nor we, nor an MTA's. They are called from
	// the goroutines that accept.
	Refused, Unexpected func(uid uint32)

	allowed  map[uint32]bool // nil: everybody
	expected map[uint32]bool

	mu       sync.Mutex
	reported map[uint32]bool
}

// NewPeers resolves the names of users. None: everybody may connect. Root and
// the user of this process always may.
func NewPeers(names []string) (*Peers, error) {
	p := &Peers{reported: map[uint32]bool{}, expected: own()}
	for _, n := range mtaUsers {
		if uid, err := lookup(n); err == nil {
			p.expected[uid] = true
		}
	}
	if len(names) == 0 {
		return p, nil
	}
	p.allowed = own()
	for _, n := range names {
		uid, err := lookup(n)
		if err != nil {
			return nil, problem.Fail("name users of this host, see `getent passwd`", "socket.peers: %w", err)
		}
		p.allowed[uid] = true
	}
	return p, nil
}

func own() map[uint32]bool { return map[uint32]bool{0: true, uint32(os.Geteuid()): true} }

func lookup(name string) (uint32, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(uid), err
}

// Guard returns l with everybody refused who may not connect. Listeners other
// than of unix sockets stay as they are: there the kernel tells nobody's name.
func (p *Peers) Guard(l net.Listener) net.Listener {
	if l.Addr().Network() != "unix" {
		return l
	}
	return &guarded{l, p}
}

type guarded struct {
	net.Listener
	peers *Peers
}

func (g *guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUser(c)
		if g.peers.admit(uid, err == nil) {
			return c, nil
		}
		c.Close()
	}
}

// admit decides about one connection. Where only some may connect, a user whom
// the kernel does not tell is none of them.
func (p *Peers) admit(uid uint32, known bool) bool {
	switch {
	case p.allowed == nil:
		if known && !p.expected[uid] && p.first(uid) && p.Unexpected != nil {
			p.Unexpected(uid)
		}
		return true
	case known && p.allowed[uid]:
		return true
	}
	if p.first(uid) && p.Refused != nil {
		p.Refused(uid)
	}
	return false
}

// first reports whether nothing was said of the user yet.
func (p *Peers) first(uid uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reported[uid] || len(p.reported) >= maxReported {
		return false
	}
	p.reported[uid] = true
	return true
}

// peerUser is the user who opened the other end (unix(7), SO_PEERCRED).
func peerUser(c net.Conn) (uint32, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("not a unix socket: %T", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil {
		return 0, cerr
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
