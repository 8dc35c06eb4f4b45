package milter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/milter/client"
	"github.com/sealmilter/sealmilter/policy"
)

func TestOutboundIsSigned(t *testing.T) {
	l := newLab(t)
	a := l.one(submission(), mailFrom("alice@good.example"))
	if a.Code != 250 || strings.Count(a.Raw, "DKIM-Signature:") != 2 || !strings.Contains(top(a.Raw), "a=rsa-sha256") {
		t.Fatalf("%d\n%s", a.Code, a.Raw)
	}
	// What we signed comes in from elsewhere and passes.
	in := mailFrom("alice@good.example")
	in.Raw = a.Raw
	b := l.one(outside(), in)
	if n := strings.Count(top(b.Raw), "dkim=pass"); n != 2 {
		t.Errorf("%d of 2 signatures pass:\n%s", n, top(b.Raw))
	}
	if !strings.Contains(l.log.String(), "s1._domainkey.good.example,s1e._domainkey.good.example") {
		t.Errorf("the log does not name the keys:\n%s", l.log)
	}
}

func TestSubdomainIsSignedByItsParent(t *testing.T) {
	l := newLab(t)
	a := l.one(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}, mailFrom("root@host.good.example"))
	if !strings.Contains(top(a.Raw), "d=good.example;") {
		t.Errorf("%s", a.Raw)
	}
}

func TestUnsignedSaysWhy(t *testing.T) {
	l := newLab(t)
	for from, why := range map[string]string{
		"a@keyless.example": "sealmilter keys new keyless.example",
		"a@other.example":   "other.example: not a domain that we sign for",
	} {
		a := l.one(submission(), mailFrom(from))
		if a.Code != 250 || a.Edits != 0 || !strings.Contains(l.log.String(), why) {
			t.Errorf("%s: %d with %d edits, log:\n%s", from, a.Code, a.Edits, l.log)
		}
	}
}

func TestInboundPassAndSpoof(t *testing.T) {
	l := newLab(t)
	pass := l.one(outside(), mailFrom("a@sender.example"))
	for _, want := range []string{"Authentication-Results: mail.good.example;", "spf=pass smtp.mailfrom=sender.example", "iprev=pass", "dmarc=pass header.from=sender.example", "dkim=none"} {
		if !strings.Contains(top(pass.Raw), want) {
			t.Errorf("no %q in %s", want, top(pass.Raw))
		}
	}
	spoof := l.one(outside(), mailFrom("ceo@bank.example"))
	if spoof.Code != 550 || !strings.HasPrefix(spoof.Text, "5.7.1 ") || !strings.Contains(spoof.Text, "bank.example") {
		t.Errorf("spoof: %d %s", spoof.Code, spoof.Text)
	}
	tagged := l.one(outside(), mailFrom("deals@shop.example"))
	if tagged.Code != 250 || !strings.HasPrefix(top(tagged.Raw), "Authentication-Results:") || !strings.Contains(tagged.Raw, "\r\nX-Quarantine: dmarc-quarantine; ") {
		t.Errorf("quarantine: %d\n%s", tagged.Code, tagged.Raw)
	}
	if waits := l.one(outside(), mailFrom("a@slow.example")); waits.Code != 451 || !strings.HasPrefix(waits.Text, "4.7.1 ") || waits.Edits != 0 {
		t.Errorf("the policy is known, and SPF is not: %d %s", waits.Code, waits.Text)
	}
	temp := l.one(outside(), mailFrom("a@silent.example"))
	if temp.Code != 250 || !strings.Contains(top(temp.Raw), "spf=temperror") || !strings.Contains(top(temp.Raw), "dmarc=temperror") {
		t.Errorf("DNS failure: %d %s", temp.Code, top(temp.Raw))
	}
}

func TestHoldQueue(t *testing.T) {
	hold, bad := policy.Compile(nil, policy.Options{Quarantine: "hold", DMARCReject: "reject"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Policy = hold })
	a := l.one(outside(), mailFrom("deals@shop.example"))
	if a.Code != 250 || !strings.Contains(a.Held, "dmarc-quarantine") || !strings.Contains(a.Raw, "X-Quarantine:") {
		t.Errorf("%d held %q\n%s", a.Code, a.Held, a.Raw)
	}
}

func TestForgedResultsGo(t *testing.T) {
	spellings := []string{
		"Authentication-Results: mail.good.example; dmarc=pass",
		"authentication-RESULTS: MAIL.Good.Example; spf=pass",
		"Authentication-Results:mail.good.example 1; dkim=pass",
		"Authentication-Results: (a (nested) comment)\n\t\"mail.good.example\"; none",
		"Authentication-Results :\n mail.good.example.; none",
		"Authentication-Results:",
		"X-Quarantine: none; trust me",
	}
	keep := []string{
		"Authentication-Results: mx.elsewhere.example; dmarc=pass",
		"ARC-Authentication-Results: i=1; mail.good.example; dmarc=pass",
	}
	for _, n := range []int{1, 2, 50} {
		for _, peer := range []client.Peer{outside(), submission()} {
			t.Run(fmt.Sprintf("%d fields, %s", n, peer.Daemon), func(t *testing.T) {
				l := newLab(t)
				m := mailFrom("a@sender.example")
				var b strings.Builder
				for i := range n {
					b.WriteString(spellings[i%len(spellings)] + "\n" + keep[i%len(keep)] + "\n")
				}
				m.Raw = b.String() + m.Raw
				a := l.one(peer, m)
				head := a.Raw
				if peer.Daemon == "" {
					head = strings.TrimPrefix(head, strings.SplitAfter(a.Raw, "header.from=sender.example policy.dmarc=reject\r\n")[0])
				}
				low := strings.ToLower(head)
				if strings.Contains(low, "x-quarantine") || strings.Count(low, "authentication-results") != n {
					t.Errorf("%s", a.Raw)
				}
				for i, k := range keep {
					if i < n && !strings.Contains(head, k) {
						t.Errorf("%s is gone", k)
					}
				}
			})
		}
	}
}

func TestTrustedUpstreamResultsStay(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) {
		s.TrustedIDs = []transaction.TrustedID{{ID: "mail.good.example", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, {ID: "mx2.good.example", Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}
	})
	m := mailFrom("a@sender.example")
	m.Raw = "Authentication-Results: mail.good.example; x=1\nAuthentication-Results: mx2.good.example; x=2\n" + m.Raw
	a := l.one(outside(), m)
	if !strings.Contains(a.Raw, "; x=1") || strings.Contains(a.Raw, "; x=2") {
		t.Errorf("the id of 192.0.2.0/24 must stay, the other must go:\n%s", a.Raw)
	}
}

// Many messages on one connection, with ABORT in between (Postfix) and without
// (Sendmail): nothing of one shows in the next.
func TestMessagesDoNotLeak(t *testing.T) {
	for _, abort := range []bool{true, false} {
		t.Run(fmt.Sprintf("abort=%v", abort), func(t *testing.T) {
			l := newLab(t)
			r := dialRaw(t, l.path)
			r.frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00")
			r.frame('H', "out.sender.example\x00")
			for i := range 20 {
				from := []string{"a@sender.example", "b@shop.example"}[i%2]
				if i == 7 {
					// One that is given up in the middle of its header.
					r.frame('M', "<x@bank.example>\x00")
					r.frame('L', "From\x00 <x@bank.example>\x00")
					r.frame('A', "")
				}
				r.frame('D', "Mi\x00Q"+fmt.Sprint(i)+"\x00")
				r.frame('M', "<"+from+">\x00")
				r.frame('R', "<box@good.example>\x00")
				r.frame('L', "From\x00 <"+from+">\x00")
				r.frame('N', "")
				r.frame('B', "text\r\n")
				edits, code := r.end()
				if abort {
					r.frame('A', "")
				}
				if code != 'c' || !strings.Contains(edits, "header.from="+from[2:]) || strings.Contains(edits, "X-Quarantine") != (i%2 == 1) {
					t.Fatalf("message %d: %c %q", i, code, edits)
				}
			}
			r.frame('Q', "")
		})
	}
}

// raw is a milter connection on which a test writes what it likes.
type raw struct {
	t *testing.T
	c net.Conn
}

// dialRaw connects and negotiates as Postfix does.
func dialRaw(t *testing.T, path string) *raw {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return offer(t, c)
}

func offer(t *testing.T, c net.Conn) *raw {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	r := &raw{t, c}
	r.frame('O', "\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff")
	code, data := r.read()
	if code != 'O' || len(data) < 12 || data[3] != 6 {
		t.Fatalf("offer answered by %c %q", code, data)
	}
	return r
}

// frame sends a frame. MAIL is the one that must be answered before the end.
func (r *raw) frame(code byte, data string) {
	r.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	if _, err := r.c.Write(append(append(b, code), data...)); err != nil {
		r.t.Fatal(err)
	}
	if code == 'M' {
		if answer, _ := r.read(); answer != 'c' {
			r.t.Fatalf("MAIL is answered by %c", answer)
		}
	}
}

func (r *raw) read() (byte, string) {
	r.t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(r.c, head[:]); err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	data := make([]byte, binary.BigEndian.Uint32(head[:])-1)
	if _, err := io.ReadFull(r.c, data); err != nil {
		r.t.Fatal(err)
	}
	return head[4], string(data)
}

// end sends the end of body and returns all edits and the final code.
func (r *raw) end() (edits string, final byte) {
	r.t.Helper()
	r.frame('E', "")
	for {
		switch code, data := r.read(); code {
		case 'i', 'm', 'q', 'p':
			edits += string(code) + data + "\n"
		default:
			return edits + data, code
		}
	}
}

func (r *raw) closed() bool {
	_, err := r.c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "reset")
}

func TestBrokenSessionsEndAlone(t *testing.T) {
	l := newLab(t)
	healthy := l.session(outside())
	for name, send := range map[string]func(r *raw){
		"unknown command":          func(r *raw) { r.frame('!', "") },
		"zero length":              func(r *raw) { r.c.Write([]byte{0, 0, 0, 0, 0}) },
		"gigabyte":                 func(r *raw) { r.c.Write([]byte{0x40, 0, 0, 0, 'B'}) },
		"header without MAIL":      func(r *raw) { r.frame('L', "From\x00x\x00") },
		"end of body without MAIL": func(r *raw) { r.frame('E', "") },
		"connect too short":        func(r *raw) { r.frame('C', "x") },
		"header behind the body": func(r *raw) {
			r.frame('M', "<>\x00")
			r.frame('B', "x")
			r.frame('L', "From\x00 <ceo@bank.example>\x00")
		},
		"header without NUL": func(r *raw) { r.frame('M', "<>\x00"); r.frame('L', "From") },
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, l.path)
			send(r)
			if !r.closed() {
				t.Error("the connection stays open")
			}
		})
	}
	if n := strings.Count(l.log.String(), "milter connection closed"); n != 8 {
		t.Errorf("%d log lines for 8 broken connections:\n%s", n, l.log)
	}
	if a := l.send(healthy, mailFrom("a@sender.example")); a.Code != 250 {
		t.Errorf("another connection suffered: %d", a.Code)
	}
}

func TestOffersThatLackSomething(t *testing.T) {
	l := newLab(t)
	dial := func(offer string) (*raw, byte, string) {
		c, err := net.Dial("unix", l.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
		r := &raw{t, c}
		r.frame('O', offer)
		if r.t.Failed() {
			return r, 0, ""
		}
		var head [5]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return r, 0, ""
		}
		data := make([]byte, binary.BigEndian.Uint32(head[:])-1)
		io.ReadFull(c, data)
		return r, head[4], string(data)
	}
	if _, code, _ := dial("\x00\x00\x00\x06\x00\x00\x00\x01\x00\x1f\xff\xff"); code != 0 {
		t.Error("an MTA that lets us change no header is served")
	}
	if _, code, _ := dial("\x00\x00\x00\x06"); code != 0 {
		t.Error("a short offer is answered")
	}
	// Version 2 without any flag: every command but macros gets its answer, and
	// values come without the leading space.
	r, code, data := dial("\x00\x00\x00\x02\x00\x00\x00\x11\x00\x00\x00\x00")
	if code != 'O' || data != "\x00\x00\x00\x02\x00\x00\x00\x11\x00\x00\x00\x00" {
		t.Fatalf("%c %q", code, data)
	}
	for _, f := range []string{"Cx\x004\x00\x19192.0.2.1\x00", "Hx\x00", "M<a@sender.example>\x00", "R<b@good.example>\x00", "LFrom\x00<a@sender.example>\x00", "T", "Uxyzzy\x00", "N", "Bx\r\n"} {
		r.frame(f[0], f[1:])
		if f[0] == 'M' {
			continue // frame has read the answer
		}
		if code, _ := r.read(); code != 'c' {
			t.Fatalf("%c answered by %c", f[0], code)
		}
	}
	edits, final := r.end()
	if final != 'c' || !strings.Contains(edits, "Authentication-Results\x00mail.good.example;") {
		t.Errorf("%c %q", final, edits)
	}
}

// The end-of-body frame may carry the last piece of the body, and QUIT_NC is
// followed by another SMTP connection without a new offer.
func TestDataInTheLastFrameAndQuitNewConnection(t *testing.T) {
	l := newLab(t)
	signed := l.one(submission(), mailFrom("alice@good.example"))
	fields, body, _ := strings.Cut(signed.Raw, "\r\n\r\n")
	r := dialRaw(t, l.path)
	r.frame('C', "x\x004\x61\xa8203.0.113.200\x00")
	r.frame('K', "")
	r.frame('C', "out.sender.example\x006\x61\xa8IPv6:2001:db8:0:0:0:0:0:1\x00")
	r.frame('H', "out.sender.example\x00")
	r.frame('M', "<a@sender.example>\x00")
	folded := strings.NewReplacer("\r\n\t", "\n\t", "\r\n ", "\n ").Replace(fields)
	for f := range strings.SplitSeq(folded, "\r\n") {
		name, value, _ := strings.Cut(f, ":")
		r.frame('L', name+"\x00"+value+"\x00")
	}
	r.frame('N', "")
	r.frame('B', body[:2])
	r.frame('E', body[2:])
	edits := ""
	for {
		code, data := r.read()
		if code != 'i' && code != 'm' {
			break
		}
		edits += data
	}
	for _, want := range []string{"spf=pass", "dkim=pass"} {
		if !strings.Contains(edits, want) {
			t.Errorf("no %s in %q", want, edits)
		}
	}
}

// TestNothingOfAConnectionIsLeft: neither the user of a message is that of the
// next one, nor the client of a connection that of the next in the same stream.
func TestNothingOfAConnectionIsLeft(t *testing.T) {
	l := newLab(t)
	r := dialRaw(t, l.path)
	send := func(frames ...string) string {
		for _, f := range append(frames, "M<a@good.example>\x00", "R<b@c.example>\x00", "LFrom\x00 a@good.example\x00", "N", "Bx\r\n") {
			r.frame(f[0], f[1:])
		}
		edits, _ := r.end()
		return edits
	}
	client := "Cout.sender.example\x004\x61\xa8192.0.2.1\x00"
	for i, tc := range []struct {
		frames        []string
		signed, iprev bool
	}{
		{[]string{client, "DM{auth_authen}\x00alice\x00"}, true, false},
		{nil, false, true},
		{[]string{"K"}, false, false},
		{[]string{"K", "DC{daemon_name}\x00ORIGINATING\x00", client}, true, false},
		{nil, true, false},
		{[]string{"K"}, false, false},
		{[]string{"K", client}, false, true},
		{[]string{"DM{auth_authen}\x00alice\x00", "M<a@good.example>\x00", "Hagain.example\x00"}, false, true},
		{[]string{"DM{auth_authen}\x00alice\x00", "M<a@good.example>\x00", "A"}, false, true},
	} {
		edits := send(tc.frames...)
		if strings.Contains(edits, "DKIM-Signature") != tc.signed || strings.Contains(edits, "iprev=pass") != tc.iprev {
			t.Errorf("message %d: %q", i, edits)
		}
	}
}

// kept is an observer that keeps the last decision.
type kept struct{ last chan *transaction.Decision }

func (k kept) Decided(d *transaction.Decision) { k.last <- d }
func (k kept) Panicked(string)                 {}

// TestEnvelopeOfAMessage: what the MTA says of a message is in what is decided
// about it, and what it took back is not.
func TestEnvelopeOfAMessage(t *testing.T) {
	seen := kept{make(chan *transaction.Decision, 1)}
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Observer = seen })
	r := dialRaw(t, l.path)
	for _, f := range []string{
		"Cout.sender.example\x004\x61\xa8192.0.2.1\x00", "Hout.sender.example\x00", "DMi\x004Q\x00", "M<x@bank.example>\x00", "R<x@c.example>\x00",
		"Hagain.example\x00", // EHLO is RSET, too
		"DMi\x004R\x00", "M<a@sender.example>\x00SIZE=9\x00", "R<b@c.example>\x00", "R<d@c.example>\x00", "LFrom\x00 a@sender.example\x00", "N", "Bx\r\n",
	} {
		r.frame(f[0], f[1:])
	}
	r.frame('E', "y\r\n")
	e := (<-seen.last).Envelope
	if e.Helo != "again.example" || e.MailFrom != "a@sender.example" || e.QueueID != "4R" || strings.Join(e.Recipients, " ") != "b@c.example d@c.example" ||
		e.Size != int64(len("From: a@sender.example\r\n\r\nx\r\ny\r\n")) {
		t.Errorf("%+v", e)
	}
}

// TestShutdownClosesTheRest: what is not at its end in time is closed, and said.
func TestShutdownClosesTheRest(t *testing.T) {
	l := newLab(t)
	r := dialRaw(t, l.path)
	r.frame('C', "x\x004\x61\xa8192.0.2.1\x00")
	r.frame('M', "<a@sender.example>\x00")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.srv.mu.Lock()
	if n := len(l.srv.conns); n > 0 {
		t.Errorf("%d connections outlive the server", n)
	}
	l.srv.mu.Unlock()
	if log := l.log.String(); !strings.Contains(log, "stopped with transactions in progress") || !strings.Contains(log, "connections=1") {
		t.Error(log)
	}
}

func TestShutdownFinishesTransactions(t *testing.T) {
	l := newLab(t)
	r := dialRaw(t, l.path)
	r.frame('C', "x\x004\x61\xa8192.0.2.1\x00")
	r.frame('M', "<a@sender.example>\x00")
	r.frame('L', "From\x00 a@sender.example\x00")
	greeted := l.session(outside()) // connected, no transaction yet
	waitFor(t, "both connections", func() bool {
		l.srv.mu.Lock()
		defer l.srv.mu.Unlock()
		open := 0
		for w := range l.srv.conns {
			if w.open.Load() {
				open++
			}
		}
		return open == 1 && len(l.srv.conns) == 2
	})
	done := make(chan error, 1)
	go func() { done <- l.srv.Shutdown(context.Background()) }()
	waitFor(t, "the socket to close", func() bool { _, err := net.Dial("unix", l.path); return err != nil })
	r.frame('N', "")
	r.frame('B', "x\r\n")
	if edits, code := r.end(); code != 'c' || !strings.Contains(edits, "spf=pass") {
		t.Errorf("the transaction in progress: %c %q", code, edits)
	}
	if a := l.send(greeted, mailFrom("a@sender.example")); a.Code != 250 {
		t.Errorf("the client that had connected: %d", a.Code)
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSwapTakesTheNextMessage(t *testing.T) {
	l := newLab(t)
	s := l.session(outside())
	if a := l.send(s, mailFrom("a@sender.example")); !strings.Contains(top(a.Raw), " mail.good.example;") {
		t.Fatal(top(a.Raw))
	}
	l.srv.Swap(&transaction.Setup{
		AuthservID: "new.good.example", Rules: l.set.Rules, MTA: l.set.MTA, Sign: l.set.Sign, Keys: l.set.Keys,
		Auth: l.set.Auth, Policy: l.set.Policy, Limits: l.set.Limits, Observer: l.set.Observer,
	})
	if a := l.send(s, mailFrom("a@sender.example")); !strings.Contains(top(a.Raw), " new.good.example;") {
		t.Error(top(a.Raw))
	}
}

func TestLimitsOfTheHeader(t *testing.T) {
	for name, c := range map[string]struct {
		extra string
		why   string
	}{
		"fields":          {strings.Repeat("X: y\n", 1001), "more than 1000 header fields"},
		"a field":         {"X: " + strings.Repeat("y", 129<<10) + "\n", "a header field of more than 131072 bytes"},
		"header section":  {strings.Repeat("X: "+strings.Repeat("y", 100<<10)+"\n", 6), "a header section of more than 524288 bytes"},
		"a second author": {"From: <ceo@bank.example>\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			m := mailFrom("a@sender.example")
			m.Raw = c.extra + "Authentication-Results: mail.good.example; forged=1\n" + m.Raw
			if a := l.one(outside(), m); a.Code != 550 || !strings.HasPrefix(a.Text, "5.7.1 ") {
				t.Errorf("inbound: %d %s", a.Code, a.Text)
			}
			m.MailFrom, m.Raw = "alice@good.example", strings.ReplaceAll(m.Raw, "a@sender.example", "alice@good.example")
			a := l.one(submission(), m)
			if a.Code != 250 || strings.Contains(a.Raw, "DKIM-Signature") || strings.Contains(a.Raw, "forged") || !strings.Contains(l.log.String(), c.why) ||
				c.why != "" && !strings.Contains(l.log.String(), "level=WARN") {
				t.Errorf("outbound: %d %d edits; log: %s", a.Code, a.Edits, l.log)
			}
		})
	}
}

func TestPrivateClientGetsAHint(t *testing.T) {
	l := newLab(t)
	p := client.Peer{IP: netip.MustParseAddr("192.168.5.20"), Port: 2500, Helo: "printer"}
	for range 3 {
		if a := l.one(p, mailFrom("scan@good.example")); a.Code != 250 || strings.Contains(a.Raw, "DKIM-Signature") || strings.Contains(a.Raw, "X-Quarantine") {
			t.Fatalf("%d\n%s", a.Code, a.Raw)
		}
	}
	if n := strings.Count(l.log.String(), "add 192.168.5.0/24 to outbound.networks"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, l.log)
	}
}

func TestReinjectedIsLeftAlone(t *testing.T) {
	l := newLab(t)
	m := mailFrom("ceo@good.example")
	// As we leave them at the way in: above the MTA's own field.
	m.Raw = "Authentication-Results: mail.good.example; dmarc=fail header.from=good.example\nX-Quarantine: dmarc-quarantine; x\n" +
		"Received: from evil (evil [203.0.113.66]) by mail.good.example with ESMTP id 1\n" + m.Raw
	a := l.one(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Port: 2500, Helo: "filter"}, m)
	if a.Code != 250 || a.Edits != 0 {
		t.Errorf("%d with %d edits:\n%s", a.Code, a.Edits, a.Raw)
	}
	l.set.Rules.SignReinjected = true // read at MAIL; no message is under way
	if a := l.one(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Port: 2500, Helo: "filter"}, m); !strings.Contains(a.Raw, "DKIM-Signature") {
		t.Error("reinjected: sign does not sign")
	}
}

func TestRelayedJudgesTheFirstOutsideHop(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) {
		s.Rules.Relays = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	})
	relay := client.Peer{IP: netip.MustParseAddr("198.51.100.7"), Port: 2500, Name: "mx2.good.example", Helo: "mx2.good.example"}
	m := mailFrom("a@sender.example")
	m.Raw = "Received: from out.sender.example (out.sender.example [192.0.2.1]) by mx2.good.example with ESMTP\n" + m.Raw
	if a := l.one(relay, m); !strings.Contains(top(a.Raw), "spf=pass") || strings.Contains(top(a.Raw), "iprev") {
		t.Errorf("%s", top(a.Raw))
	}
	// Without a hop to judge a missing SPF is not held against the message.
	if a := l.one(relay, mailFrom("a@sender.example")); a.Code != 250 || !strings.Contains(top(a.Raw), "dmarc=temperror") {
		t.Errorf("%d %s", a.Code, top(a.Raw))
	}
}

func TestPanicInPolicyIsOurFault(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Policy = panicking{} })
	s := l.session(outside())
	for range 2 {
		if a := l.send(s, mailFrom("a@sender.example")); a.Code != 451 || a.Text != "4.3.0 message authentication failed internally, try again later" {
			t.Errorf("%d %s", a.Code, a.Text)
		}
	}
}

type panicking struct{}

func (panicking) Decide(policy.Input) policy.Verdict { panic("test") }

func TestUndecidedIsABug(t *testing.T) {
	l := newLab(t, func(s *transaction.Setup, _ *ServerConfig) { s.Policy = (*policy.Policy)(nil) })
	if a := l.one(outside(), mailFrom("a@sender.example")); a.Code != 451 {
		t.Errorf("%d", a.Code)
	}
}

type accepting struct{}

func (accepting) Decide(policy.Input) policy.Verdict { return policy.Verdict{Action: policy.Accept} }
