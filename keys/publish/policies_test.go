package publish

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dmarc"
)

func TestSPFOfHelo(t *testing.T) {
	for name, c := range map[string]struct {
		p    Publication
		want string
	}{
		"both families":       {Publication{Helo: "mail.example.com", Egress: addrs("192.0.2.1", "2001:db8::1")}, "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"},
		"elsewhere":           {Publication{Helo: "mx.hoster.example", Egress: addrs("192.0.2.1")}, "v=spf1 ip4:192.0.2.1 -all"},
		"the domain itself":   {Publication{Helo: "example.com", Egress: addrs("192.0.2.1")}, ""},
		"no name":             {Publication{Egress: addrs("192.0.2.1")}, ""},
		"addresses not known": {Publication{Helo: "mail.example.com"}, ""},
		"behind NAT":          {Publication{Helo: "mail.example.com", Egress: addrs("192.168.1.1")}, ""},
		"through a relay":     {Publication{Helo: "mail.example.com", Egress: addrs("192.0.2.1"), Relay: "relay.example"}, ""},
		"through Amazon SES":  {Publication{Helo: "mail.example.com", Egress: addrs("192.0.2.1"), ViaSES: true}, ""},
	} {
		c.p.Domain = "example.com"
		var got Entry
		spf := 0
		for _, e := range c.p.Records() {
			if strings.HasPrefix(e.Value, "v=spf1") {
				spf++
			}
			if e.Name == c.p.Helo && e.Name != "example.com" {
				got = e
			}
		}
		if (spf == 2) != (c.want != "") {
			t.Errorf("%s: %d records", name, spf)
		}
		if got.Value != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		if elsewhere := strings.Contains(got.Why, "which is not example.com's"); elsewhere != (name == "elsewhere") {
			t.Errorf("%s: %s", name, got.Why)
		}
	}
}

func TestWarnsOfIPv6(t *testing.T) {
	for name, c := range map[string]struct {
		egress, own []netip.Addr
		change      func(*Publication)
		want        bool
	}{
		"only IPv4 known":    {addrs("192.0.2.1"), addrs("fd00::1", "2001:db8::1"), nil, true},
		"both known":         {addrs("192.0.2.1", "2001:db8::2"), addrs("2001:db8::1"), nil, false},
		"no public IPv6":     {addrs("192.0.2.1"), addrs("fe80::1", "fd00::1", "::1"), nil, false},
		"IPv4 of its own":    {addrs("192.0.2.1"), addrs("192.0.2.7"), nil, false},
		"nothing known":      {nil, addrs("2001:db8::1"), nil, false}, // said already
		"an IPv6 that isn't": {addrs("192.0.2.1", "fd00::1"), addrs("2001:db8::1"), nil, true},
		"relay":              {addrs("192.0.2.1"), addrs("2001:db8::1"), func(p *Publication) { p.Relay = "r.example" }, false},
		"SES":                {addrs("192.0.2.1"), addrs("2001:db8::1"), func(p *Publication) { p.ViaSES = true }, false},
	} {
		p := Publication{Domain: "example.com", Egress: c.egress, OwnIPv6: c.own}
		if c.change != nil {
			c.change(&p)
		}
		spf := p.spf()
		if got := strings.Contains(spf.Why, "WARNING: this host has the IPv6 address 2001:db8::1 "); got != c.want || len(p.LacksIPv6()) > 0 != c.want {
			t.Errorf("%s: %v, %s", name, p.LacksIPv6(), spf.Why)
		}
		if strings.Contains(spf.Value, "2001:db8::1") {
			t.Errorf("%s: guessed: %s", name, spf.Value)
		}
	}
}

// TestLadderOfDMARC: from each step to the next what receivers do gets stricter by one
// level at most, and all steps are records that our own reader takes.
func TestLadderOfDMARC(t *testing.T) {
	e := Publication{Domain: "example.com"}.dmarc()
	var got []string
	for _, text := range append([]string{e.Value}, e.Then...) {
		r, err := dmarc.ParseRecord(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(r.RUA) != 1 || strings.Contains(text, "pct") {
			t.Errorf("%s", text)
		}
		step := string(r.P)
		if r.Testing {
			step += " t=y"
		}
		got = append(got, step)
	}
	if s := strings.Join(got, ", "); s != "none, quarantine t=y, quarantine, reject t=y, reject" {
		t.Error(s)
	}
}
