package milter

import (
	"context"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/policy"
)

// Question is a message with what the MTA would tell of it.
type Question struct {
	Hints                 // who hands it over
	Helo, MailFrom string // without angle brackets
	Recipients     []string
	Sendmail       bool // the MTA is Sendmail
	Header         header.Fields
	Body           string // CRLF line ends
}

// Explanation is everything that the daemon thinks of a message.
type Explanation struct {
	Direction auth.Direction
	Reason    string // of the direction
	Envelope  auth.Envelope
	Results   auth.Results // inbound and relayed
	Verdict   policy.Verdict
	Signed    []string // outbound: the names of the keys
	Unsigned  string   // outbound: why it is not signed
	Err       error    // ours: the MTA would be told to try again (451)
	Edits     []Edit   // in the order in which they are done
	Header    header.Fields
}

// Explain does with a message what a session does, without an MTA: the same
// code from MAIL FROM to the end of body. It neither logs nor counts when
// set's Log discards and its Metrics are nil.
func Explain(ctx context.Context, set *Setup, q Question) Explanation {
	c := conn{client: q.Client, helo: q.Helo}
	c.peer = set.Auth.Connect(ctx, q.Client.IP)
	defer c.peer.Close()
	m := newMessage(ctx, set, q.Hints, c, q.MailFrom)
	defer m.close()
	m.sendmail = q.Sendmail
	m.env.Recipients = q.Recipients
	for _, f := range q.Header {
		m.addField(f.Name, f.Value, true)
	}
	m.headersDone()
	m.write([]byte(q.Body))
	o := m.finish()
	x := Explanation{
		Direction: m.class.Direction, Reason: m.class.Reason, Envelope: m.env,
		Results: o.results, Verdict: o.verdict, Signed: o.signed, Unsigned: m.why, Err: o.err,
	}
	x.Edits = order(slices.Clone(o.edits))
	x.Header = edited(q.Header, x.Edits)
	return x
}

// edited is the header section with edits done, in order's order: all places
// are those that the MTA showed.
func edited(h header.Fields, edits []Edit) header.Fields {
	places := map[string][]int{}
	for i, f := range h {
		key := strings.ToLower(strings.TrimRight(f.Name, " \t\r\n"))
		places[key] = append(places[key], i)
	}
	h = slices.Clone(h)
	gone := make([]bool, len(h))
	var top header.Fields // the last one topmost
	for _, e := range edits {
		of := places[strings.ToLower(e.Name)]
		known := e.Index > 0 && e.Index <= len(of)
		switch {
		case e.Op == Insert:
			top = append(top, header.Field{Name: e.Name, Value: e.Value})
		case e.Op == Delete && known:
			gone[of[e.Index-1]] = true
		case e.Op == Change && known:
			h[of[e.Index-1]].Value = e.Value
		}
	}
	slices.Reverse(top)
	for i, f := range h {
		if !gone[i] {
			top = append(top, f)
		}
	}
	return top
}
