package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/secondopinion"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/policy"
)

// full is a report in which everything has something to say: each word that
// begins with q is a value.
func full(d auth.Direction) *Report {
	x := &Report{
		Decision: &transaction.Decision{
			Direction: d, Reason: "qdirection",
			Results: auth.Results{
				Author: auth.Author{Domains: []string{"qauthor.example"}}, Indirect: "qindirect",
				IPRev: &iprev.Result{Status: "qiprev", Names: []string{"qname.example"}, Err: errors.New("qiprev-reason")},
				SPF: &spf.Result{Status: "qspf", Domain: "qspfdomain.example", Identity: "qidentity", Mechanism: "qmechanism", Lookups: 7, VoidLookups: 1, Err: errors.New("qspf-reason"),
					Trace: []spf.Step{{Depth: 0, Domain: "qstep.example"}, {Depth: 1, Domain: "x", Term: "qterm", Target: "qtarget", Note: "qnote"}}},
				DKIM: []dkim.Result{{Status: "qdkim", Domain: "qd.example", Selector: "qs", Algorithm: "qalgorithm", KeyBits: 1024, Testing: true, Err: errors.New("qdkim-reason")}}, DKIMRan: true,
				DMARC: &dmarc.Result{Status: "qdmarc", AuthorDomain: "qdmarcauthor.example", Policy: "qpolicy", RecordDomain: "qrecorddomain.example", OrgDomain: "qorg.example",
					Record: &dmarc.Record{Raw: "qrecord"}, Aligned: []dmarc.Identifier{{Method: "qmethod", Domain: "qaligned.example"}}, Err: errors.New("qdmarc-reason")},
			},
			Verdict: policy.Verdict{Action: "qaction", Rule: "qrule", Reason: "qreason", Hold: true, Reply: policy.Reply{Code: 550, Enhanced: "5.7.1", Text: "qreply"},
				Observed: []policy.Observation{{Rule: "qobserved", Action: "qobservedaction", Reason: "qobservedreason"}}},
			Signed: []string{"qkey"}, Mismatch: "qmismatch",
			Edits: []transaction.Edit{{Op: transaction.Delete, Name: "qdelete", Index: 3}, {Op: transaction.Change, Name: "qchange", Value: " qto"},
				{Op: transaction.Insert, Name: "qinsert", Value: " qvalue"}},
		},
		Question:   transaction.Question{Hints: transaction.Hints{AuthUser: "quser", Client: transaction.Client{IP: netip.MustParseAddr("192.0.2.77")}}, Helo: "qhelo", MailFrom: "qfrom@example"},
		AuthservID: "qauthserv.example", NoConfig: "/etc/none", Guessed: true, LeftOut: 12,
		Second: []secondopinion.Verdict{{Status: "qsecond", Domain: "qseconddomain", Err: errors.New("qsecond-reason")}},
	}
	return x
}

// TestTextAndJSONTellTheSame: what the text says of a report is in the JSON.
func TestTextAndJSONTellTheSame(t *testing.T) {
	secondFails, unsigned, broken := full(auth.Inbound), full(auth.Outbound), full(auth.Outbound)
	secondFails.SecondErr = errors.New("qseconderr")
	unsigned.Signed, unsigned.Unsigned = nil, transaction.Unsigned{Text: "qunsigned"}
	broken.Err = errors.New("qerr")
	noAuthor := full(auth.Inbound)
	noAuthor.Results.Author = auth.Author{Err: errors.New("qnoauthor")}
	for name, x := range map[string]*Report{
		"inbound": full(auth.Inbound), "outbound": full(auth.Outbound), "no second opinion": secondFails, "unsigned": unsigned, "error": broken, "no author": noAuthor,
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			x.Text(&text)
			b, err := json.MarshalIndent(x.JSON(), "", " ")
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, word := range strings.FieldsFunc(text.String(), func(r rune) bool { return strings.ContainsRune(" \n\t,;:()[]<>=@", r) }) {
				word = strings.TrimSuffix(word, "._domainkey.qd.example")
				if strings.HasPrefix(word, "q") && word != "queue" {
					n++
					if !strings.Contains(string(b), word) {
						t.Errorf("%q of the text is not in the JSON", word)
					}
				}
			}
			if n < 6 {
				t.Errorf("only %d values in\n%s", n, text.String())
			}
			for _, want := range []string{`"client_guessed": true`, `"defaults": true`, `"fields_left_out": 12`, `"auth_user": "quser"`, `"client_ip": "192.0.2.77"`, `"hold": true`, `"bits": 1024`, `"testing": true`} {
				if !strings.Contains(string(b), want) {
					t.Errorf("no %s in\n%s", want, b)
				}
			}
			for _, want := range []string{"Received field", "/etc/none", "12 fields", "192.0.2.77"} {
				if !strings.Contains(text.String(), want) {
					t.Errorf("no %q in\n%s", want, text.String())
				}
			}
		})
	}
}

// TestRequest: what a request does not say is taken from the message.
func TestRequest(t *testing.T) {
	const hop = "Received: from out.example (out.example [192.0.2.25]) by mx.example; Sat, 1 Jan 2026 00:00:00 +0000\n"
	ip := netip.MustParseAddr("192.0.2.25")
	other := netip.MustParseAddr("203.0.113.1")
	from := "<>"
	for name, c := range map[string]struct {
		req     Request
		ip      netip.Addr
		helo    string
		from    string
		left    int
		guessed bool
		err     error
	}{
		"all from the message": {Request{Raw: "Return-Path: <a@b.example>\n" + hop + "From: a@b.example\n\nx\n"}, ip, "out.example", "a@b.example", 2, true, nil},
		"the client is told":   {Request{Raw: hop + "From: a@b.example\n\nx\n", IP: ip, Helo: "h", MailFrom: &from}, ip, "h", "", 1, false, nil},
		"another client":       {Request{Raw: hop + "From: a@b.example\n\nx\n", IP: other}, other, "", "", 0, false, nil},
		"ours":                 {Request{Raw: hop + "From: a@b.example\n\nx\n", AuthUser: "u"}, netip.Addr{}, "", "", 0, false, nil},
		"nobody tells":         {Request{Raw: "From: a@b.example\n\nx\n"}, netip.Addr{}, "", "", 0, false, ErrNoClient},
	} {
		t.Run(name, func(t *testing.T) {
			var x Report
			err := x.put(c.req)
			if q := x.Question; err != c.err || q.Client.IP != c.ip || q.Helo != c.helo || q.MailFrom != c.from || x.LeftOut != c.left || x.Guessed != c.guessed {
				t.Errorf("%v %+v", err, x)
			}
		})
	}
	if _, err := Message(t.Context(), &transaction.Setup{}, &resolve.Zone{}, Request{Raw: "From: a@b\n\n"}); err != ErrNoClient {
		t.Error(err)
	}
	if h, body := split("From x\nA: b\n c\n\nbody\n"); len(h) != 1 || h[0] != (header.Field{Name: "A", Value: " b\r\n c"}) || body != "body\r\n" {
		t.Errorf("%q %q", h, body)
	}
}
