package dnsclient

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxServers bounds the configured list: each gets a share of the timeout.
	maxServers = 8
	// maxResolvConfServers is resolv.conf(5)'s MAXNS.
	maxResolvConfServers = 3
	// checkEvery is how often resolv.conf is looked at for a change.
	checkEvery = 5 * time.Second
	// maxResolvConf bounds what is read of the file.
	maxResolvConf = 64 << 10
)

// server is one that we ask.
type server struct {
	addr    netip.AddrPort
	trustAD bool
}

// ParseServer reads an IP address with or without a port; without one it is 53.
func ParseServer(s string) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil && ap.Port() != 0 {
		return ap, nil
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	ip, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("dns server %.100q: want an ip address, such as 127.0.0.1 or [::1]:5353", s)
	}
	return netip.AddrPortFrom(ip, 53), nil
}

func newServer(ap netip.AddrPort, trustAD bool) server {
	return server{addr: ap, trustAD: trustAD || ap.Addr().Unmap().IsLoopback()}
}

// localServers are asked when resolv.conf names none (resolv.conf(5)).
func localServers() []server {
	return []server{
		newServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53), false),
		newServer(netip.AddrPortFrom(netip.IPv6Loopback(), 53), false),
	}
}

// serverList is a fixed list, or what a resolv.conf says at present.
type serverList struct {
	path string // "": the list is fixed
	now  func() time.Time

	mu      sync.Mutex
	list    []server // never empty; replaced, not changed
	seen    os.FileInfo
	checked time.Time
}

func newServerList(fixed []string, path string, now func() time.Time) (*serverList, error) {
	if len(fixed) > maxServers {
		return nil, fmt.Errorf("%d dns servers: want at most %d", len(fixed), maxServers)
	}
	l := &serverList{now: now}
	for _, s := range fixed {
		ap, err := ParseServer(s)
		if err != nil {
			return nil, err
		}
		l.list = append(l.list, newServer(ap, false))
	}
	if len(fixed) == 0 {
		l.path, l.list = path, localServers()
		l.current()
	}
	return l, nil
}

// current returns the servers. A resolv.conf that cannot be read or names no
// server, as while somebody writes it, leaves the list as it was.
func (l *serverList) current() []server {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.path != "" && (l.checked.IsZero() || now.Sub(l.checked) >= checkEvery || now.Before(l.checked)) {
		l.checked = now
		l.reread()
	}
	return l.list
}

func (l *serverList) reread() {
	info, err := os.Stat(l.path)
	if err != nil || l.seen != nil && os.SameFile(info, l.seen) && info.ModTime().Equal(l.seen.ModTime()) && info.Size() == l.seen.Size() {
		return
	}
	f, err := os.Open(l.path)
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxResolvConf))
	if err != nil {
		return
	}
	l.seen = info
	if list := parseResolvConf(text); len(list) > 0 && !slices.Equal(list, l.list) {
		l.list = list
	}
}

// parseResolvConf reads the name servers and `options trust-ad`. What else is
// in the file is for programs that have search domains.
func parseResolvConf(text []byte) []server {
	var list []server
	trustAD := false
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, maxResolvConf+1)
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		switch {
		case len(f) >= 2 && f[0] == "nameserver" && len(list) < maxResolvConfServers:
			if ip, err := netip.ParseAddr(f[1]); err == nil {
				list = append(list, newServer(netip.AddrPortFrom(ip, 53), false))
			}
		case len(f) >= 2 && f[0] == "options" && slices.Contains(f[1:], "trust-ad"):
			trustAD = true
		}
	}
	if trustAD {
		for i := range list {
			list[i].trustAD = true
		}
	}
	return list
}
