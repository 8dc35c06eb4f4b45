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

// edited is the header section with edits done, in order's order.
func edited(h header.Fields, edits []Edit) header.Fields {
	h = slices.Clone(h)
	for _, e := range edits {
		i := -1
		for j, n := 0, 0; j < len(h) && i < 0; j++ {
			if strings.EqualFold(strings.TrimRight(h[j].Name, " \t\r\n"), e.Name) {
				if n++; n == e.Index {
					i = j
				}
			}
		}
		switch {
		case e.Op == Insert:
			h = slices.Insert(h, 0, header.Field{Name: e.Name, Value: e.Value})
		case e.Op == Delete && i >= 0:
			h = slices.Delete(h, i, i+1)
		case e.Op == Change && i >= 0:
			h[i].Value = e.Value
		}
	}
	return h
}
