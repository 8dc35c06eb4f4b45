// Package siege holds what the tests of hostile peers have in common: honest
// mail whose verdict is known, and peers that are anything but honest. Its
// tests run the real daemon beside a DNS server that breaks; see
// docs/security.md for the figures.
package siege

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/milter/client"
)

// Mail makes honest mail and spoofs from sender domains d0.sender.example,
// d1.sender.example, ..., all with p=reject and one key.
type Mail struct {
	Zone *resolve.Zone
	key  ed25519.PrivateKey
}

// NewMail makes mail of n sender domains and the zone that proves it.
func NewMail(n int) (*Mail, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	m := &Mail{Zone: &resolve.Zone{}, key: key}
	add := func(name, typ string, data ...string) {
		if err == nil {
			err = m.Zone.Add(name, typ, data...)
		}
	}
	add("192.0.2.1", "PTR", "out.sender.example")
	add("out.sender.example", "A", "192.0.2.1")
	for i := range n {
		d := Domain(i)
		add(d, "TXT", "v=spf1 ip4:192.0.2.1 -all")
		add("_dmarc."+d, "TXT", "v=DMARC1; p=reject")
		add("s1._domainkey."+d, "TXT", "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(pub))
	}
	return m, err
}

// Domain is the i-th sender's.
func Domain(i int) string { return fmt.Sprintf("d%d.sender.example", i) }

// Peer is the host that SPF allows for all of them.
func Peer() client.Peer {
	return client.Peer{IP: netip.MustParseAddr("192.0.2.1"), Port: 25000, Name: "out.sender.example", Helo: "out.sender.example"}
}

// Good is a signed message of the i-th sender. From Peer it passes everything.
func (m *Mail) Good(i int) (client.Message, error) {
	msg := Spoof(i)
	head, body, _ := strings.Cut(strings.ReplaceAll(msg.Raw, "\n", "\r\n"), "\r\n\r\n")
	var h header.Fields
	for _, line := range strings.Split(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		h = append(h, header.Field{Name: name, Value: value})
	}
	g, err := dkim.NewSigning(h, []dkim.Signer{{Domain: Domain(i), Selector: "s1", Key: m.key, Headers: []string{"From", "To", "Subject"}, Oversign: []string{"From"}}})
	if err != nil {
		return msg, err
	}
	_, _ = g.Write([]byte(body)) // it never fails
	values, err := g.Finish()
	if err != nil {
		return msg, err
	}
	msg.Raw = "DKIM-Signature:" + values[0] + "\r\n" + head + "\r\n\r\n" + body
	return msg, nil
}

// Spoof is an unsigned message in the i-th sender's name. From Stranger the
// built-in rules reject it.
func Spoof(i int) client.Message {
	from := "ann@" + Domain(i)
	return client.Message{
		MailFrom: from, RcptTo: []string{"box@good.example"}, QueueID: fmt.Sprintf("Q%d", i),
		Raw: "From: Ann <" + from + ">\nTo: <box@good.example>\nSubject: number " + fmt.Sprint(i) +
			"\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <" + fmt.Sprint(i) + "@siege.example>\n\nHello.\n",
	}
}

// Stranger is a host that no sender's SPF allows.
func Stranger() client.Peer {
	return client.Peer{IP: netip.MustParseAddr("203.0.113.66"), Port: 25000, Helo: "stranger.example"}
}

// Results returns the topmost field of a message, unfolded, "" when it is not
// Authentication-Results.
func Results(raw string) string {
	if !strings.HasPrefix(raw, "Authentication-Results:") {
		return ""
	}
	var b strings.Builder
	for i, line := range strings.Split(raw, "\r\n") {
		if i > 0 && (line == "" || line[0] != ' ' && line[0] != '\t') {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// CheckGood says what is wrong with the answer to a Good message from Peer.
func CheckGood(a client.Answer) error {
	got := Results(a.Raw)
	for _, want := range []string{"iprev=pass", "spf=pass", "dkim=pass", "dmarc=pass"} {
		if a.Code != 250 || !strings.Contains(got, want) {
			return fmt.Errorf("%d %s, want %s: %s", a.Code, a.Text, want, got)
		}
	}
	return nil
}

// CheckSpoof says what is wrong with the answer to a Spoof from Stranger.
func CheckSpoof(a client.Answer) error {
	if a.Code != 550 || !strings.HasPrefix(a.Text, "5.7.1 ") {
		return fmt.Errorf("a spoof was answered %d %s", a.Code, a.Text)
	}
	return nil
}

// Send delivers one message over a connection of its own, as an MTA with one
// message a session does.
func Send(socket string, p client.Peer, m client.Message) (client.Answer, error) {
	s, err := client.Dial("unix", socket)
	if err != nil {
		return client.Answer{}, err
	}
	defer s.Close()
	if err := s.Connect(p); err != nil {
		return client.Answer{}, err
	}
	return s.Send(m)
}
