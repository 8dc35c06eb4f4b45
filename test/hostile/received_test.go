package hostile

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// Mail that comes back to us, or through a host of ours: whose it is stands in
// Received fields, whose words the sender chose.

var (
	loopbackPeer = Peer{netip.MustParseAddr("127.0.0.1"), "filter"}
	listPeer     = Peer{netip.MustParseAddr("192.168.5.9"), "lists.ours.example"}
	relayPeer    = Peer{netip.MustParseAddr("198.51.100.7"), "mx2.ours.example"}
)

// ours is a daemon that signs for ours.example, with a list server in
// outbound.networks and a backup MX in inbound.relays.
func ours(t *testing.T) *Client {
	t.Helper()
	dir := t.TempDir()
	if _, err := keys.Generate(dir, "ours.example", keys.GenerateOptions{Selector: "o"}); err != nil {
		t.Fatal(err)
	}
	store, problems := keys.Load(dir, []keys.DomainSpec{{Name: "ours.example"}}, nil)
	for _, p := range problems {
		if p.Severity == keys.Error {
			t.Fatal(p)
		}
	}
	rules, bad := policy.Compile(nil, policy.Options{Quarantine: "tag", DMARCReject: "reject"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return serve(t, resolve.MustZone(Zone()), rules, func(set *transaction.Setup) {
		set.Keys = store
		set.Sign = transaction.Sign{Headers: []string{"From", "To", "Subject"}, Oversign: []string{"From"}, HeaderCanon: dkim.Relaxed, BodyCanon: dkim.Relaxed}
		set.Rules.Networks = []netip.Prefix{netip.MustParsePrefix("192.168.5.0/24")}
		set.Rules.Relays = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	})
}

// handedBack is a message in our name that a program or a host of ours hands
// over, with the trace that it carries, topmost first.
func handedBack(peer Peer, fields ...header.Field) Message {
	m := plain(peer, "boss@ours.example", "The boss <boss@ours.example>")
	m.Fields = append(append(header.Fields{}, fields...), m.Fields...)
	return m
}

func received(value string) header.Field {
	return header.Field{Name: "Received", Value: " " + value}
}

func results(value string) header.Field {
	return header.Field{Name: "Authentication-Results", Value: " " + value}
}

func (v Verdict) signed() bool { return len(v.Fields.All("DKIM-Signature")) > 0 }

// deliver sends a message that must be accepted.
func deliver(t *testing.T, c *Client, m Message) Verdict {
	t.Helper()
	v, err := c.Deliver(m)
	if err != nil {
		t.Fatal(err)
	}
	if v.Code != 250 || len(v.Errors) > 0 {
		t.Fatalf("%d %s %q", v.Code, v.Text, v.Errors)
	}
	return v
}

const fromPostfix = "\r\n\tby mx.ours.example (Postfix) with ESMTP id 4QiN\r\n\tfor <box@ours.example>; Sun, 22 Nov 2026 00:30:00 +0000 (UTC)"

// TestReinjectedIsNotSigned: what a stranger calls himself does not make his
// mail ours when a content filter, an alias or Sieve hands it back.
func TestReinjectedIsNotSigned(t *testing.T) {
	c := ours(t)
	if v := deliver(t, c, handedBack(loopbackPeer)); !v.signed() {
		t.Fatal("a local program's mail is not signed")
	}
	lmtp := received("from mx.ours.example\r\n\tby mx.ours.example with LMTP\r\n\tid x\r\n\t(envelope-from <a@b.example>); Sun")
	filtered := received("from mx.ours.example (localhost [127.0.0.1])" + fromPostfix)
	for name, fields := range map[string][]header.Field{
		"EHLO by":                      {received("from by (unknown [203.0.113.66])" + fromPostfix)},
		"EHLO from":                    {received("from from (unknown [203.0.113.66])" + fromPostfix)},
		"EHLO [127.0.0.1]":             {received("from [127.0.0.1] (unknown [203.0.113.66])" + fromPostfix)},
		"EHLO x (unknown [127.0.0.1]":  {received("from x??unknown?[127.0.0.1]? (unknown [203.0.113.66])" + fromPostfix)},
		"PTR helo":                     {received("from x (helo [203.0.113.66])" + fromPostfix)},
		"PTR helo, EHLO [127.0.0.1]":   {received("from [127.0.0.1] (helo [203.0.113.66])" + fromPostfix)},
		"PTR by":                       {received("from x (by [203.0.113.66])" + fromPostfix)},
		"PTR 127.0.0.1, Sendmail":      {received("from x (127.0.0.1 [203.0.113.66] (may be forged))\r\n\tby mx (8.17.1/8.17.1) with ESMTP id 7A; Sun")},
		"ident, Sendmail":              {received("from x (127.0.0.1@h [203.0.113.66]) by mx (8.17.1/8.17.1) with ESMTP id 7A; Sun")},
		"no HELO, Sendmail":            {received("(from eve@h [203.0.113.66]) by mx (8.17.1/8.17.1) id 7A; Sun")},
		"an address that nobody knows": {received("from [127.0.0.1] (unknown [unknown])" + fromPostfix)},
		"a field like no other":        {received("203.0.113.66")},
		"HELO ( past Sendmail":         {received("from ( (h [203.0.113.66]) by mx with ESMTP; Sun")},
		"below a filter's":             {filtered, received("from by (unknown [203.0.113.66])" + fromPostfix)},
		"below LMTP":                   {lmtp, received("from by (unknown [203.0.113.66])" + fromPostfix)},
		"LMTP and nothing below":       {lmtp},
		"fetchmail":                    {received("from pop.isp.example by localhost with POP3 (fetchmail-6.4.16); Sun")},
		"a spam report":                {received("from localhost by mx.ours.example with SpamAssassin (version 4.0.0); Sun")},
	} {
		t.Run(name, func(t *testing.T) {
			if v := deliver(t, c, handedBack(loopbackPeer, fields...)); v.signed() {
				t.Errorf("signed:\n%s", raw(v.Fields))
			}
		})
	}
	for name, fields := range map[string][]header.Field{
		"cron":                {received("by mx.ours.example (Postfix, from userid 0)\r\n\tid 4Q; Sun")},
		"sendmail(1)":         {received("(from root@localhost)\r\n\tby mx (8.17.1/8.17.1/Submit) id 7A; Sun")},
		"cron, through Sieve": {lmtp, received("by mx.ours.example (Postfix, from userid 0)\r\n\tid 4Q; Sun")},
		"through a filter":    {filtered},
		"our LAN":             {received("from pc (pc.lan [192.168.5.20])" + fromPostfix)},
		"cron of an Exim":     {received("from pc (pc.lan [192.168.5.20])" + fromPostfix), received("from root by pc.lan with local (Exim 4.96)\r\n\t(envelope-from <root@pc.lan>)\r\n\tid 1t-2; Sun")},
	} {
		t.Run(name, func(t *testing.T) {
			if v := deliver(t, c, handedBack(loopbackPeer, fields...)); !v.signed() {
				t.Errorf("not signed:\n%s", raw(v.Fields))
			}
		})
	}
}

// TestWebMailIsSigned: a field that a web mailer on the host writes names a
// person at a browser, as long as no MTA's field stands above it.
func TestWebMailIsSigned(t *testing.T) {
	c := ours(t)
	msp := received("(from www-data@localhost)\r\n\tby mx (8.17.1/8.17.1/Submit) id 7A; Sun, 22 Nov 2026 00:30:00 GMT")
	stranger := received("from out.attacker.example (unknown [203.0.113.66])" + fromPostfix)
	for name, value := range map[string]string{
		"Roundcube":                "from dsl-5.isp.example ([203.0.113.5])\r\n by webmail.ours.example\r\n with HTTP (HTTP/1.1 POST); Sun, 22 Nov 2026 00:30:00 +0000",
		"Roundcube, no name":       "from [203.0.113.5]\r\n\tby webmail.ours.example\r\n\twith HTTP (HTTP/2.0 POST); Sun, 22 Nov 2026 00:30:00 +0000",
		"Roundcube behind a proxy": "from dsl-5.isp.example ([203.0.113.5])\r\n via [127.0.0.1]\r\n by webmail.ours.example\r\n with HTTP (HTTP/1.1 POST); Sun, 22 Nov 2026 00:30:00 +0000",
		"Roundcube, encrypted":     "from ac/DyQ6jpJ2+t0J6UA8xU6ZlPgbLJMOlsKiKJXl78VR4FAx13uXgyA==\r\n (rGXyzjDPG2gWuE2JDVrDLuPQcv0FzBEB)\r\n by webmail.ours.example\r\n with HTTP (HTTP/1.1 POST); Sun, 22 Nov 2026 00:30:00 +0000",
		"Horde":                    "from dsl-5.isp.example (dsl-5.isp.example\r\n [203.0.113.5]) by webmail.ours.example (Horde Framework) with HTTPS; Sun,\r\n 22 Nov 2026 00:30:00 +0000",
		"Horde, no name":           "from [203.0.113.5] ([203.0.113.5]) by webmail.ours.example\r\n (Horde Framework) with HTTPS; Sun, 22 Nov 2026 00:30:00 +0000",
		"SquirrelMail":             "from 203.0.113.5        (SquirrelMail authenticated user\r\n\t       kim@ours.example)        by webmail.ours.example with HTTP;        Sun, 22 Nov 2026 00:30:00 +0000 (UTC)",
	} {
		t.Run(name, func(t *testing.T) {
			web := received(value)
			for how, fields := range map[string][]header.Field{"SMTP": {web}, "sendmail(1) of Sendmail": {msp, web}} {
				if v := deliver(t, c, handedBack(loopbackPeer, fields...)); !v.signed() {
					t.Errorf("by %s: not signed:\n%s", how, raw(v.Fields))
				}
			}
			for how, fields := range map[string][]header.Field{
				"forged, and filtered":        {received("from mx.ours.example (localhost [127.0.0.1])" + fromPostfix), stranger, web},
				"forged":                      {stranger, web},
				"forged, by sendmail(1)":      {msp, stranger, web},
				"an old one, sent on":         {web, stranger},
				"two of them":                 {web, web},
				"below a field of a loopback": {received("from x (localhost [127.0.0.1])" + fromPostfix), web},
				"EHLO with":                   {received("from with HTTP (unknown [203.0.113.66])" + fromPostfix)},
				"in a recipient":              {received("from x (unknown [203.0.113.66])\r\n\tby mx (Postfix) with ESMTP id 4Q\r\n\tfor <\"x> with HTTP\"@ours.example>; Sun")},
			} {
				if v := deliver(t, c, handedBack(loopbackPeer, fields...)); v.signed() {
					t.Errorf("%s: signed:\n%s", how, raw(v.Fields))
				}
			}
		})
	}
}

// TestHandedBackByAHostOfOurs: a list server or an Exchange in outbound.networks
// that hands back what failed here gets no signature for it, and our own fields
// stay; one that hands over its own or a list's mail does.
func TestHandedBackByAHostOfOurs(t *testing.T) {
	c := ours(t)
	stranger := received("from by (unknown [203.0.113.66])" + fromPostfix)
	// The list server's field names this host, in whichever network that is.
	list := received("from mx.ours.example (mx.ours.example [192.0.2.25])\r\n\tby lists.ours.example (Postfix) with ESMTP id 5A; Sun")
	for name, tt := range map[string]struct {
		results string
		stays   bool
	}{
		"fail":                       {"mx.ours.example; spf=pass smtp.mailfrom=attacker.example; dmarc=fail header.from=ours.example policy.dmarc=none", true},
		"none":                       {"mx.ours.example; dmarc=none header.from=ours.example", true},
		"temperror":                  {"MX.ours.example. 1; dmarc=temperror header.from=OURS.example", true},
		"text that pretends to pass": {`mx.ours.example; spf=fail reason="x; dmarc=pass header.from=ours.example" smtp.mailfrom=a.example; dmarc=fail header.from=ours.example`, true},
		"a comment that does":        {"mx.ours.example (; dmarc=pass); dmarc=fail (; dmarc=pass) header.from=ours.example", true},
		"pass and fail":              {"mx.ours.example; dmarc=pass header.from=ours.example; dmarc=fail header.from=ours.example", true},
		"nobody's dmarc":             {"mx.ours.example; dmarc=none", true},
		// What nobody can read is not as we wrote it.
		"an open quote":           {`mx.ours.example; spf=fail reason="x; dmarc=pass header.from=ours.example`, false},
		"an open comment":         {"mx.ours.example; dmarc=pass (header.from=ours.example", false},
		"an open comment at once": {"mx.ours.example (; dmarc=pass header.from=ours.example", false},
		"an unknown word":         {"mx.ours.example; dmarc=bestguesspass header.from=ours.example", false},
		"a version to come":       {"mx.ours.example 2; dmarc=pass header.from=ours.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			own, want := results(tt.results), ""
			if tt.stays {
				want = own.Value
			}
			label := header.Field{Name: "X-Quarantine", Value: " dmarc-quarantine"}
			for how, fields := range map[string][]header.Field{
				"alone":    {own, label},
				"a list's": {list, own, label, stranger},
				"forged beside it": {list, results("mx.ours.example; dmarc=pass header.from=ours.example"), own, label, stranger,
					results("mx.ours.example; spf=pass smtp.mailfrom=ours.example")},
			} {
				v := deliver(t, c, handedBack(listPeer, fields...))
				if v.signed() {
					t.Errorf("%s: signed:\n%s", how, raw(v.Fields))
				}
				if left := strings.Join(v.Fields.All("Authentication-Results"), "|"); left != want || len(v.Fields.All("X-Quarantine")) != 1 {
					t.Errorf("%s: left are %q, want %q, and %q", how, left, want, v.Fields.All("X-Quarantine"))
				}
			}
		})
	}
	for name, fields := range map[string][]header.Field{
		"its own":                   nil,
		"passed":                    {results("mx.ours.example; dmarc=pass header.from=ours.example"), stranger},
		"another author, munged":    {results("mx.ours.example; dmarc=fail header.from=bank.example"), stranger},
		"no dmarc result":           {results("mx.ours.example; none"), stranger},
		"Exchange's, without an id": {results("spf=fail (sender IP is 192.168.5.30)\r\n smtp.mailfrom=ours.example; dkim=none (message not signed)\r\n header.d=none;dmarc=none action=none header.from=ours.example;")},
		"nothing":                   {results("")},
		"somebody else's results":   {results("mx.isp.example; dmarc=fail header.from=ours.example")},
	} {
		t.Run(name, func(t *testing.T) {
			if v := deliver(t, c, handedBack(listPeer, fields...)); !v.signed() {
				t.Errorf("not signed:\n%s", raw(v.Fields))
			}
		})
	}
}

// TestForgedResultsBelowTheirOwnHop: results of ours stand above the field of
// the host that took the message in. Below it, they are the sender's.
func TestForgedResultsBelowTheirOwnHop(t *testing.T) {
	c := ours(t)
	own := results("mx.ours.example; dmarc=fail header.from=ours.example")
	forged := results("mx.ours.example; dmarc=pass header.from=ours.example")
	label := header.Field{Name: "X-Quarantine", Value: " none"}
	pop := received("from pop.isp.example [203.0.113.1] by localhost with POP3 (fetchmail-6.4.16); Sun")
	v := deliver(t, c, handedBack(loopbackPeer, pop, forged, label))
	if v.signed() || len(v.Fields.All("Authentication-Results")) != 0 || len(v.Fields.All("X-Quarantine")) != 0 {
		t.Errorf("fetched by POP:\n%s", raw(v.Fields))
	}
	v = deliver(t, c, handedBack(loopbackPeer, own, label, received("from x (unknown [203.0.113.66])"+fromPostfix), forged, label))
	if got := v.Fields.All("Authentication-Results"); v.signed() || len(got) != 1 || got[0] != own.Value || len(v.Fields.All("X-Quarantine")) != 1 {
		t.Errorf("handed back:\n%s", raw(v.Fields))
	}
}

// TestRelayedFromAStranger: SPF judges who connected to our backup MX, and a
// stranger cannot choose that nobody can read who did.
func TestRelayedFromAStranger(t *testing.T) {
	c := ours(t)
	for name, tt := range map[string]struct {
		fields  []header.Field
		verdict string
	}{
		"honest":                    {[]header.Field{received("from mx.bank.example (mx.bank.example [192.0.2.10]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun")}, "pass"},
		"qmail in between":          {[]header.Field{received("(qmail 12 invoked from network); 22 Nov 2026 00:30:00 -0000"), received("from mx.bank.example (HELO x) (192.0.2.10) by mx2.ours.example with SMTP; Sun")}, "pass"},
		"EHLO by":                   {[]header.Field{received("from by (unknown [203.0.113.66]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun")}, "reject"},
		"EHLO [192.0.2.10]":         {[]header.Field{received("from [192.0.2.10] (unknown [203.0.113.66]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun")}, "reject"},
		"PTR helo":                  {[]header.Field{received("from x (helo [203.0.113.66]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun")}, "reject"},
		"EHLO by, Exim":             {[]header.Field{received("from [203.0.113.66] (helo=by) by mx2.ours.example with esmtp (Exim 4.96); Sun")}, "reject"},
		"a forged hop below":        {[]header.Field{received("from by (unknown [203.0.113.66]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun"), received("from mx.bank.example (mx.bank.example [192.0.2.10]) by x")}, "reject"},
		"through a filter of it":    {[]header.Field{received("from localhost (localhost [127.0.0.1]) by mx2.ours.example (Postfix) with ESMTP id 2; Sun"), received("from by (unknown [203.0.113.66]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun")}, "reject"},
		"a pipe filter of it":       {[]header.Field{received("by mx2.ours.example (Postfix, from userid 111) id 2; Sun"), received("from by (unknown [203.0.113.66]) by mx2.ours.example (Postfix) with ESMTP id 1; Sun")}, "reject"},
		"qmail, EHLO by":            {[]header.Field{received("(qmail 12 invoked from network); 22 Nov 2026 00:30:00 -0000"), received("from unknown (HELO by) (203.0.113.66) by mx2.ours.example with SMTP; Sun")}, "reject"},
		"unreadable: a parenthesis": {[]header.Field{received("from ( (unknown [203.0.113.66]) by mx2.ours.example with ESMTP; Sun"), received("from mx.bank.example (mx.bank.example [192.0.2.10]) by x")}, "quarantine"},
		"unreadable: two addresses": {[]header.Field{received("from x (y [192.0.2.10]) (unknown [203.0.113.66]) by mx2.ours.example with ESMTP; Sun")}, "quarantine"},
		"unreadable: no address":    {[]header.Field{received("from gateway by mx2.ours.example with ESMTP; Sun")}, "quarantine"},
		"a program of the relay":    {[]header.Field{received("by mx2.ours.example (Postfix, from userid 0) id 2; Sun")}, "temperror"},
		"no trace at all":           {nil, "temperror"},
	} {
		t.Run(name, func(t *testing.T) {
			m := plain(relayPeer, victim, victim)
			m.Fields = append(append(header.Fields{}, tt.fields...), m.Fields...)
			v, err := c.Deliver(m)
			if err != nil {
				t.Fatal(err)
			}
			got := "none"
			own, _ := v.ownField()
			switch {
			case v.Code == 550:
				got = "reject"
			case v.quarantined() == quarantine:
				got = "quarantine"
			case strings.Contains(own, "dmarc=pass"):
				got = "pass"
			case strings.Contains(own, "dmarc=temperror"):
				got = "temperror"
			}
			if got != tt.verdict {
				t.Errorf("%s, want %s: %d %s\n%s", got, tt.verdict, v.Code, v.Text, raw(v.Fields))
			}
		})
	}
}
