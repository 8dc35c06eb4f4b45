package publisher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// request is what a message is about, for its errors.
type request struct {
	name string
	zone string // "": it is looked for
}

// exchange sends one signed message and returns the signed answer to it.
func (u *updater) exchange(ctx context.Context, m *dns.Msg, about request) (*dns.Msg, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.server)
	if err != nil {
		return nil, u.unreachable(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	m.SetTsig(u.key.name, u.key.algorithm, fudge, u.now().Unix())
	// A connection of the library's is for one message: it would sign the next one
	// as a part of the same answer.
	c := &dns.Conn{Conn: conn, TsigProvider: u.key}
	if err := c.WriteMsg(m); err != nil {
		return nil, u.unreachable(ctx, err)
	}
	answer, err := c.ReadMsg()
	switch {
	case answer == nil:
		return nil, u.unreachable(ctx, err)
	case answer.Id != m.Id || !answer.Response || answer.Opcode != m.Opcode:
		return nil, u.later("", "it answers another question")
	}
	t := answer.IsTsig()
	found := answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNameError && about.zone == ""
	if !found || t != nil && t.Error != dns.RcodeSuccess {
		return nil, u.failure(answer, about)
	}
	if t == nil || err != nil {
		return nil, problem.Fail("ask again; if it stays, something between us and the server answers for it",
			"server %s: its answer is not signed with key %s: whether it was done is not known", u.server, u.keyName())
	}
	return answer, nil
}

func (u *updater) keyName() string { return strings.TrimSuffix(u.key.name, ".") }

func (u *updater) later(hint, format string, args ...any) error {
	return problem.Fail(hint, "server %s: %s (%w)", u.server, fmt.Sprintf(format, args...), ErrLater)
}

// unreachable tells what a connection died of, without our own port.
func (u *updater) unreachable(ctx context.Context, err error) error {
	hint := "the server must listen on tcp at " + u.server + ", and a firewall let us through"
	var sys *os.SyscallError
	var netErr net.Error
	switch {
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return u.later(hint, "no answer in time")
	case errors.As(err, &sys):
		return u.later(hint, "%v", sys.Err)
	}
	return u.later(hint, "%v", err)
}

// failure says why the server did not do it. An answer that says no need not be
// signed: whoever forges one could as well drop ours.
func (u *updater) failure(m *dns.Msg, about request) error {
	_, parent, _ := strings.Cut(about.name, ".")
	refused := m.Rcode == dns.RcodeRefused
	if t := m.IsTsig(); t != nil && t.Error != dns.RcodeSuccess {
		// Knot says so of a key that it has just known, for what it may not do.
		if refused = t.Error == dns.RcodeBadKey && about.zone != ""; !refused {
			return u.keyFailure(t)
		}
	}
	switch {
	case refused && about.zone == "":
		return u.notPrimary(about.name)
	case refused:
		return problem.Fail(fmt.Sprintf("let the key do so, on the primary of the zone; in BIND, in the zone %q: update-policy { grant %s subdomain %s. TXT; };", about.zone, u.keyName(), parent),
			"record %s: server %s refuses key %s to change it", about.name, u.server, u.keyName())
	}
	switch m.Rcode {
	case dns.RcodeNotAuth:
		return u.notPrimary(about.name)
	case dns.RcodeNotZone:
		return problem.Fail("server: the primary of the zone of "+about.name, "record %s: server %s says that it is not in zone %s", about.name, u.server, about.zone)
	case dns.RcodeNotImplemented:
		return problem.Fail("ask the primary of the zone, or use publish: hook", "server %s takes no dynamic updates", u.server)
	case dns.RcodeYXRrset, dns.RcodeYXDomain:
		return problem.Fail("remove the CNAME, or publish at the name that it leads to", "record %s: the name is an alias (CNAME): nothing was changed", about.name)
	case dns.RcodeServerFailure:
		return u.later("its log says why; as a rule it may not write the zone's journal", "SERVFAIL for %s", about.name)
	}
	rcode, ok := dns.RcodeToString[m.Rcode]
	if !ok {
		rcode = fmt.Sprintf("rcode %d", m.Rcode)
	}
	return problem.Fail("its log says why", "record %s: server %s says %s", about.name, u.server, rcode)
}

// keyFailure is about the signature of ours.
func (u *updater) keyFailure(t *dns.TSIG) error {
	switch t.Error {
	case dns.RcodeBadKey:
		return problem.Fail("put the same key (name, algorithm, secret) into its configuration, or its key into tsig_file",
			"server %s has no key %s of %s", u.server, u.keyName(), strings.TrimSuffix(u.key.algorithm, "."))
	case dns.RcodeBadSig:
		return problem.Fail("put the same secret into its configuration and into tsig_file", "server %s has another secret for key %s", u.server, u.keyName())
	case dns.RcodeBadTime:
		differ := ""
		if s, err := strconv.ParseUint(t.OtherData, 16, 48); err == nil && t.OtherLen == 6 {
			differ = fmt.Sprintf(": it has %s, we have %s", time.Unix(int64(s), 0).UTC().Format(time.RFC3339), u.now().UTC().Format(time.RFC3339))
		}
		return u.later("set the clocks of both hosts: timedatectl set-ntp true", "our clock and its clock differ%s", differ)
	}
	return problem.Fail("its log says why", "server %s refuses our signature with key %s (tsig error %d)", u.server, u.keyName(), t.Error)
}
