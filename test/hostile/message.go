package hostile

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// AuthservID is ours: the daemon under test must be configured with it.
const AuthservID = "mx.ours.example"

// Peer is the SMTP client.
type Peer struct {
	IP   netip.Addr
	Helo string
}

// Message is one transaction, down to the byte.
type Message struct {
	Peer     Peer
	MailFrom string // without angle brackets
	RcptTo   string
	// Fields is the header section: names and values as they stand on the wire,
	// folds as CRLF and white space, anything else as the forger likes it.
	Fields header.Fields
	Body   string // line ends CRLF, where it is a decent one
	// True are the domains whose owners did send this message with this author,
	// by SPF or by a signature: what a right verdict may rest on. A name stands
	// for its whole organization, with "=" before it for itself alone.
	True []string
}

// The people of the play. The zone says what their domains publish.
var (
	attackerPeer = Peer{netip.MustParseAddr("203.0.113.66"), "mx.attacker.example"}
	bankPeer     = Peer{netip.MustParseAddr("192.0.2.10"), "mx.bank.example"}
	friendPeer   = Peer{netip.MustParseAddr("192.0.2.20"), "mx.friend.example"}
)

const (
	attacker  = "eve@attacker.example"
	victim    = "ceo@bank.example"
	friend    = "kim@friend.example"
	recipient = "box@ours.example"
)

// plain is a message of the author's, from peer, not signed yet.
func plain(peer Peer, mailFrom, from string) Message {
	m := Message{Peer: peer, MailFrom: mailFrom, RcptTo: recipient, Body: "Hello,\r\n\r\nplease look at this.\r\n"}
	return m.add("From", " "+from).add("To", " <"+recipient+">").add("Subject", " the invoice").
		add("Date", " Sun, 22 Nov 2026 00:30:00 +0000").add("Message-ID", " <1@mail.example>")
}

// add appends a field at the end of the header section. Like all methods here
// it leaves m as it was.
func (m Message) add(name, value string) Message {
	m.Fields = append(m.Fields[:len(m.Fields):len(m.Fields)], header.Field{Name: name, Value: value})
	return m
}

// top puts a field above the others.
func (m Message) top(name, value string) Message {
	m.Fields = append(header.Fields{{Name: name, Value: value}}, m.Fields...)
	return m
}

// set changes the value of the first field called name.
func (m Message) set(name, value string) Message {
	m.Fields = slices.Clone(m.Fields)
	m.Fields[m.place(name)].Value = value
	return m
}

// place is where the first field called name stands, -1 for nowhere.
func (m Message) place(name string) int {
	return slices.IndexFunc(m.Fields, func(f header.Field) bool { return strings.EqualFold(f.Name, name) })
}

// without drops the fields called name.
func (m Message) without(name string) Message {
	var kept header.Fields
	for _, f := range m.Fields {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	m.Fields = kept
	return m
}

// truly says for which domains the message is genuine.
func (m Message) truly(domains ...string) Message {
	m.True = append(m.True[:len(m.True):len(m.True)], domains...)
	return m
}

// raw is the header section as a reader finds it in a mailbox.
func raw(h header.Fields) string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.Raw())
	}
	return b.String()
}
