package transaction

import (
	"context"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
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

// Explanation is what is decided about a message.
type Explanation struct {
	*Decision
	Header header.Fields // as it is after the edits
}

// Explain does with a message what a session does, without an MTA: the same
// code from MAIL FROM to the end of body. No observer is told.
func Explain(ctx context.Context, set *Setup, q Question) Explanation {
	peer := set.Auth.Connect(ctx, q.Client.IP)
	defer peer.Close()
	m := Begin(ctx, set, Offer{Hints: q.Hints, Helo: q.Helo, MailFrom: q.MailFrom, Peer: peer, MTA: MTA{Sendmail: q.Sendmail}})
	defer m.Close()
	m.env.Recipients = q.Recipients
	for _, f := range q.Header {
		m.Field(f.Name, f.Value, true)
	}
	m.Body([]byte(q.Body))
	d := m.Finish("")
	return Explanation{Decision: d, Header: edited(q.Header, d.Edits)}
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
