package milter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
)

// defaultRules are those of a configuration that says nothing (DESIGN §5).
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
	return Client{Family: '4', IP: parseIP(ip), Port: 40000}
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
		{"our network, v4-mapped", lan, Hints{Client: Client{Family: '6', IP: parseIP("::ffff:192.168.5.20")}}, auth.Outbound},
		{"our network, IPv6 as Sendmail writes it", lan, Hints{Client: Client{Family: '6', IP: parseIP("IPv6:2001:db8:5:0:0:0:0:6")}}, auth.Outbound},
		{"beside our network", lan, Hints{Client: tcp4("192.168.6.20")}, auth.Inbound},
		{"our backup MX", lan, Hints{Client: tcp4("198.51.100.7")}, auth.Relayed},
		{"authenticated beats relay", lan, Hints{Client: tcp4("198.51.100.7"), AuthUser: "alice"}, auth.Outbound},
		{"loopback", defaultRules(), Hints{Client: tcp4("127.0.0.1")}, auth.Outbound},
		{"loopback v6", defaultRules(), Hints{Client: Client{Family: '6', IP: parseIP("::1"), Port: 7}}, auth.Outbound},
		{"another loopback address with a port", defaultRules(), Hints{Client: tcp4("127.0.0.2")}, auth.Inbound},
		{"sendmail(1) through Postfix: port 0", defaultRules(), Hints{Client: Client{Family: '4', IP: parseIP("127.0.0.1")}}, auth.Outbound},
		{"unix socket", defaultRules(), Hints{Client: Client{Family: 'L'}}, auth.Outbound},
		{"local switched off", noLocal, Hints{Client: tcp4("127.0.0.1")}, auth.Inbound},
		{"no address", defaultRules(), Hints{Client: Client{Family: 'U'}}, auth.Inbound},
		{"garbage for an address", defaultRules(), Hints{Client: Client{Family: '4', IP: parseIP("127.0.0.1.5")}}, auth.Inbound},
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

func TestReinjected(t *testing.T) {
	ids := []string{"mail.example.com"}
	lan := defaultRules()
	lan.Networks = prefixes("127.0.0.0/8", "192.168.5.0/24")
	loop := Hints{Client: tcp4("127.0.0.1")}
	outside := header.Field{Name: "Received", Value: " from evil.example (unknown [203.0.113.66])\r\n\tby mail.example.com (Postfix) with ESMTP id 1"}

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
		{"not from loopback", lan, Hints{Client: tcp4("192.168.5.9")}, header.Fields{outside}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Reinjected(c.rules, c.hints, c.fields, ids, []string{"other.example", "bank.example"})
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want it to name %q", got, c.want)
			}
		})
	}
}

func TestReceivedFrom(t *testing.T) {
	for value, want := range map[string]string{
		" from a (b [192.0.2.1]) by c":                  "192.0.2.1",
		" from a (b. [192.0.2.1] (may be forged)) by c": "192.0.2.1",
		" from [192.0.2.1] by c":                        "192.0.2.1",
		" from a ([192.0.2.1] helo=x) by c":             "192.0.2.1",
		" from a (b [IPv6:2001:db8::1]) by c":           "2001:db8::1",
		// What the client says of itself is not believed (Exim, qmail, Exchange,
		// Postfix with smtpd_tls_received_header).
		" from [192.0.2.1] (helo=[127.0.0.1]) by c":                                   "192.0.2.1",
		" from a ([192.0.2.1] helo=[127.0.0.1] ident=127.0.0.1) by c":                 "192.0.2.1",
		" from unknown (HELO [127.0.0.1]) (192.0.2.1) by c":                           "192.0.2.1",
		" from [127.0.0.1] (192.0.2.1) by c":                                          "192.0.2.1",
		" from [127.0.0.1] (2001:db8::1) by c":                                        "2001:db8::1",
		" from a (b [192.0.2.1])\r\n\t(Client CN \"[127.0.0.1]\", Issuer \"x\") by c": "192.0.2.1",
		" from [127.0.0.1] by c":                                                      "",
		"\r\n\tfrom a (b\r\n\t [192.0.2.1])\r\n\tby c":                                "192.0.2.1",
		" from a (b) by c ([192.0.2.1])":                                              "",
		" by c (Postfix, from userid 1000)":                                           "",
		" from a (b [999.0.2.1]) by c":                                                "",
		"":                                                                            "",
		" from " + strings.Repeat("x", 100000) + "[192.0.2.1]":                        "",
	} {
		ip, ok := ReceivedFrom(value)
		if got := addrString(ip); got != want || ok != (want != "") {
			t.Errorf("%.60q: got %q, want %q", value, got, want)
		}
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
		{"nothing believable on top", header.Fields{{Name: "Received", Value: " by mx2.example.com"}, hop("google.example", "192.0.2.9")}, ""},
		{"no Received at all", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ip, helo, ok := origin(r, c.fields)
			if got := addrString(ip); got != c.ip || ok != (c.ip != "") {
				t.Errorf("got %q %v, want %q", got, ok, c.ip)
			}
			if ok && helo != "out.example" {
				t.Errorf("helo %q", helo)
			}
		})
	}
}
