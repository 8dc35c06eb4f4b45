package transaction

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
)

// defaultRules are those of a configuration that says nothing.
func defaultRules() Rules {
	return Rules{Local: true, Authenticated: true, DaemonNames: []string{"ORIGINATING"}}
}

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func tcp4(ip string) Client {
	return Client{Family: '4', IP: ParseIP(ip), Port: 40000}
}

func TestClassify(t *testing.T) {
	lan := defaultRules()
	lan.Networks = prefixes("192.168.5.0/24", "2001:db8:5::/48")
	lan.Relays = prefixes("198.51.100.7/32")
	noLocal := defaultRules()
	noLocal.Local = false
	noAuth := defaultRules()
	noAuth.Authenticated = false

	for _, c := range []struct {
		name  string
		rules Rules
		hints Hints
		want  auth.Direction
	}{
		{"a stranger", defaultRules(), Hints{Client: tcp4("203.0.113.5")}, auth.Inbound},
		{"an authenticated stranger", defaultRules(), Hints{Client: tcp4("203.0.113.5"), AuthUser: "alice"}, auth.Outbound},
		{"authenticated, but switched off", noAuth, Hints{Client: tcp4("203.0.113.5"), AuthUser: "alice"}, auth.Inbound},
		{"submission by daemon name", defaultRules(), Hints{Client: tcp4("203.0.113.5"), DaemonName: "ORIGINATING"}, auth.Outbound},
		{"daemon names compare without case", defaultRules(), Hints{Client: tcp4("203.0.113.5"), DaemonName: "originating"}, auth.Outbound},
		{"another daemon name", defaultRules(), Hints{Client: tcp4("203.0.113.5"), DaemonName: "mail.example.com"}, auth.Inbound},
		{"our network", lan, Hints{Client: tcp4("192.168.5.20")}, auth.Outbound},
		{"our network, v4-mapped", lan, Hints{Client: Client{Family: '6', IP: ParseIP("::ffff:192.168.5.20")}}, auth.Outbound},
		{"our network, IPv6 as Sendmail writes it", lan, Hints{Client: Client{Family: '6', IP: ParseIP("IPv6:2001:db8:5:0:0:0:0:6")}}, auth.Outbound},
		{"beside our network", lan, Hints{Client: tcp4("192.168.6.20")}, auth.Inbound},
		{"our backup MX", lan, Hints{Client: tcp4("198.51.100.7")}, auth.Relayed},
		{"authenticated beats relay", lan, Hints{Client: tcp4("198.51.100.7"), AuthUser: "alice"}, auth.Outbound},
		{"loopback", defaultRules(), Hints{Client: tcp4("127.0.0.1")}, auth.Outbound},
		{"loopback v6", defaultRules(), Hints{Client: Client{Family: '6', IP: ParseIP("::1"), Port: 7}}, auth.Outbound},
		{"another loopback address with a port", defaultRules(), Hints{Client: tcp4("127.0.0.2")}, auth.Inbound},
		{"sendmail(1) through Postfix: port 0", defaultRules(), Hints{Client: Client{Family: '4', IP: ParseIP("127.0.0.1")}}, auth.Outbound},
		{"unix socket", defaultRules(), Hints{Client: Client{Family: 'L'}}, auth.Outbound},
		{"local switched off", noLocal, Hints{Client: tcp4("127.0.0.1")}, auth.Inbound},
		{"no address", defaultRules(), Hints{Client: Client{Family: 'U'}}, auth.Inbound},
		{"garbage for an address", defaultRules(), Hints{Client: Client{Family: '4', IP: ParseIP("127.0.0.1.5")}}, auth.Inbound},
		{"listener says outbound", defaultRules(), Hints{Listener: auth.Outbound, Client: tcp4("203.0.113.5")}, auth.Outbound},
		{"our backup MX at a listener for inbound", lan, Hints{Listener: auth.Inbound, Client: tcp4("198.51.100.7")}, auth.Relayed},
		{"listener says inbound", defaultRules(), Hints{Listener: auth.Inbound, Client: tcp4("127.0.0.1"), AuthUser: "alice"}, auth.Inbound},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Classify(c.rules, c.hints)
			if got.Direction != c.want || got.Reason == "" {
				t.Errorf("got %+v, want %s with a reason", got, c.want)
			}
		})
	}
}

// TestClassifySaysWhy: a client without an address is told from a program behind
// a unix socket, which never has one.
func TestClassifySaysWhy(t *testing.T) {
	for _, c := range []struct {
		client Client
		reason string
	}{
		{tcp4("203.0.113.5"), "from outside"}, {Client{Family: 'L'}, "from outside"}, {Client{Family: 'U'}, "no client address"},
	} {
		if got := Classify(Rules{}, Hints{Client: c.client}); got != (Classified{auth.Inbound, c.reason}) {
			t.Errorf("%c: got %+v, want %q", c.client.Family, got, c.reason)
		}
	}
}

func TestReinjected(t *testing.T) {
	ids := []string{"mail.example.com"}
	lan := defaultRules()
	lan.Networks = prefixes("127.0.0.0/8", "192.168.5.0/24")
	loop := Hints{Client: tcp4("127.0.0.1")}
	outside := header.Field{Name: "Received", Value: " from evil.example (unknown [203.0.113.66])\r\n\tby mail.example.com (Postfix) with ESMTP id 1"}

	failed := header.Field{Name: "Authentication-Results", Value: " mail.example.com; dmarc=fail header.from=bank.example"}
	web := header.Field{Name: "Received", Value: " from [203.0.113.5]\r\n by webmail.example.com\r\n with HTTP (HTTP/1.1 POST); Sun"}

	for _, c := range []struct {
		name   string
		rules  Rules
		hints  Hints
		fields header.Fields
		want   string // part of the reason; "" = our own mail
	}{
		{"cron's mail", lan, loop, header.Fields{{Name: "Received", Value: " by mail.example.com (Postfix, from userid 0)\r\n\tid 2"}}, ""},
		{"the MSP's mail", lan, loop, header.Fields{{Name: "Received", Value: " (from root@localhost)\r\n\tby mail.example.com"}}, ""},
		{"a spoof through a pipe alias", lan, loop, header.Fields{outside}, "203.0.113.66"},
		{"below a harmless one", lan, loop, header.Fields{
			{Name: "Received", Value: " from localhost (localhost [127.0.0.1]) by mail.example.com"}, outside}, "203.0.113.66"},
		{"from our LAN through a filter", lan, loop, header.Fields{
			{Name: "Received", Value: " from pc (pc.lan [192.168.5.9]) by mail.example.com"}}, ""},
		{"HELO claims loopback", lan, loop, header.Fields{
			{Name: "Received", Value: " from [127.0.0.1] (unknown [203.0.113.66]) by mail.example.com"}}, "203.0.113.66"},
		{"IPv6 client", lan, loop, header.Fields{
			{Name: "Received", Value: " from x (y [IPv6:2001:db8::66]) by mail.example.com"}}, "2001:db8::66"},
		{"our results say fail", lan, loop, header.Fields{
			{Name: "Authentication-Results", Value: " mail.example.com;\r\n\tspf=pass smtp.mailfrom=a.example; dmarc=fail header.from=bank.example"}}, "dmarc=fail"},
		{"our results say pass", lan, loop, header.Fields{
			{Name: "Authentication-Results", Value: " mail.example.com; dmarc=pass header.from=bank.example"}}, ""},
		{"our results are about another author", lan, loop, header.Fields{
			{Name: "Authentication-Results", Value: " mail.example.com; dmarc=fail header.from=list.example"}}, ""},
		{"somebody else's results", lan, loop, header.Fields{
			{Name: "Authentication-Results", Value: " mx.example.net; dmarc=fail header.from=bank.example"}}, ""},
		{"results in the sender's own words", lan, loop, header.Fields{
			{Name: "Authentication-Results", Value: " mail.example.com;\r\n\tspf=fail reason=\"-exists:;dmarc=pass;.%{d}\" smtp.mailfrom=a.example;\r\n\tdmarc=fail header.from=bank.example"}}, "dmarc=fail"},
		{"authenticated", lan, Hints{Client: tcp4("127.0.0.1"), AuthUser: "alice"}, header.Fields{outside}, ""},
		{"a list server relays others' mail", lan, Hints{Client: tcp4("192.168.5.9")}, header.Fields{outside}, ""},
		{"a host of ours hands back what failed", lan, Hints{Client: tcp4("192.168.5.9")}, header.Fields{failed}, "dmarc=fail"},
		{"by its daemon name", lan, Hints{Client: tcp4("198.51.100.9"), DaemonName: "ORIGINATING"}, header.Fields{failed}, "dmarc=fail"},
		{"at an outbound listener", lan, Hints{Client: tcp4("198.51.100.9"), Listener: auth.Outbound}, header.Fields{failed}, "dmarc=fail"},
		{"authenticated, and failed", lan, Hints{Client: tcp4("192.168.5.9"), AuthUser: "alice"}, header.Fields{failed}, ""},
		{"another loopback address", lan, Hints{Client: tcp4("127.0.1.1")}, header.Fields{outside}, "203.0.113.66"},
		{"nobody's address", lan, Hints{Client: Client{Family: 'U'}, Listener: auth.Outbound}, header.Fields{outside}, "203.0.113.66"},
		{"a web mailer", lan, loop, header.Fields{web}, ""},
		{"a web mailer's field is for its own host", lan, loop, header.Fields{{Name: "Received", Value: " from localhost ([127.0.0.1]) by mail.example.com"}, web}, "203.0.113.5"},
		{"a loop", lan, loop, slices.Repeat(header.Fields{{Name: "Received", Value: " by mail.example.com"}}, 101), "does not tell"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Reinjected(c.rules, c.hints, c.fields, ids, []string{"other.example", "bank.example"})
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want it to name %q", got, c.want)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	r := Rules{Relays: prefixes("198.51.100.0/24")}
	hop := func(helo, ip string) header.Field {
		return header.Field{Name: "Received", Value: " from " + helo + " (" + helo + " [" + ip + "]) by mx2.example.com with ESMTP"}
	}
	for _, c := range []struct {
		name   string
		fields header.Fields
		ip     string
	}{
		{"one hop", header.Fields{hop("out.example", "203.0.113.5")}, "203.0.113.5"},
		{"two relays", header.Fields{hop("mx3.example.com", "198.51.100.8"), hop("out.example", "203.0.113.5")}, "203.0.113.5"},
		{"a forged hop below", header.Fields{hop("out.example", "203.0.113.5"), hop("google.example", "192.0.2.9")}, "203.0.113.5"},
		{"a pipe filter of the relay", header.Fields{{Name: "Received", Value: " by mx2.example.com"}, hop("out.example", "203.0.113.5")}, "203.0.113.5"},
		{"a program of the relay", header.Fields{{Name: "Received", Value: " by mx2.example.com"}}, "none"},
		{"unreadable on top", header.Fields{{Name: "Received", Value: " from x (y by mx2.example.com"}, hop("google.example", "192.0.2.9")}, ""},
		{"a web mailer is no hop of ours here", header.Fields{{Name: "Received", Value: " from out.example ([203.0.113.5]) by mx2.example.com with HTTP"}}, "203.0.113.5"},
		{"LMTP of the relay", header.Fields{{Name: "Received", Value: " from mx2 by mx2 with LMTP"}, hop("out.example", "203.0.113.5")}, "203.0.113.5"},
		{"LMTP and nothing else", header.Fields{{Name: "Received", Value: " from mx2 by mx2 with LMTP"}}, ""},
		{"as many as are looked at", append(slices.Repeat(header.Fields{hop("mx3.example.com", "198.51.100.8")}, 99), hop("out.example", "203.0.113.5")), "203.0.113.5"},
		{"a loop", append(slices.Repeat(header.Fields{hop("mx3.example.com", "198.51.100.8")}, 100), hop("out.example", "203.0.113.5")), ""},
		{"no Received at all", nil, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, rec := origin(r, c.fields)
			got := ""
			switch {
			case at < 0:
				got = "none"
			case rec.Client.IsValid():
				got = rec.Client.String()
			}
			if got != c.ip {
				t.Errorf("got %q at %d, want %q", got, at, c.ip)
			}
			if rec.Client.IsValid() && rec.Helo != "out.example" {
				t.Errorf("helo %q", rec.Helo)
			}
		})
	}
}
