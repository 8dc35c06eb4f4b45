package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// Address of a socket. The zero Address is none.
type Address struct {
	Text    string // as written
	Network string // "unix", "tcp", "tcp4" or "tcp6", as net.Listen wants it
	Addr    string // path, or host:port with host "" for all
}

// maxUnixPath is the room in sockaddr_un, final NUL left out.
const maxUnixPath = 107

// ParseAddress reads both notations: Postfix's unix:PATH, inet:HOST:PORT and
// inet6:HOST:PORT, Sendmail's local:PATH, inet:PORT@HOST and inet6:PORT@HOST.
// The empty text is the zero Address.
func ParseAddress(s string) (Address, error) {
	if s == "" {
		return Address{}, nil
	}
	kind, rest, found := strings.Cut(s, ":")
	switch {
	case found && (kind == "unix" || kind == "local"):
		return unixAddress(s, rest)
	case found && (kind == "inet" || kind == "inet6"):
		return inetAddress(s, kind, rest)
	case strings.HasPrefix(s, "/"):
		return Address{}, hinted{tree.Quote(s) + " does not say what kind of socket it is", "write unix:" + s}
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return Address{}, hinted{tree.Quote(s) + " does not say what kind of socket it is", "a TCP socket is inet:HOST:PORT; on one host unix:/PATH is better"}
	}
	return Address{}, hinted{tree.Quote(s) + " is not a socket address", "unix:/PATH, inet:HOST:PORT or inet:PORT@HOST"}
}

func unixAddress(s, path string) (Address, error) {
	switch {
	case !filepath.IsAbs(path):
		return Address{}, hinted{tree.Quote(s) + " has no absolute path",
			"what Postfix calls unix:sealmilter/milter.sock is unix:/var/spool/postfix/sealmilter/milter.sock here"}
	case len(path) > maxUnixPath:
		return Address{}, fmt.Errorf("the path of a socket has at most %d bytes, this one %d", maxUnixPath, len(path))
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Address{}, fmt.Errorf("%s has a control character", tree.Quote(s))
	}
	return Address{s, "unix", filepath.Clean(path)}, nil
}

func inetAddress(s, kind, rest string) (Address, error) {
	bad := hinted{tree.Quote(s) + " is not a socket address", fmt.Sprintf("%s:HOST:PORT or %s:PORT@HOST", kind, kind)}
	port, host, sendmail := strings.Cut(rest, "@")
	if !sendmail {
		if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			host, port = rest[:i], rest[i+1:]
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Address{}, bad
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return Address{}, bad
		}
	}
	if host == "*" {
		host = ""
	}
	network := "tcp"
	if kind == "inet6" {
		network = "tcp6"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Is4() && kind == "inet6" {
			return Address{}, hinted{tree.Quote(s) + " is an IPv4 address", "write inet:"}
		}
		if network = "tcp6"; ip.Is4() {
			network = "tcp4"
		}
	} else if strings.ContainsAny(host, ":/[]@ ") || len(host) > 253 {
		return Address{}, bad
	}
	return Address{s, network, net.JoinHostPort(host, port)}, nil
}

// UnmarshalText is ParseAddress.
func (a *Address) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAddress(string(b))
	return err
}

// MarshalText is the address as it was written.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.Text), nil }

func (a Address) String() string { return a.Text }

// open reports whether any host may connect.
func (a Address) open() bool {
	host, _, err := net.SplitHostPort(a.Addr)
	if a.Network == "unix" || err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// loopback reports whether only this host may connect.
func (a Address) loopback() bool {
	host, _, err := net.SplitHostPort(a.Addr)
	ip, perr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || perr == nil && ip.IsLoopback())
}

func mustAddress(s string) Address {
	a, err := ParseAddress(s)
	if err != nil {
		panic(err) // only for the constants of defaults.go
	}
	return a
}

// Listener is one socket for MTAs: in the file an address, or an object.
type Listener struct {
	Addr Address `yaml:"addr"`
	// Direction of all mail that comes in here: auto decides for each message.
	Direction string `yaml:"direction" words:"auto outbound inbound"`
}

func (l *Listener) decode(d *decoder, n *tree.Node, path string, tag reflect.StructTag) {
	type object Listener
	o := object{Direction: "auto"}
	if n.Kind == tree.Scalar {
		d.value(n, reflect.ValueOf(&o.Addr).Elem(), path, tag)
	} else {
		d.object(n, reflect.ValueOf(&o).Elem(), path)
		if n.Kind == tree.Map && n.Get("addr") == nil {
			d.fail(n, "a listener has no addr", "{addr: unix:/PATH, direction: outbound}")
		}
	}
	*l = Listener(o)
}

// MarshalYAML writes the short form where it says everything.
func (l Listener) MarshalYAML() (any, error) {
	if l.Direction == "auto" {
		return l.Addr.Text, nil
	}
	type object Listener
	return object(l), nil
}
