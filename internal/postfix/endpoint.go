package postfix

import (
	"net"
	"path"
	"strings"

	notation "github.com/sealmilter/sealmilter/internal/address"
)

// Endpoint is where a milter listens, seen from outside any chroot.
type Endpoint struct {
	Unix string // path
	TCP  string // host:port
}

// Milter is one item of smtpd_milters or non_smtpd_milters.
type Milter struct {
	Address string // as written: "unix:x", "inet:host:port"
	// DefaultAction is its own, "" where milter_default_action decides.
	DefaultAction string
}

// Milters reads a list: addresses, or { address, name=value ... } (from 3.0).
func Milters(list string) []Milter {
	var out []Milter
	for _, item := range List(list) {
		words := parts(item)
		if len(words) == 0 {
			continue
		}
		m := Milter{Address: words[0]}
		sides := strings.Split(strings.Join(words[1:], " "), "=") // white space may stand around it
		for i := range sides {
			sides[i] = strings.TrimSpace(sides[i])
		}
		for _, w := range List(strings.Join(sides, "=")) {
			if value, ok := strings.CutPrefix(w, "default_action="); ok {
				m.DefaultAction = value
			}
		}
		out = append(out, m)
	}
	return out
}

// parts are the words of an item: one, or those between its braces.
func parts(item string) []string {
	inner, ok := strings.CutPrefix(item, "{")
	if !ok {
		return []string{item}
	}
	return List(strings.TrimSuffix(inner, "}"))
}

// address is the first part of a milter in a list: `{ unix:x, name=value }` or
// `unix:x`.
func address(item string) string {
	if l := parts(item); len(l) > 0 {
		return l[0]
	}
	return ""
}

// endpoint reads Postfix's notation. smtpd works in the queue directory, so a relative
// path begins there, and an absolute one too when it is chrooted. This host has many
// names; it is 127.0.0.1 here.
func endpoint(item, queue string, chrooted bool) Endpoint {
	where := address(item)
	kind, p, _ := strings.Cut(where, ":")
	if chrooted && (kind == "unix" || kind == "local") {
		where = kind + ":" + strings.TrimLeft(p, "/")
	}
	network, addr, ok := notation.Milter(where, queue)
	switch {
	case !ok:
		return Endpoint{}
	case network == "unix":
		return Endpoint{Unix: addr}
	}
	if host, port, err := net.SplitHostPort(addr); err == nil && (host == "localhost" || host == "") {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return Endpoint{TCP: addr}
}

// is reports whether the item names e, whatever the chroot.
func (e Endpoint) is(item, queue string) bool {
	return e != Endpoint{} && (endpoint(item, queue, false) == e || endpoint(item, queue, true) == e)
}

// below returns the path relative to dir, "" when it is not below it.
func below(p, dir string) string {
	rel, ok := strings.CutPrefix(path.Clean(p), path.Clean(dir)+"/")
	if !ok {
		return ""
	}
	return rel
}
