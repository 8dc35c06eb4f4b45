package sendmail

import (
	"net"
	"slices"
	"strings"
)

// Option is the value of an option in a sendmail.cf: `O RunAsUser=mail`.
func Option(cf, name string) string {
	for line := range strings.Lines(cf) {
		if rest, ok := strings.CutPrefix(line, "O "); ok {
			if n, v, ok := strings.Cut(rest, "="); ok && strings.EqualFold(strings.TrimSpace(n), name) {
				return strings.TrimSpace(v)
			}
		}
	}
	return ""
}

// SMTPAddress is where a sendmail.cf has the daemon take mail, seen from this
// host: its first port that does not ask for a login.
func SMTPAddress(cf string) string {
	for line := range strings.Lines(cf) {
		spec, ok := strings.CutPrefix(strings.TrimSpace(line), "O DaemonPortOptions=")
		if !ok || strings.Contains(Equate(spec, "M"), "a") {
			continue
		}
		host, port := Equate(spec, "Addr"), Equate(spec, "Port")
		if host == "" && strings.EqualFold(Equate(spec, "Family"), "inet6") {
			host = "::1"
		}
		if host == "" || host == "0.0.0.0" {
			host = "127.0.0.1"
		}
		if port == "" {
			port = "smtp"
		}
		return net.JoinHostPort(strings.TrimPrefix(host, "IPv6:"), port)
	}
	return "127.0.0.1:smtp"
}

// Built are the milters of a sendmail.cf: those that it defines, and the names of
// those that each message passes.
func Built(cf string) (defined []Filter, used []string) {
	for n := range strings.SplitSeq(Option(cf, "InputMailFilters"), ",") {
		used = append(used, strings.TrimSpace(n))
	}
	for line := range strings.Lines(cf) {
		if name, spec, ok := strings.Cut(line, ","); ok && strings.HasPrefix(name, "X") {
			defined = append(defined, Filter{Name: strings.TrimSpace(name[1:]), Spec: strings.TrimSpace(spec)})
		}
	}
	return defined, used
}

// Uses reports whether a sendmail.cf has every message pass the milter on socket.
func Uses(cf, socket string) bool {
	defined, used := Built(cf)
	return slices.ContainsFunc(defined, func(f Filter) bool {
		return slices.Contains(used, f.Name) && sameSocket(Equate(f.Spec, "S"), socket)
	})
}
