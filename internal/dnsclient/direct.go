package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// directFor bounds a question to one server: what lives answers within a
	// second or two, and who asks has more servers to ask.
	directFor = 5 * time.Second
	// maxDirect bounds the TXT records of one name: none that is ours has more.
	maxDirect = 64
)

// Said is what one server said about the TXT records of a name. Without
// Records and Alias it said that there are none, or no such name.
type Said struct {
	Records       []string // those of the name itself
	Alias         string   // the target of its CNAME, lower case; "" for none
	Authoritative bool
}

// AskTXT puts one question to one server, past every cache: by UDP with EDNS,
// without it where that is not answered, and by TCP where the answer is cut. It
// returns an error, which wraps resolve.ErrTemporary, when the server did not
// say what is at name: silence, SERVFAIL, REFUSED, a referral. A CNAME is told and
// not followed. recurse asks it to find out what it does not know.
func AskTXT(ctx context.Context, to netip.AddrPort, name string, recurse bool) (Said, error) {
	ctx, cancel := context.WithTimeout(ctx, directFor)
	defer cancel()
	q := question{lower(name), dns.TypeTXT}
	if err := resolve.CheckName(q.name); err != nil {
		return Said{}, fmt.Errorf("%w: %w", resolve.ErrTemporary, err)
	}
	m, err := askOne(ctx, to, q, recurse)
	if err != nil {
		return Said{}, fmt.Errorf("%w: %w", resolve.ErrTemporary, err)
	}
	return said(m, q)
}

func askOne(ctx context.Context, to netip.AddrPort, q question, recurse bool) (m *dns.Msg, err error) {
	for i := range rounds {
		t := try{server: server{addr: to}, q: q, share: remaining(ctx) / time.Duration(rounds-i), edns: i == 0, direct: true, iterative: !recurse}
		if m, err = t.run(ctx); err == nil || !errors.Is(err, errNoAnswer) || ctx.Err() != nil {
			break
		}
	}
	return m, err
}

// said reads an answer about q. One that is not authoritative, from a server
// that does not resolve for us either, says nothing: it is a referral (RFC 2308
// §2.2), or the server does not have the zone.
func said(m *dns.Msg, q question) (Said, error) {
	s := Said{Authoritative: m.Authoritative}
	if !m.Authoritative && !m.RecursionAvailable {
		return s, fmt.Errorf("%w: it is no server of this zone", resolve.ErrTemporary)
	}
	for _, rr := range m.Answer {
		owner, ok := rawName(rr.Header().Name)
		if !ok || lower(owner) != q.name || rr.Header().Class != dns.ClassINET {
			continue
		}
		if c, ok := rr.(*dns.CNAME); ok {
			target, ok := rawName(c.Target)
			if !ok {
				return s, fmt.Errorf("%w: cname to a name with a dot inside a label", resolve.ErrTemporary)
			}
			s.Alias = lower(target)
			continue
		}
		if text, ok := readTXT(rr); ok && len(s.Records) < maxDirect {
			s.Records = append(s.Records, text)
		}
	}
	return s, nil
}
