package address

import (
	"net"
	"path"
	"strings"
)

// Milter reads where an MTA looks for a milter, in either MTA's notation:
// unix:PATH, local:PATH, inet:HOST:PORT, inet:PORT@HOST, inet:PORT, and inet6: for
// inet:. dir is what a relative path starts at. It returns "unix" with a path, or
// "tcp" with HOST:PORT, whose host is in lower case, without brackets where it
// needs none, and empty where there is none.
func Milter(text, dir string) (network, addr string, ok bool) {
	kind, rest, found := strings.Cut(text, ":")
	if !found || rest == "" {
		return "", "", false
	}
	switch strings.ToLower(kind) {
	case "unix", "local":
		if !path.IsAbs(rest) {
			rest = path.Join(dir, rest)
		}
		return "unix", path.Clean(rest), true
	case "inet", "inet6":
		host, port := "", rest // Sendmail: a port alone
		if p, h, ok := strings.Cut(rest, "@"); ok {
			host, port = h, p
		} else if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			host, port = rest[:i], rest[i+1:]
		}
		return "tcp", net.JoinHostPort(strings.ToLower(strings.Trim(host, "[]")), port), true
	}
	return "", "", false
}
