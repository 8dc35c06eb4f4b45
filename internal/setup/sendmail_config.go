package setup

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/sendmail"
)

// relays are the clients that Sendmail relays for: proposals for
// outbound.networks.
func (s *Sendmail) relays() (nets []netip.Prefix, left []sendmail.Relay) {
	var all []sendmail.Relay
	for name, read := range map[string]func(string) []sendmail.Relay{"access": sendmail.Access, "relay-domains": sendmail.RelayDomains} {
		if data, err := os.ReadFile(filepath.Join(filepath.Dir(s.MC), name)); err == nil {
			all = append(all, read(string(data))...)
		}
	}
	for _, r := range all {
		switch {
		case !r.Net.IsValid():
			if !strings.HasPrefix(strings.ToLower(r.Entry), "localhost") {
				left = append(left, r)
			}
		case !r.Net.Addr().IsLoopback() && !slices.Contains(nets, r.Net):
			nets = append(nets, r.Net)
		}
	}
	slices.SortFunc(nets, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	slices.SortFunc(left, func(a, b sendmail.Relay) int { return strings.Compare(a.Entry, b.Entry) })
	return nets, left
}

// planConfig works out milter.yaml and says what it means.
func (s *Sendmail) planConfig(nets []netip.Prefix, left []sendmail.Relay, questions *[]string) error {
	name := s.mc.Define("confDOMAIN_NAME")
	if name == "" {
		name, _ = os.Hostname()
	}
	conf, problems, err := planConfig(s.Config, s.Domains, nets, mtaPlan{"sendmail", name, s.chooseSocket})
	if err != nil {
		return fail(problem.Hint(err), "%s: %w", s.Config, err)
	}
	s.problems(inspect.Problems(problems, nil))
	if conf == nil || conf.cfg == nil {
		return problem.ErrShown
	}
	s.conf = conf
	s.socket = sendmailSocket(conf.milter)
	s.say("authserv-id %s, socket %s", conf.cfg.AuthservID, s.socket)
	for _, r := range left {
		s.warn("RELAY for %s is not carried over to outbound.networks: %s", r.Entry, r.Why)
	}
	public := wide(nets, hostAddresses())
	for _, n := range nets {
		switch {
		case !slices.Contains(conf.cfg.Outbound.Networks, n):
			s.say("Sendmail relays for %s, which is not in outbound.networks: its mail leaves unsigned unless it logs in", n)
		case conf.new == conf.old:
		default:
			s.say("outbound.networks: %s (RELAY in Sendmail's access): mail from there is signed", n)
			if slices.Contains(public, n) {
				*questions = append(*questions, fmt.Sprintf("mail of anybody in %s, which is public and wider than this host, is signed as yours", n))
			}
		}
	}
	return nil
}

// chooseSocket is the first listener that takes mail of both directions, and whose
// folder Sendmail accepts where it exists.
func (s *Sendmail) chooseSocket(cfg *config.Config) (e postfix.Endpoint, listen string, dropIn bool) {
	for _, l := range cfg.Listen {
		if l.Direction == "inbound" {
			continue
		}
		this := endpointOf(l.Addr)
		if folderFault(this) == "" {
			return this, "", false
		}
		if e == (postfix.Endpoint{}) {
			e = this
		}
	}
	if e == (postfix.Endpoint{}) {
		e = endpointOf(cfg.Listen[0].Addr)
	}
	return e, "", false
}

// folderFault says why Sendmail refuses a socket: it calls one unsafe whose folder
// others may write to, even a sticky one.
func folderFault(e postfix.Endpoint) string {
	if e.Unix == "" {
		return ""
	}
	dir := filepath.Dir(e.Unix)
	st, err := os.Stat(dir)
	if err == nil && st.Mode().Perm()&0o022 != 0 {
		return fmt.Sprintf("%s is group- or world-writable (%v): Sendmail refuses a socket there as unsafe", dir, st.Mode())
	}
	return ""
}

// sendmailSocket is the endpoint in the notation of S=.
func sendmailSocket(e postfix.Endpoint) string {
	if e.TCP == "" {
		return "unix:" + e.Unix
	}
	host, port, _ := net.SplitHostPort(e.TCP)
	if strings.Contains(host, ":") {
		return "inet6:" + port + "@" + host
	}
	return "inet:" + port + "@" + host
}
